//! engineioxide's codec, and memcpy, which is the floor of them all: `engineioxide|floor`.

use std::hint::black_box;

use bytes::Bytes;
use engineioxide_core::{Packet, PacketBuf, ProtocolVersion, payload};
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::Full;
use trial::codec::Times;

const TEXT_BYTES: usize = 64;
const BINARY_BYTES: usize = 16 * 1024;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("engineioxide") => engineioxide(),
        Some("floor") => floor(),
        other => panic!("engineioxide or floor, not {other:?}"),
    }
}

fn engineioxide() {
    let mut times = Times::default();
    let text = "a".repeat(TEXT_BYTES);
    let body: Bytes = vec![format!("4{text}"); 16].join("\x1e").into();
    times.measure("decode_text_ns", 16, || decode(&body, 16));
    let packet = Packet::Message(text.into());
    let packets: Vec<PacketBuf> =
        (0..16).map(|_| std::iter::once(packet.clone()).collect()).collect();
    times.measure("encode_text_ns", 16, || {
        let packets = stream::iter(packets.iter().cloned());
        let payload = payload::encoder(packets, ProtocolVersion::V4, true, 1_000_000);
        payload.now_or_never().expect("nothing to wait for").data.len()
    });

    let bytes = Bytes::from(vec![7; BINARY_BYTES]);
    let encoded: String = Packet::Binary(bytes.clone()).into();
    let body: Bytes = encoded.into();
    times.measure("decode_binary_ns", 1, || decode(&body, 1));
    times.measure("encode_binary_ns", 1, || String::from(Packet::Binary(bytes.clone())).len());
    times.print();
}

fn decode(body: &Bytes, packets: usize) {
    let body = Full::new(black_box(body).clone());
    let decoder = payload::decoder(body, None, ProtocolVersion::V4, 1_000_000);
    let count = std::pin::pin!(decoder).map(black_box).count().now_or_never();
    assert_eq!(count, Some(packets));
}

fn floor() {
    let mut times = Times::default();
    for (names, packets, bytes) in [
        (["decode_text_ns", "encode_text_ns"], 16, 16 * (TEXT_BYTES + 2) - 1),
        (["decode_binary_ns", "encode_binary_ns"], 1, BINARY_BYTES),
        (["decode_repod_ns", "encode_repod_ns"], 1, 64),
    ] {
        let (source, mut target) = (vec![7_u8; bytes], vec![0_u8; bytes]);
        for name in names {
            times.measure(name, packets, || {
                target.copy_from_slice(black_box(&source));
                black_box(&mut target);
            });
        }
    }
    times.print();
}
