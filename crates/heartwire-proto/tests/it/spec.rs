//! The Engine.IO vectors in `spec/engineio.json`.

use heartwire_proto::engineio::{
    DisconnectReason, Handshake, MessageRef, Packet, Refusal, Transport, payload,
};
use serde_json::Value;

#[test]
fn packets() {
    let spec = spec();
    for (list, encodes) in [("packets", true), ("packets_read_only", false)] {
        for row in spec[list].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            let data = row["data"].as_str().unwrap_or("");
            let bytes: Vec<u8> = row["bytes"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|byte| byte.as_u64().unwrap() as u8)
                .collect();
            let packet = match row["type"].as_str().unwrap() {
                "open" => Packet::Open(data),
                "close" => Packet::Close,
                "ping" => Packet::Ping(data),
                "pong" => Packet::Pong(data),
                "message" => Packet::Message(MessageRef::Text(data)),
                "binary" => Packet::Message(MessageRef::Binary(&bytes)),
                "upgrade" => Packet::Upgrade,
                "noop" => Packet::Noop,
                other => panic!("{other} is no packet type"),
            };
            assert_eq!(Packet::decode(text, &mut vec![]), Ok(packet), "{text}");
            if encodes {
                assert_eq!(encoded(&packet), text);
            }
        }
    }
    for text in spec["no_packets"].as_array().unwrap() {
        let text = text.as_str().unwrap();
        assert!(Packet::decode(text, &mut vec![]).is_err(), "{text:?} is no packet");
    }
}

#[test]
fn payloads() {
    let spec = spec();
    for (list, good) in [("payloads", true), ("no_payloads", false)] {
        for row in spec[list].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            let mut decoder = payload::Decoder::new(text);
            let mut encoder = payload::Encoder::new(usize::MAX, usize::MAX);
            for expected in row["packets"].as_array().unwrap() {
                let packet = decoder.next_packet().unwrap().unwrap();
                assert_eq!(encoded(&packet), expected.as_str().unwrap(), "{text:?}");
                encoder.push(&packet);
            }
            if good {
                assert_eq!(decoder.next_packet(), None, "{text:?}");
                assert_eq!(encoder.into_body(), text.as_bytes());
            } else {
                assert!(decoder.next_packet().unwrap().is_err(), "{text:?}");
                assert_eq!(decoder.next_packet(), None, "{text:?}");
            }
        }
    }
}

#[test]
fn handshake() {
    let row = &spec()["handshake"];
    let text = row["text"].as_str().unwrap();
    let handshake = Handshake::decode(text).unwrap();
    assert_eq!(handshake.sid.as_str(), row["sid"]);
    assert_eq!(handshake.upgrades, [Transport::WebSocket]);
    assert_eq!(handshake.ping_interval.as_millis() as u64, row["ping_interval_ms"]);
    assert_eq!(handshake.ping_timeout.as_millis() as u64, row["ping_timeout_ms"]);
    assert_eq!(handshake.max_payload, row["max_payload"].as_u64().map(|bytes| bytes as usize));
    assert_eq!(handshake.encode(), text);
}

/// A refusal that has no row here fails this test.
#[test]
fn every_refusal_has_its_answer() {
    let spec = spec();
    let rows = spec["answers"].as_array().unwrap();
    for refusal in Refusal::ALL {
        let name = format!("{refusal:?}");
        let row = rows
            .iter()
            .find(|row| row["refusal"] == name)
            .unwrap_or_else(|| panic!("{name} has no row"));
        let answer = refusal.answer();
        assert_eq!(u64::from(answer.status), row["status"], "{name}");
        assert_eq!(answer.code.map(u64::from), row["code"].as_u64(), "{name}");
        if let Some(message) = row["message"].as_str() {
            assert_eq!(answer.message, message, "{name}");
        }
    }
    assert_eq!(rows.len(), Refusal::ALL.len());
}

#[test]
fn every_reason_has_its_name() {
    let spec = spec();
    let names: Vec<_> =
        spec["reasons"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(DisconnectReason::ALL.map(DisconnectReason::name).as_slice(), names);
}

fn encoded(packet: &Packet<'_>) -> String {
    let mut text = vec![];
    packet.encode(&mut text);
    String::from_utf8(text).unwrap()
}

fn spec() -> Value {
    serde_json::from_str(include_str!("../../../../spec/engineio.json")).unwrap()
}
