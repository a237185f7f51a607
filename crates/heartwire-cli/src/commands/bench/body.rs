//! What messages say: which one it is, and bytes that show whether somebody has changed them.

use std::sync::Arc;

use heartwire::engineio::MessageRef;

/// What the messages of one connection say: the number of the connection, that of the message, and bytes
/// that depend on it.
#[derive(Clone, Debug)]
pub(super) struct Body {
    connection: u64,
    size: usize,
    binary: bool,
    /// Bytes as if by chance. A message has those from a place on that depends on its number.
    filler: Arc<[u8]>,
}

/// Why a message is none that was sent over its connection.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    /// It does not say which one it is.
    Unreadable(String),
    /// Another connection has sent it.
    Misdirected { connection: u64 },
    /// It says that it is this one, and the rest is different.
    Damaged { number: u64, how: String },
}

impl Body {
    /// Those of the first connection. `size` is not below [`MIN_SIZE`].
    pub(super) fn new(size: usize, binary: bool) -> Self {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let filler = (0..size + PLACES)
            .map(|_| {
                // Marsaglia's xorshift: what cannot be compressed away, and is the same in every run.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let byte = (state >> 32) as u8;
                if binary { byte } else { TEXT[usize::from(byte) % TEXT.len()] }
            })
            .collect();
        Self { connection: 0, size, binary, filler }
    }

    /// Those of another connection.
    pub(super) fn of(&self, connection: u64) -> Self {
        Self { connection, ..self.clone() }
    }

    /// Whether the messages are bytes, not text.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// The message with this number.
    pub(super) fn write(&self, number: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size);
        push_hex(&mut bytes, self.connection, CONNECTION_DIGITS);
        push_hex(&mut bytes, number, NUMBER_DIGITS);
        bytes.extend_from_slice(self.filler_of(number));
        bytes
    }

    /// The number of a message that has come back whole.
    pub(super) fn read(&self, message: MessageRef<'_>) -> Result<u64, Wrong> {
        let bytes = message.as_bytes();
        let head = bytes.split_at_checked(CONNECTION_DIGITS).and_then(|(connection, rest)| {
            let (number, rest) = rest.split_at_checked(NUMBER_DIGITS)?;
            Some((hex(connection)?, hex(number)?, rest))
        });
        let Some((connection, number, rest)) = head else {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(MIN_SIZE)]).into_owned();
            let length = bytes.len();
            return Err(Wrong::Unreadable(format!("{length} bytes that begin with {start:?}")));
        };
        if connection != self.connection {
            return Err(Wrong::Misdirected { connection });
        }
        let damaged = |how| Err(Wrong::Damaged { number, how });
        if matches!(message, MessageRef::Binary(_)) != self.binary {
            let kind = |binary| if binary { "binary" } else { "text" };
            return damaged(format!("{}, expected {}", kind(!self.binary), kind(self.binary)));
        }
        if bytes.len() != self.size {
            return damaged(format!("{} bytes, expected {}", bytes.len(), self.size));
        }
        let expected = self.filler_of(number);
        if rest == expected {
            return Ok(number);
        }
        let same = rest.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
        damaged(format!("other bytes, from {} on", MIN_SIZE + same))
    }

    fn filler_of(&self, number: u64) -> &[u8] {
        let place = (number % PLACES as u64) as usize;
        &self.filler[place..place + self.size - MIN_SIZE]
    }
}

fn push_hex(bytes: &mut Vec<u8>, number: u64, digits: usize) {
    for digit in (0..digits).rev() {
        bytes.push(b"0123456789abcdef"[(number >> (4 * digit)) as usize & 15]);
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

const TEXT: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const CONNECTION_DIGITS: usize = 6;

const NUMBER_DIGITS: usize = 10;

/// Bytes of a message that has nothing but numbers.
pub(super) const MIN_SIZE: usize = CONNECTION_DIGITS + NUMBER_DIGITS;

/// Places in the filler where messages may begin.
const PLACES: usize = 251;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> MessageRef<'_> {
        MessageRef::Text(std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_comes_back_whole_is_known_again() {
        for size in [MIN_SIZE, MIN_SIZE + 1, 64, 20_000] {
            for number in [0, 1, 250, 251, 0xff_ffff_ffff] {
                let body = Body::new(size, false).of(0xff_ffff);
                let bytes = body.write(number);
                assert_eq!(bytes.len(), size);
                assert_eq!(body.read(text(&bytes)), Ok(number));
                let body = Body::new(size, true).of(3);
                let bytes = body.write(number);
                assert_eq!(bytes.len(), size);
                assert_eq!(body.read(MessageRef::Binary(&bytes)), Ok(number));
            }
        }
    }

    #[test]
    fn the_numbers_stand_at_the_start() {
        let bytes = Body::new(20, false).of(0x1234).write(0xabc);
        assert_eq!(&bytes[..MIN_SIZE], b"0012340000000abc");
    }

    #[test]
    fn every_changed_byte_is_found() {
        let body = Body::new(40, true).of(7);
        let bytes = body.write(1);
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            let read = body.read(MessageRef::Binary(&bytes));
            // A digit that becomes another one is the number of another message.
            let other_number = (CONNECTION_DIGITS..MIN_SIZE).contains(&place);
            assert!(matches!(read, Err(Wrong::Damaged { .. })) || place < MIN_SIZE, "{place}");
            assert!(read.is_err() || other_number, "{place}: {read:?}");
            assert_ne!(read, Ok(1), "{place}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let body = Body::new(20, false).of(7);
        let bytes = body.write(2);
        let damaged = |how: &str| Err(Wrong::Damaged { number: 2, how: how.to_owned() });
        assert_eq!(body.read(MessageRef::Binary(&bytes)), damaged("binary, expected text"));
        assert_eq!(body.read(text(&bytes[..19])), damaged("19 bytes, expected 20"));
        let mut changed = bytes.clone();
        changed[18] = b'!';
        assert_eq!(body.read(text(&changed)), damaged("other bytes, from 18 on"));
        assert_eq!(body.of(8).read(text(&bytes)), Err(Wrong::Misdirected { connection: 7 }));
        let unreadable = |what: &str| Err(Wrong::Unreadable(what.to_owned()));
        assert_eq!(body.read(text(b"hello")), unreadable("5 bytes that begin with \"hello\""));
        assert_eq!(body.read(text(b"")), unreadable("0 bytes that begin with \"\""));
    }
}
