//! Frames: a header of 2 to 14 bytes, then the payload.
//!
//! ```text
//! ┌─────┬──────┬────────┬──────┬────────────┬──────────────────────┬────────────┐
//! │ FIN │ RSV  │ opcode │ MASK │ length     │ extended length      │ mask key   │
//! │ 1   │ 3    │ 4      │ 1    │ 7          │ 0, 16 or 64 bits     │ 0 or 32    │
//! └─────┴──────┴────────┴──────┴────────────┴──────────────────────┴────────────┘
//! ```
//!
//! Source: RFC 6455, § 5.2.

use super::close::CloseCode;
use super::error::ProtocolError;
use super::mask;

/// What a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Opcode {
    /// More of the message that an earlier frame began.
    Continuation = 0,
    /// The first frame of a text message.
    Text = 1,
    /// The first frame of a binary message.
    Binary = 2,
    /// The peer closes the connection.
    Close = 8,
    /// The peer wants a pong.
    Ping = 9,
    /// The answer to a ping, or a sign of life.
    Pong = 10,
}

impl Opcode {
    /// Whether frames of this kind may stand between the fragments of a message.
    pub fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }

    fn from_bits(bits: u8) -> Result<Self, ProtocolError> {
        match bits {
            0 => Ok(Self::Continuation),
            1 => Ok(Self::Text),
            2 => Ok(Self::Binary),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            _ => Err(ProtocolError::UnknownOpcode(bits)),
        }
    }
}

/// Everything in front of a payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The three reserved bits, in the lowest bits of the byte; RSV1 is `0b100`.
    pub reserved: u8,
    /// What the frame is for.
    pub opcode: Opcode,
    /// The key, where the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that follow.
    pub length: u64,
}

impl FrameHeader {
    /// Reads a header from the start of `bytes`, and says how many bytes it took. `None` means that
    /// more bytes are needed.
    ///
    /// # Errors
    ///
    /// An unknown opcode, a length that is not in its shortest form, and a control frame that is
    /// fragmented or longer than 125 bytes.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0f)?;
        let fin = first & 0x80 != 0;
        let (length, length_bytes) = match second & 0x7f {
            126 => {
                let Some(extended) = rest.first_chunk::<2>() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*extended)), 2)
            }
            127 => {
                let Some(extended) = rest.first_chunk::<8>() else { return Ok(None) };
                (u64::from_be_bytes(*extended), 8)
            }
            short => (u64::from(short), 0),
        };
        let shortest = match length {
            0..=125 => 0,
            126..=0xffff => 2,
            0x1_0000..=MAX_LENGTH => 8,
            _ => return Err(ProtocolError::LengthNotMinimal(length)),
        };
        if length_bytes != shortest {
            return Err(ProtocolError::LengthNotMinimal(length));
        }
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
            if length > MAX_CONTROL_BYTES as u64 {
                return Err(ProtocolError::ControlTooLong(length));
            }
        }
        let mut header_bytes = 2 + length_bytes;
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let Some(key) = rest[length_bytes..].first_chunk::<4>() else { return Ok(None) };
            header_bytes += 4;
            Some(*key)
        };
        let reserved = first >> 4 & 0b111;
        Ok(Some((Self { fin, reserved, opcode, mask, length }, header_bytes)))
    }

    /// Appends the header to `out`.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let first = u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode as u8;
        let masked = u8::from(self.mask.is_some()) << 7;
        match self.length {
            short @ 0..=125 => out.extend_from_slice(&[first, masked | short as u8]),
            medium @ 126..=0xffff => {
                let [high, low] = (medium as u16).to_be_bytes();
                out.extend_from_slice(&[first, masked | 126, high, low]);
            }
            long => {
                out.extend_from_slice(&[first, masked | 127]);
                out.extend_from_slice(&long.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            out.extend_from_slice(&key);
        }
    }
}

/// Appends an unfragmented frame whose payload is `prefix` and then `payload`. A client passes a
/// fresh unpredictable `mask` for each frame (RFC 6455, § 10.3), a server passes `None`.
#[inline]
pub fn encode(
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    prefix: &[u8],
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    encode_reserved(0, opcode, mask, prefix, payload, out);
}

/// The same with reserved bits, as an extension asks for them.
#[inline]
pub(super) fn encode_reserved(
    reserved: u8,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    prefix: &[u8],
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let length = (prefix.len() + payload.len()) as u64;
    // One reservation: a frame costs at most one growth of `out`.
    out.reserve(MAX_HEADER_BYTES + prefix.len() + payload.len());
    FrameHeader { fin: true, reserved, opcode, mask, length }.encode(out);
    let start = out.len();
    out.extend_from_slice(prefix);
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        mask::apply(&mut out[start..], key, 0);
    }
}

/// Appends a close frame. Without a `code` its payload is empty, which the peer reports as 1005.
pub fn encode_close(code: Option<CloseCode>, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    match code {
        Some(code) => encode(Opcode::Close, mask, &code.0.to_be_bytes(), &[], out),
        None => encode(Opcode::Close, mask, &[], &[], out),
    }
}

/// The first of the reserved bits. On the first frame of a message it says that the message is
/// compressed (RFC 7692, § 6).
pub const RSV1: u8 = 0b100;

/// Bytes of the longest header.
pub const MAX_HEADER_BYTES: usize = 14;

/// Bytes of the longest payload of a control frame (RFC 6455, § 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// "The most significant bit MUST be 0" (RFC 6455, § 5.2).
const MAX_LENGTH: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_examples() {
        // RFC 6455, § 5.7.
        check(b"\x81\x05", header(true, Opcode::Text, None, 5));
        check(b"\x01\x03", header(false, Opcode::Text, None, 3));
        check(b"\x80\x02", header(true, Opcode::Continuation, None, 2));
        check(b"\x89\x05", header(true, Opcode::Ping, None, 5));
        check(b"\x82\x7e\x01\x00", header(true, Opcode::Binary, None, 256));
        check(
            b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
            header(true, Opcode::Binary, None, 65536),
        );
        let key = Some([0x37, 0xfa, 0x21, 0x3d]);
        check(b"\x81\x85\x37\xfa\x21\x3d", header(true, Opcode::Text, key, 5));
    }

    #[test]
    fn lengths_in_too_many_bytes_are_refused() {
        refused(b"\x82\x7e\x00\x7d", ProtocolError::LengthNotMinimal(125));
        refused(
            b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
            ProtocolError::LengthNotMinimal(0xffff),
        );
        refused(
            b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
            ProtocolError::LengthNotMinimal(1 << 63),
        );
    }

    #[test]
    fn control_frames_are_short_and_whole() {
        refused(b"\x09\x00", ProtocolError::FragmentedControl);
        refused(b"\x88\x7e\x00\x7e", ProtocolError::ControlTooLong(126));
        refused(b"\x8b\x00", ProtocolError::UnknownOpcode(0xb));
        refused(b"\x83\x00", ProtocolError::UnknownOpcode(3));
    }

    fn header(fin: bool, opcode: Opcode, mask: Option<[u8; 4]>, length: u64) -> FrameHeader {
        FrameHeader { fin, reserved: 0, opcode, mask, length }
    }

    /// Parses `bytes` whole, with a tail, and asks for more at every cut; then encodes them again.
    #[track_caller]
    fn check(bytes: &[u8], expected: FrameHeader) {
        assert_eq!(FrameHeader::parse(bytes), Ok(Some((expected, bytes.len()))));
        for cut in 0..bytes.len() {
            assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let mut trailing = bytes.to_vec();
        trailing.extend_from_slice(b"trailing");
        assert_eq!(FrameHeader::parse(&trailing), Ok(Some((expected, bytes.len()))));
        let mut encoded = vec![];
        expected.encode(&mut encoded);
        assert_eq!(encoded, bytes);
    }

    #[track_caller]
    fn refused(bytes: &[u8], expected: ProtocolError) {
        assert_eq!(FrameHeader::parse(bytes), Err(expected));
    }
}
