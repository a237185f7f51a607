//! repod frames: a length, and a map in MessagePack.

/// `{"action": "e", "d": "xxx…"}` with `length` times x.
pub fn frame(length: u8) -> Vec<u8> {
    let mut payload = vec![0x82, 0xa6];
    payload.extend_from_slice(b"action");
    payload.extend_from_slice(&[0xa1, b'e', 0xa1, b'd', 0xd9, length]);
    payload.extend(std::iter::repeat_n(b'x', length.into()));
    prefixed(&payload)
}

/// `{"action": "connected"}`, which a server says first.
pub fn greeting() -> Vec<u8> {
    let mut payload = vec![0x81, 0xa6];
    payload.extend_from_slice(b"action");
    payload.push(0xa9);
    payload.extend_from_slice(b"connected");
    prefixed(&payload)
}

fn prefixed(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}
