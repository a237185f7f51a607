//! Session ids: what a client shows with every request to reach its session.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The id of a session. Whoever knows it can speak for the client, so `Debug` shows its start alone.
///
/// Clones share the text.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// The id of a server's new session: 22 characters that carry 128 unpredictable bits.
    pub fn from_random(bits: [u8; 16]) -> Self {
        let mut text = [0; 22];
        URL_SAFE_NO_PAD
            .encode_slice(bits, &mut text)
            .expect("sixteen bytes are 22 characters of base64");
        Self(std::str::from_utf8(&text).expect("base64 is ASCII").into())
    }

    /// An id of the application's own making, or one that a server has given.
    ///
    /// # Errors
    ///
    /// The id is empty, longer than 256 bytes, or has characters other than ASCII letters, digits
    /// and `-._~`, which are the ones that an address carries unchanged (RFC 3986, § 2.3).
    pub fn new(id: &str) -> Result<Self, InvalidSessionId> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if id.is_empty() || id.len() > MAX_BYTES || !id.bytes().all(unreserved) {
            return Err(InvalidSessionId);
        }
        Ok(Self(id.into()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The start of the id: enough to recognise a session in a log, not enough to take it over.
    pub fn prefix(&self) -> &str {
        &self.0[..self.0.len().min(PREFIX_BYTES)]
    }
}

impl Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.prefix())
    }
}

/// Text that cannot be a session id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidSessionId;

impl fmt::Display for InvalidSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session id that is not 1 to {MAX_BYTES} of A-Z a-z 0-9 - . _ ~")
    }
}

impl std::error::Error for InvalidSessionId {}

const MAX_BYTES: usize = 256;
const PREFIX_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_have_22_characters() {
        // 128 bits in base64url (RFC 4648, § 5): all zeros are all `A`, all ones `_` and a last `w`.
        assert_eq!(SessionId::from_random([0; 16]).as_str(), "A".repeat(22));
        assert_eq!(SessionId::from_random([0xff; 16]).as_str(), "_".repeat(21) + "w");
    }

    #[test]
    fn ids_must_survive_an_address() {
        assert!(SessionId::new("lv_VI97HAXpY6yYWAAAC").is_ok());
        for bad in ["", "a b", "a/b", "é", "a\n", &"x".repeat(257)] {
            assert_eq!(SessionId::new(bad), Err(InvalidSessionId), "{bad:?}");
        }
    }

    #[test]
    fn debug_does_not_tell_the_id() {
        let id = SessionId::new("secret-and-long").unwrap();
        assert_eq!(format!("{id:?}"), "SessionId(secret…)");
    }
}
