//! Binary packets as text: base64 in both directions, against the definition in RFC 4648, § 4.

use heartwire_proto::engineio::{MessageRef, Packet, PacketError};

pub(super) fn target(data: &[u8]) {
    let packet = Packet::Message(MessageRef::Binary(data));
    let mut written = b"before".to_vec();
    packet.encode(&mut written);
    let written = String::from_utf8(written).unwrap();
    let expected = format!("b{}", encode(data));
    assert_eq!(written.strip_prefix("before"), Some(&*expected), "what was there stays");
    assert_eq!(packet.encoded_length(), expected.len());
    assert_eq!(Packet::decode(&expected, &mut vec![]), Ok(packet));

    let Ok(text) = str::from_utf8(data) else { return };
    let text = format!("b{text}");
    let mut scratch = b"old content".to_vec();
    let decoded = Packet::decode(&text, &mut scratch);
    match decode(data) {
        Some(bytes) => assert_eq!(decoded, Ok(Packet::Message(MessageRef::Binary(&bytes)))),
        None => assert_eq!(decoded, Err(PacketError::InvalidBase64)),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Three bytes are four characters of six bits; what is missing of the last four is padding.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let character = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(character) } else { '=' });
        }
    }
    text
}

/// Padding may be missing, in whole or in part. Bits that belong to no byte are zero.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let characters = text.len() - text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let (text, padding) = text.split_at(characters);
    let missing = (4 - characters % 4) % 4;
    if missing == 3 || padding.len() > missing {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (vec![], 0_u32, 0);
    for character in text {
        let value = ALPHABET.iter().position(|known| known == character)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}
