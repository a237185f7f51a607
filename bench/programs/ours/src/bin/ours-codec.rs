//! The codecs, in this process.

use std::hint::black_box;

use heartwire_proto::engineio::payload::{Decoder, Encoder};
use heartwire_proto::engineio::{MessageRef, Packet};
use heartwire_proto::repod::{Frame, Message};
use serde::{Deserialize, Serialize};
use trial::codec::Times;

/// A message of the load generator.
#[derive(Debug, Deserialize, Serialize)]
struct Echo<'a> {
    action: &'a str,
    d: &'a str,
}

fn main() {
    let mut times = Times::default();

    let text = "a".repeat(64);
    let body = vec![format!("4{text}"); 16].join("\x1e");
    times.measure("decode_text_ns", 16, || decode(black_box(&body), 16));
    let packet = Packet::Message(MessageRef::Text(&text));
    times.measure("encode_text_ns", 16, || encode(black_box(packet), 16));

    let bytes = vec![7; 16 * 1024];
    let packet = Packet::Message(MessageRef::Binary(&bytes));
    let body = String::from_utf8(encode(packet, 1)).expect("base64 is ASCII");
    times.measure("decode_binary_ns", 1, || decode(black_box(&body), 1));
    times.measure("encode_binary_ns", 1, || encode(black_box(packet), 1));

    let echo = Echo { action: "e", d: &"x".repeat(48) };
    let frame = Frame::encode(&echo).expect("a map");
    times.measure("encode_repod_ns", 1, || Frame::encode(black_box(&echo)));
    let payload = &frame.as_bytes()[4..];
    times.measure("decode_repod_ns", 1, || {
        let message = Message::decode(black_box(payload)).expect("valid").expect("with an action");
        black_box(message.parse::<Echo<'_>>().expect("an echo").d.len())
    });
    times.print();
}

fn decode(body: &str, packets: usize) {
    let mut decoder = Decoder::new(body);
    let mut count = 0;
    while let Some(packet) = decoder.next_packet() {
        black_box(packet.expect("valid"));
        count += 1;
    }
    assert_eq!(count, packets);
}

fn encode(packet: Packet<'_>, packets: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(1_000_000, packets);
    for _ in 0..packets {
        assert!(encoder.fits(&packet));
        encoder.push(&packet);
    }
    encoder.into_body()
}
