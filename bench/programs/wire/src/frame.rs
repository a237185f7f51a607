//! WebSocket frames.
//!
//! Source: RFC 6455, § 5.2.

/// Text of one frame.
pub const TEXT: u8 = 1;
/// Bytes of one frame.
pub const BINARY: u8 = 2;
/// The end of a connection.
pub const CLOSE: u8 = 8;
/// A question of the WebSocket itself.
pub const PING: u8 = 9;
/// The answer to it.
pub const PONG: u8 = 10;

/// The first bytes of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub opcode: u8,
    /// Bytes of the header, the mask included.
    pub length: usize,
    /// Bytes behind it.
    pub payload: usize,
}

impl Header {
    /// Reads a header; `None` when it is not whole yet.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, ..] = *bytes else { return None };
        let (length, payload) = match second & 0x7f {
            126 => (4, u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
            127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
            short => (2, short as usize),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let header = Self { opcode: first & 0xf, length: length + mask, payload };
        (bytes.len() >= header.length).then_some(header)
    }

    /// Bytes of the whole frame.
    pub fn frame(&self) -> usize {
        self.length + self.payload
    }
}

/// Appends the header of a final frame.
pub fn push_header(out: &mut Vec<u8>, opcode: u8, payload: usize, masked: bool) {
    let mask = if masked { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    if payload < 126 {
        out.push(mask | payload as u8);
    } else if let Ok(payload) = u16::try_from(payload) {
        out.push(mask | 126);
        out.extend_from_slice(&payload.to_be_bytes());
    } else {
        out.push(mask | 127);
        out.extend_from_slice(&(payload as u64).to_be_bytes());
    }
}

/// A frame as servers send it.
pub fn from_server(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![];
    push_header(&mut frame, opcode, payload.len(), false);
    frame.extend_from_slice(payload);
    frame
}

/// A frame as clients send it.
pub fn from_client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![];
    push_header(&mut frame, opcode, payload.len(), true);
    frame.extend_from_slice(&MASK);
    push_masked(&mut frame, payload, MASK);
    frame
}

/// Appends a payload with its mask applied, or taken off.
#[inline]
pub fn push_masked(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    let start = out.len();
    out.extend_from_slice(payload);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = out[start..].as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
