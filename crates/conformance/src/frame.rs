//! WebSocket frames, right and wrong.
//!
//! Source: RFC 6455, § 5.2.

use super::finding::{Verdict, ensure, fail};

/// A frame from a client. What a case does not say is as the RFC wants it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// FIN, reserved bits, opcode.
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
    masked: bool,
    /// The length as it is announced, and the bytes that it takes.
    announced: Option<(u64, usize)>,
}

/// What came instead of a frame, or a frame.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(Frame),
    End,
    Nothing,
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { first: FIN | opcode, payload, masked: true, announced: None }
    }

    pub(crate) fn text(text: impl AsRef<[u8]>) -> Self {
        Self::new(TEXT, text)
    }

    pub(crate) fn binary(data: impl AsRef<[u8]>) -> Self {
        Self::new(BINARY, data)
    }

    pub(crate) fn ping(data: impl AsRef<[u8]>) -> Self {
        Self::new(PING, data)
    }

    pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_ref());
        Self::new(CLOSE, payload)
    }

    /// More follows.
    pub(crate) fn open(mut self) -> Self {
        self.first &= !FIN;
        self
    }

    pub(crate) fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// Sets reserved bits: 4, 2, 1.
    pub(crate) fn reserved(mut self, bits: u8) -> Self {
        self.first |= bits << 4;
        self
    }

    /// Announces another length, or the same in `width` bytes: 2 or 8.
    pub(crate) fn announced(mut self, length: u64, width: usize) -> Self {
        self.announced = Some((length, width));
        self
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = self.payload.len() as u64;
        let (length, width) = self.announced.unwrap_or((
            length,
            match length {
                0..=125 => 0,
                126..=65_535 => 2,
                _ => 8,
            },
        ));
        let mask_bit = if self.masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match width {
            0 => bytes.push(mask_bit | length as u8),
            2 => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend_from_slice(&MASK);
            bytes
                .extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes
    }

    /// Reads a frame of a server, if it is whole, and says how many bytes it takes.
    pub(crate) fn decode(bytes: &[u8]) -> Verdict<Option<(usize, Self)>> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        ensure(second & 0x80 == 0, "frames of a server without a mask", || "a mask".to_owned())?;
        ensure(first & 0x70 == 0, "no reserved bits", || format!("first byte {first:#04x}"))?;
        let (length, head) = match second {
            126 => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 4),
                _ => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        let minimal = match head {
            4 => length > 125,
            10 => length > 65_535,
            _ => true,
        };
        ensure(minimal, "a length in as few bytes as it takes", || format!("{length} in more"))?;
        if !matches!(first & 0x0f, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return fail("an opcode of RFC 6455", format!("{:#x}", first & 0x0f));
        }
        let end = head + length as usize;
        let Some(payload) = bytes.get(head..end) else { return Ok(None) };
        let frame = Self { first, payload: payload.to_vec(), masked: false, announced: None };
        Ok(Some((end, frame)))
    }

    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub(crate) fn is_last(&self) -> bool {
        self.first & FIN != 0
    }
}

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

const FIN: u8 = 0x80;

/// The key of the examples in RFC 6455, § 5.7.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_examples() {
        // RFC 6455, § 5.7.
        let hello = Frame::text("Hello");
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(hello.to_bytes(), masked);
        let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        assert_eq!(hello.unmasked().to_bytes(), unmasked);
        let Ok(Some((7, frame))) = Frame::decode(&unmasked) else { panic!("it is whole") };
        assert_eq!((frame.opcode(), frame.is_last(), &*frame.payload), (TEXT, true, &b"Hello"[..]));
        assert!(matches!(Frame::decode(&unmasked[..6]), Ok(None)));
        let long = Frame::binary([0; 256]).unmasked().to_bytes();
        assert_eq!(long[..4], [0x82, 0x7e, 0x01, 0x00]);
        let longer = Frame::binary(vec![0; 65_536]).unmasked().to_bytes();
        assert_eq!(longer[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
