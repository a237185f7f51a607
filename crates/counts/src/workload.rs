//! What is counted.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use heartwire_proto::engineio::server::{Config, Output, ServerSession};
use heartwire_proto::engineio::{Message, MessageRef, Packet, Transport, payload};
use heartwire_proto::repod::{self, Frame};
use heartwire_proto::shared::{Limits, SendQueue};
use heartwire_proto::websocket::{CompressionPool, Decoder, Encoder, Event, Opcode, Role, frame};
use serde::{Deserialize, Serialize};

/// Something that is done again and again.
pub struct Workload {
    /// What it is called.
    pub name: &'static str,
    /// Messages that a round handles.
    pub messages: u64,
    /// Does it so many times.
    pub run: fn(rounds: u64),
}

/// Everything that is counted.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "websocket: read 64 B of text", messages: 32, run: read_frames },
    Workload { name: "websocket: write 64 B of text", messages: 32, run: write_frames },
    Workload { name: "engine.io: server session, echo of 64 B", messages: 32, run: echo },
    Workload { name: "engine.io: server session, send 64 B", messages: 32, run: send },
    Workload { name: "engine.io: read a payload of 16 × 64 B", messages: 16, run: read_payload },
    Workload { name: "engine.io: write a payload of 16 × 64 B", messages: 16, run: write_payload },
    Workload { name: "engine.io: read 16 KiB of base64", messages: 1, run: read_base64 },
    Workload { name: "engine.io: write 16 KiB of base64", messages: 1, run: write_base64 },
    Workload { name: "repod: check a message of 64 B", messages: 1, run: check_message },
    Workload { name: "repod: read a message of 64 B", messages: 1, run: read_message },
    Workload { name: "repod: write a message of 64 B", messages: 1, run: write_message },
];

/// What a client sends at once: masked frames with a message of 64 bytes each.
fn burst() -> Vec<u8> {
    let mut bytes = vec![];
    for number in 0..32_u8 {
        let mask = Some([number, 2, 3, 4]);
        frame::encode(Opcode::Text, mask, b"4", text().as_bytes(), &mut bytes);
    }
    bytes
}

fn text() -> String {
    "abcdefgh".repeat(8)
}

fn read_frames(rounds: u64) {
    let (burst, mut pool) = (burst(), CompressionPool::default());
    let mut decoder = Decoder::new(Role::Server, 1_000_000, None);
    for _ in 0..rounds {
        let mut input = burst.clone();
        let mut rest = input.as_mut_slice();
        while !rest.is_empty() {
            let taken = match decoder.decode(rest, &mut pool) {
                Ok((taken, Some(Event::Text(text)))) => {
                    black_box(&text);
                    taken
                }
                other => panic!("{other:?}"),
            };
            rest = &mut rest[taken..];
        }
    }
}

fn write_frames(rounds: u64) {
    let (text, mut pool, mut output) = (text(), CompressionPool::default(), vec![]);
    let mut encoder = Encoder::new(None);
    for _ in 0..rounds {
        output.clear();
        for _ in 0..32 {
            let payload = black_box(text.as_bytes());
            encoder.encode(Opcode::Text, None, b"4", payload, &mut pool, &mut output);
        }
        black_box(&output);
    }
}

/// What the hot path of a server does in the core, from bytes to bytes.
fn echo(rounds: u64) {
    let now = Instant::now();
    let mut session = session(now);
    let mut queue = SendQueue::new(LIMITS);
    let (burst, mut pool, mut scratch) = (burst(), CompressionPool::default(), vec![]);
    let mut output = vec![];
    let mut decoder = Decoder::new(Role::Server, 1_000_000, None);
    let mut encoder = Encoder::new(None);
    for _ in 0..rounds {
        let mut input = burst.clone();
        let mut rest = input.as_mut_slice();
        output.clear();
        while !rest.is_empty() {
            let (taken, event) = decoder.decode(rest, &mut pool).expect("the burst is right");
            let Some(Event::Text(text)) = event else { panic!("the burst is text") };
            let message = session.handle_text(now, &text, &mut scratch);
            let Some(MessageRef::Text(text)) = message else { panic!("the burst is messages") };
            encoder.encode(Opcode::Text, None, b"4", text.as_bytes(), &mut pool, &mut output);
            rest = &mut rest[taken..];
        }
        assert!(session.poll_output(now, &mut queue).is_none(), "there is nothing else to do");
        black_box(&output);
    }
}

fn send(rounds: u64) {
    let now = Instant::now();
    let mut session = session(now);
    let mut queue = SendQueue::new(LIMITS);
    let (text, mut pool, mut output) = (text(), CompressionPool::default(), vec![]);
    let mut encoder = Encoder::new(None);
    for _ in 0..rounds {
        output.clear();
        for _ in 0..32 {
            queue.push(Message::from(text.as_str())).expect("there is room");
        }
        while let Some(Output::SendMessage(message)) = session.poll_output(now, &mut queue) {
            let Message::Text(text) = &message else { panic!("it was text") };
            encoder.encode(Opcode::Text, None, b"4", text.as_bytes(), &mut pool, &mut output);
        }
        black_box(&output);
    }
}

fn session(now: Instant) -> ServerSession<Message> {
    ServerSession::open(now, Arc::new(Config::default()), Transport::WebSocket)
}

const LIMITS: Limits = Limits { messages: 1000, bytes: 1_000_000 };

fn read_payload(rounds: u64) {
    let body = vec![format!("4{}", text()); 16].join("\x1e");
    for _ in 0..rounds {
        let mut packets = payload::Decoder::new(black_box(&body));
        while let Some(packet) = packets.next_packet() {
            black_box(packet.expect("it is one"));
        }
    }
}

fn write_payload(rounds: u64) {
    let text = text();
    let packet = Packet::Message(MessageRef::Text(&text));
    for _ in 0..rounds {
        let mut body = payload::Encoder::new(1_000_000, 16);
        for _ in 0..16 {
            assert!(body.fits(&packet), "there is room");
            body.push(black_box(&packet));
        }
        black_box(body.into_body());
    }
}

fn read_base64(rounds: u64) {
    let mut body = payload::Encoder::new(1_000_000, 1);
    body.push(&Packet::Message(MessageRef::Binary(&[7; 16 * 1024])));
    let body = String::from_utf8(body.into_body()).expect("base64 is ASCII");
    for _ in 0..rounds {
        let mut packets = payload::Decoder::new(black_box(&body));
        black_box(packets.next_packet().expect("there is one").expect("it is right"));
    }
}

fn write_base64(rounds: u64) {
    let data = [7; 16 * 1024];
    for _ in 0..rounds {
        let mut body = payload::Encoder::new(1_000_000, 1);
        body.push(&Packet::Message(MessageRef::Binary(black_box(&data))));
        black_box(body.into_body());
    }
}

/// 64 bytes, framed.
#[derive(Deserialize, Serialize)]
struct Move<'a> {
    action: &'a str,
    to: &'a str,
}

const MOVE: Move<'_> = Move { action: "e", to: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };

/// What the hot path of a server does with a message that it hands to the user.
fn check_message(rounds: u64) {
    let frame = Frame::encode(&MOVE).expect("it is a map");
    for _ in 0..rounds {
        let payload = black_box(&frame.as_bytes()[4..]);
        black_box(repod::MessageRef::decode(payload).expect("it is right").expect("an action"));
    }
}

fn read_message(rounds: u64) {
    let frame = Frame::encode(&MOVE).expect("it is a map");
    for _ in 0..rounds {
        let payload = black_box(&frame.as_bytes()[4..]);
        let message = repod::MessageRef::decode(payload).expect("it is right").expect("an action");
        black_box(message.parse::<Move<'_>>().expect("it is a move"));
    }
}

fn write_message(rounds: u64) {
    for _ in 0..rounds {
        black_box(Frame::encode(black_box(&MOVE)).expect("it is a map"));
    }
}
