//! repod messages, written byte by byte.
//!
//! Source: the msgpack specification; frames are a length of four bytes, big-endian, and one value.

/// Text, in as few bytes as it takes.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut bytes = match length {
        0..=31 => vec![0xa0 | length as u8],
        32..=255 => vec![0xd9, length as u8],
        256..=65_535 => [&[0xda][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[0xdb][..], &(length as u32).to_be_bytes()].concat(),
    };
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A number, in as few bytes as it takes.
pub(crate) fn number(number: u16) -> Vec<u8> {
    match number {
        0..=127 => vec![number as u8],
        128..=255 => vec![0xcc, number as u8],
        _ => [&[0xcd][..], &number.to_be_bytes()].concat(),
    }
}

/// A map of fewer than 65 536 entries, each a key and a value that are values already.
pub(crate) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let count = entries.len();
    let mut bytes = match count {
        0..=15 => vec![0x80 | count as u8],
        _ => [&[0xde][..], &(count as u16).to_be_bytes()].concat(),
    };
    for (key, value) in entries {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
    }
    bytes
}

/// A message with this action.
pub(crate) fn message(action: &str) -> Vec<u8> {
    with_action(text(action))
}

/// A message whose action is this value.
pub(crate) fn with_action(action: impl AsRef<[u8]>) -> Vec<u8> {
    map(&[(text(ACTION), action.as_ref().to_vec())])
}

/// A message that carries this value.
pub(crate) fn carrying(value: impl AsRef<[u8]>) -> Vec<u8> {
    map(&[(text(ACTION), text("carry")), (text("value"), value.as_ref().to_vec())])
}

/// A payload as a frame.
pub(crate) fn frame(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    [&(payload.len() as u32).to_be_bytes()[..], payload].concat()
}

/// The greeting of every server.
pub(crate) fn greeting() -> Vec<u8> {
    message("connected")
}

/// The key that makes a map a message.
const ACTION: &str = "action";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_msgpack_writes_them() {
        // Captured from repodnet: see `spec/repod.json`.
        let greeting = b"\0\0\0\x12\x81\xa6action\xa9connected";
        assert_eq!(frame(super::greeting()), greeting);
        assert_eq!(number(127), [0x7f]);
        assert_eq!(number(128), [0xcc, 0x80]);
        assert_eq!(number(256), [0xcd, 1, 0]);
        assert_eq!(text("abc\0def"), b"\xa7abc\0def");
        assert_eq!(text(&"a".repeat(32))[..3], [0xd9, 32, b'a']);
        assert_eq!(text(&"a".repeat(256))[..4], [0xda, 1, 0, b'a']);
        assert_eq!(text(&"a".repeat(65_536))[..6], [0xdb, 0, 1, 0, 0, b'a']);
        let entries: Vec<_> = (0..16).map(|key| (number(key), number(0))).collect();
        assert_eq!(map(&entries)[..5], [0xde, 0, 16, 0, 0]);
    }
}
