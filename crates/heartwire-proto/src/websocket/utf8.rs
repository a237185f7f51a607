//! UTF-8 checked as it arrives: a text that can no longer become valid is refused at its first bad
//! byte, not at its end.
//!
//! Source: RFC 6455, § 8.1; Autobahn|Testsuite, cases 6.4.1 to 6.4.4.

/// The start of a character whose rest has not arrived.
#[derive(Debug, Default)]
pub(super) struct Utf8Check {
    pending: [u8; 3],
    pending_len: u8,
}

/// The bytes are not UTF-8, whatever follows.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct InvalidUtf8;

impl Utf8Check {
    /// Checks the next piece of the text.
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.pending_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            let mut joined = [0; 4];
            let held = usize::from(self.pending_len);
            joined[..held].copy_from_slice(&self.pending[..held]);
            joined[held] = byte;
            self.hold_tail(&joined[..=held])?;
        }
        if simdutf8::basic::from_utf8(piece).is_err() {
            self.hold_tail(piece)?;
        }
        Ok(())
    }

    /// Whether the text may end here: no character is incomplete.
    pub(super) fn is_complete(&self) -> bool {
        self.pending_len == 0
    }

    /// Keeps an incomplete last character of `bytes`, which start at a character.
    fn hold_tail(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        self.pending_len = 0;
        let Err(error) = std::str::from_utf8(bytes) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(InvalidUtf8);
        }
        let tail = &bytes[error.valid_up_to()..];
        self.pending[..tail.len()].copy_from_slice(tail);
        self.pending_len = tail.len() as u8;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` whole and cut at every place; all must agree.
    #[track_caller]
    fn check(bytes: &[u8], expected: Result<bool, InvalidUtf8>) {
        for cut in 0..=bytes.len() {
            let mut utf8 = Utf8Check::default();
            let result = utf8.feed(&bytes[..cut]).and_then(|()| utf8.feed(&bytes[cut..]));
            assert_eq!(result.map(|()| utf8.is_complete()), expected, "cut at {cut}");
        }
        let mut utf8 = Utf8Check::default();
        let result = bytes.chunks(1).try_for_each(|byte| utf8.feed(byte));
        assert_eq!(result.map(|()| utf8.is_complete()), expected, "byte by byte");
    }

    #[test]
    fn agrees_with_the_definition() {
        check("κόσμε 🎈 x".as_bytes(), Ok(true));
        check(b"", Ok(true));
        check(&"🎈".as_bytes()[..3], Ok(false));
        check(b"\xce\xba\xed\xa0\x80", Err(InvalidUtf8)); // a surrogate
        check(b"\xf4\x90", Err(InvalidUtf8)); // above U+10FFFF, known at the second byte
        check(b"\xc0\x80", Err(InvalidUtf8)); // overlong
        check(b"ab\xffcd", Err(InvalidUtf8));
        check(b"\xe2\x28\xa1", Err(InvalidUtf8));
    }
}
