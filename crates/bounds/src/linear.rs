//! Work that grows with the bytes, and not with their square, however they are cut.

use std::hint::black_box;
use std::time::{Duration, Instant};

use heartwire_proto::repod::FrameDecoder;
use heartwire_proto::websocket::{CompressionPool, Decoder, Role};

use super::peer::frame;
use super::row::{Row, Size};

/// Eight times as many bytes may take this many times as long: a square would take 64 times.
const RATIO: [f64; 2] = [30.0, 10.0];

pub fn rows(size: Size) -> Vec<Row> {
    let limit = size.pick(RATIO[0], RATIO[1]);
    let runs = size.pick(3, 9);
    let mut rows = vec![];
    // Larger pieces are so little work that the kernel's, for fresh pages, would be measured.
    for piece in [1, 7] {
        rows.push(compare(format!("WebSocket frame, {piece} B a read"), runs, limit, |length| {
            let mut bytes = frame(0x82, &vec![7; length]);
            let start = Instant::now();
            let (mut decoder, mut pool) =
                (Decoder::new(Role::Server, length, None), CompressionPool::new());
            let mut messages = 0;
            for part in bytes.chunks_mut(piece) {
                messages +=
                    usize::from(black_box(decoder.decode(part, &mut pool)).unwrap().1.is_some());
            }
            assert_eq!(messages, 1);
            start.elapsed()
        }));
        rows.push(compare(format!("repod frame, {piece} B a read"), runs, limit, |length| {
            let bytes = [&(length as u32).to_be_bytes()[..], &vec![7; length]].concat();
            let start = Instant::now();
            let mut decoder = FrameDecoder::new(length);
            let mut payloads = 0;
            for part in bytes.chunks(piece) {
                payloads += usize::from(black_box(decoder.decode(part)).unwrap().1.is_some());
            }
            assert_eq!(payloads, 1);
            start.elapsed()
        }));
    }
    rows.push(compare("fragments of a byte".to_owned(), runs, limit, |length| {
        let count = length / 64;
        let mut bytes = [frame(0x02, b"x"), frame(0x00, b"x").repeat(count)].concat();
        let start = Instant::now();
        let (mut decoder, mut pool) =
            (Decoder::new(Role::Server, length, None), CompressionPool::new());
        let mut at = 0;
        while at < bytes.len() {
            at += black_box(decoder.decode(&mut bytes[at..], &mut pool)).unwrap().0;
        }
        start.elapsed()
    }));
    rows
}

fn compare(what: String, runs: usize, limit: f64, work: impl Fn(usize) -> Duration) -> Row {
    let best = |length| (0..runs).map(|_| work(length)).min().unwrap().as_secs_f64();
    let ratio = best(8 << 20) / best(1 << 20);
    Row::new(
        what,
        format!("{ratio:.1} times"),
        format!("8 MiB at most {limit} times 1 MiB"),
        ratio <= limit,
    )
}
