//! Packets as text: what Engine.IO protocol v4, § Packet encoding, says of the first character holds, and
//! what is read can be written and read again.

use heartwire_proto::engineio::{MessageRef, Packet, PacketError};

use crate::memory;

pub(super) fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut scratch = Vec::with_capacity(data.len() + 3);
    let (decoded, taken) = memory::count(|| Packet::decode(text, &mut scratch));
    assert_eq!(taken.count, 0, "text is read where it lies, base64 into what is given");
    let decoded = match decoded {
        Ok(packet) => packet,
        Err(error) => {
            let known = matches!(data.first(), Some(b'0'..=b'6'));
            assert!(!known, "{error}: a digit from 0 to 6 makes a packet of anything");
            assert_eq!(error == PacketError::Empty, data.is_empty());
            assert_eq!(error == PacketError::InvalidBase64, data.first() == Some(&b'b'));
            let said = error.to_string();
            assert!(said.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{said:?} is for logs");
            return;
        }
    };
    let (kind, content) = match decoded {
        Packet::Open(content) => ('0', Some(content)),
        Packet::Close => ('1', None),
        Packet::Ping(content) => ('2', Some(content)),
        Packet::Pong(content) => ('3', Some(content)),
        Packet::Message(MessageRef::Text(content)) => ('4', Some(content)),
        Packet::Upgrade => ('5', None),
        Packet::Noop => ('6', None),
        Packet::Message(MessageRef::Binary(_)) => ('b', None),
    };
    assert!(text.starts_with(kind), "{decoded:?}");
    if let Some(content) = content {
        assert_eq!(text[1..], *content);
    }
    let mut written = vec![];
    decoded.encode(&mut written);
    assert_eq!(written.len(), decoded.encoded_length());
    if content.is_some() {
        assert_eq!(written, data);
    }
    let written = String::from_utf8(written).unwrap();
    assert_eq!(Packet::decode(&written, &mut vec![]), Ok(decoded), "written as {written:?}");
}
