//! Packets: a type, and mostly no data.
//!
//! ```text
//! text         4hello      the type's digit, then the data
//! binary       bAQIDBA==   base64 behind a b, where only text can travel; a bare frame on WebSocket
//! ```
//!
//! Source: Engine.IO protocol v4, § Packet encoding.

use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use super::message::MessageRef;

/// One packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// The handshake, as JSON.
    Open(&'a str),
    /// The sender ends the session.
    Close,
    /// The sender wants a pong with the same data: none for the heartbeat, [`PROBE`] for an upgrade.
    Ping(&'a str),
    /// The answer to a ping.
    Pong(&'a str),
    /// What the user sends.
    Message(MessageRef<'a>),
    /// The client goes on over the transport that carries this.
    Upgrade,
    /// Nothing; it lets a waiting request end.
    Noop,
}

impl<'a> Packet<'a> {
    /// Reads a packet from text: a WebSocket text frame, or a part of a polling payload. Base64 is
    /// decoded into `scratch`, whose old content is lost. Data behind a type that has none is ignored.
    ///
    /// # Errors
    ///
    /// The text is not a packet.
    #[inline]
    pub fn decode(text: &'a str, scratch: &'a mut Vec<u8>) -> Result<Self, PacketError> {
        let Some(&kind) = text.as_bytes().first() else {
            return Err(PacketError::Empty);
        };
        match kind {
            b'4' => Ok(Self::Message(MessageRef::Text(&text[1..]))),
            b'2' => Ok(Self::Ping(&text[1..])),
            b'3' => Ok(Self::Pong(&text[1..])),
            b'0' => Ok(Self::Open(&text[1..])),
            b'1' => Ok(Self::Close),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            b'b' => {
                scratch.clear();
                match base64().decode_vec(&text[1..], scratch) {
                    Ok(()) => Ok(Self::Message(MessageRef::Binary(scratch))),
                    Err(_) => Err(PacketError::InvalidBase64),
                }
            }
            _ => Err(PacketError::UnknownType(kind)),
        }
    }

    /// Appends the packet as text, binary messages as base64.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(MessageRef::Binary(data)) => {
                out.push(b'b');
                let start = out.len();
                out.resize(start + base64_length(data.len()), 0);
                base64()
                    .encode_slice(data, &mut out[start..])
                    .expect("base64_length() is what the encoder needs");
            }
            Self::Open(_)
            | Self::Close
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Message(MessageRef::Text(_))
            | Self::Upgrade
            | Self::Noop => {
                let (kind, data) = self.text_parts();
                out.push(kind);
                out.extend_from_slice(data.as_bytes());
            }
        }
    }

    /// Bytes that [`encode`](Self::encode) appends.
    pub fn encoded_length(&self) -> usize {
        match self {
            Self::Message(MessageRef::Binary(data)) => 1 + base64_length(data.len()),
            Self::Open(_)
            | Self::Close
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Message(MessageRef::Text(_))
            | Self::Upgrade
            | Self::Noop => 1 + self.text_parts().1.len(),
        }
    }

    /// The type's digit and the data. Must not be called for binary messages, which have no digit.
    fn text_parts(&self) -> (u8, &'a str) {
        match *self {
            Self::Open(json) => (b'0', json),
            Self::Close => (b'1', ""),
            Self::Ping(data) => (b'2', data),
            Self::Pong(data) => (b'3', data),
            Self::Message(MessageRef::Text(text)) => (b'4', text),
            Self::Message(MessageRef::Binary(_)) => {
                unreachable!("callers handle binary messages first")
            }
            Self::Upgrade => (b'5', ""),
            Self::Noop => (b'6', ""),
        }
    }
}

/// The data of the ping and pong that try a new transport.
pub const PROBE: &str = "probe";

/// Bytes that `length` bytes take in base64 with padding.
fn base64_length(length: usize) -> usize {
    length.div_ceil(3) * 4
}

/// The codec with the fastest instructions that the processor has.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn base64() -> &'static impl Engine {
    static ENGINE: std::sync::LazyLock<base64::engine::Simd> =
        std::sync::LazyLock::new(|| base64::engine::Simd::standard(BASE64));
    &*ENGINE
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn base64() -> &'static impl Engine {
    static ENGINE: base64::engine::GeneralPurpose =
        base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, BASE64);
    &ENGINE
}

/// Padding is written, but may be missing, as from clients that strip it; foreign characters and
/// stray bits are refused.
const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Text that is not a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketError {
    /// There is nothing, not even a type.
    Empty,
    /// The data of a binary message is not base64.
    InvalidBase64,
    /// The first byte is no packet type.
    UnknownType(u8),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty packet"),
            Self::InvalidBase64 => f.write_str("binary packet that is not base64"),
            Self::UnknownType(byte) => {
                write!(f, "packet type '{}', expected 0 to 6 or b", byte.escape_ascii())
            }
        }
    }
}

impl std::error::Error for PacketError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_both_ways() {
        // Engine.IO protocol v4, § Packet encoding and § Upgrade.
        check("0{\"sid\":\"x\"}", Packet::Open("{\"sid\":\"x\"}"));
        check("1", Packet::Close);
        check("2", Packet::Ping(""));
        check("2probe", Packet::Ping(PROBE));
        check("3", Packet::Pong(""));
        check("3probe", Packet::Pong(PROBE));
        check("4hello", Packet::Message(MessageRef::Text("hello")));
        check("4", Packet::Message(MessageRef::Text("")));
        check("4€\u{1e}b", Packet::Message(MessageRef::Text("€\u{1e}b")));
        check("bAQIDBA==", Packet::Message(MessageRef::Binary(&[1, 2, 3, 4])));
        check("b", Packet::Message(MessageRef::Binary(&[])));
        check("5", Packet::Upgrade);
        check("6", Packet::Noop);
    }

    #[test]
    fn padding_may_be_missing() {
        let mut scratch = vec![];
        assert_eq!(
            Packet::decode("bAQIDBA", &mut scratch),
            Ok(Packet::Message(MessageRef::Binary(&[1, 2, 3, 4])))
        );
    }

    #[test]
    fn long_binary_survives() {
        let data: Vec<u8> = (0..100_000_u32).map(|i| (i * 7) as u8).collect();
        let packet = Packet::Message(MessageRef::Binary(&data));
        let mut text = vec![];
        packet.encode(&mut text);
        assert_eq!(text.len(), packet.encoded_length());
        let text = String::from_utf8(text).unwrap();
        assert_eq!(Packet::decode(&text, &mut vec![]), Ok(packet));
    }

    #[test]
    fn what_is_no_packet() {
        refused("", PacketError::Empty);
        refused("abc", PacketError::UnknownType(b'a'));
        refused("7", PacketError::UnknownType(b'7'));
        refused("٤x", PacketError::UnknownType(0xd9)); // a digit, but not an ASCII one
        refused("é1234", PacketError::UnknownType(0xc3));
        refused("\u{feff}4a", PacketError::UnknownType(0xef)); // a byte order mark
        refused("b!!!", PacketError::InvalidBase64);
        refused("b-_-_", PacketError::InvalidBase64); // the alphabet for addresses
        refused("bA", PacketError::InvalidBase64);
    }

    #[track_caller]
    fn check(text: &str, packet: Packet<'_>) {
        assert_eq!(Packet::decode(text, &mut vec![]), Ok(packet));
        let mut encoded = vec![];
        packet.encode(&mut encoded);
        assert_eq!(encoded, text.as_bytes());
        assert_eq!(packet.encoded_length(), text.len());
    }

    #[track_caller]
    fn refused(text: &str, expected: PacketError) {
        assert_eq!(Packet::decode(text, &mut vec![]), Err(expected));
    }
}
