//! Messages over WebSocket, and their order over both transports.

use super::super::case::Case;
use super::super::finding::{Verdict, fail};
use super::super::frame::{self, Frame};
use super::super::server::Server;
use super::super::socket::Incoming;

pub(super) static CASES: &[Case] = &[
    Case::new("message/text", "a text over WebSocket comes back", PACKETS, |server| {
        text(server, "4hello")
    }),
    Case::new(
        "message/binary",
        "bytes over WebSocket come back as they are, without a type",
        PACKETS,
        |server| binary(server, &[1, 2, 3, 4]),
    ),
    Case::new("message/empty-text", "an empty text comes back", PACKETS, |server| {
        text(server, "4")
    }),
    Case::new("message/empty-binary", "an empty binary message comes back", PACKETS, |server| {
        binary(server, &[])
    }),
    Case::new(
        "message/binary-like-packets",
        "bytes that look like packets stay bytes",
        PACKETS,
        |server| {
            binary(server, b"1")?;
            binary(server, b"2probe\x1e4x")
        },
    ),
    Case::new("message/unicode", "characters of every length come back", PACKETS, |server| {
        text(server, "4äöü €uro 🎈 \u{0}")
    }),
    Case::new(
        "message/separator",
        "the separator of payloads is text as any other here",
        PACKETS,
        |server| text(server, "4a\u{1e}4b"),
    ),
    Case::new(
        "message/base64",
        "base64 in a text frame is a binary message",
        "Node, decodePacket",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            socket.text("bAQID");
            socket.brings_message(Incoming::Binary(vec![1, 2, 3]))
        },
    ),
    Case::new(
        "message/lengths",
        "messages of every form of length come back",
        "RFC 6455, § 5.2",
        |server| {
            for length in [124, 125, 126, 65_534, 65_535, 65_536] {
                if length <= server.max_payload {
                    text(server, &format!("4{}", "x".repeat(length - 1)))?;
                    binary(server, &vec![7; length])?;
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "message/at-the-limit",
        "a message of maxPayload bytes comes back",
        LIMIT,
        |server| {
            server.needs_modest_payload()?;
            text(server, &format!("4{}", "x".repeat(server.max_payload - 1)))?;
            binary(server, &vec![7; server.max_payload])
        },
    ),
    Case::new(
        "message/above-the-limit",
        "a text of one byte more closes the WebSocket: too big",
        LIMIT,
        |server| {
            server.needs_modest_payload()?;
            too_big(server, &[Frame::text("4".repeat(server.max_payload + 1))])
        },
    ),
    Case::new(
        "message/binary-above-the-limit",
        "bytes above the limit close the WebSocket: too big",
        LIMIT,
        |server| {
            server.needs_modest_payload()?;
            too_big(server, &[Frame::binary(vec![7; server.max_payload + 1])])
        },
    ),
    Case::new("message/fragments-above-the-limit", "fragments count together", LIMIT, |server| {
        server.needs_modest_payload()?;
        let half = vec![b'4'; server.max_payload / 2 + 1];
        too_big(server, &[Frame::text(&half).open(), Frame::new(frame::CONTINUATION, &half)])
    }),
    Case::new(
        "message/order",
        "a thousand messages in one go come back in order",
        ORDER,
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            let packets: Vec<_> = (0..1000).map(|number| format!("4{number}")).collect();
            let bytes: Vec<_> =
                packets.iter().flat_map(|packet| Frame::text(packet).to_bytes()).collect();
            socket.write(bytes);
            packets.iter().try_for_each(|packet| socket.brings(packet))
        },
    ),
    Case::new("message/order-of-kinds", "text and bytes keep their order", ORDER, |server| {
        server.needs_echo()?;
        let (mut socket, _) = server.open_websocket()?;
        for number in 0..50_u8 {
            socket.text(&format!("4{number}"));
            socket.send(&Frame::binary([number]));
        }
        for number in 0..50_u8 {
            socket.brings(&format!("4{number}"))?;
            socket.brings_message(Incoming::Binary(vec![number]))?;
        }
        Ok(())
    }),
    Case::new(
        "message/order-of-posts",
        "messages of many POSTs come back in order",
        ORDER,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let packets: Vec<_> = (0..20).map(|number| format!("4{number}")).collect();
            for packet in &packets {
                session.post(packet)?.taken()?;
            }
            session.brings(&packets.join("\u{1e}"))
        },
    ),
    Case::new(
        "message/waiting-get",
        "a GET that waits is answered as soon as there is a message",
        "EIO § Receiving data",
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut get = session.waiting_get()?;
            session.post("4now")?.taken()?;
            get.response()?.brings("4now")
        },
    ),
    Case::new(
        "message/after-a-waiting-get",
        "messages that come between two GETs wait for the second",
        "EIO § Receiving data",
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut get = session.waiting_get()?;
            session.post("4first")?.taken()?;
            get.response()?.brings("4first")?;
            session.post("4second")?.taken()?;
            session.post("4third")?.taken()?;
            session.brings("4second\u{1e}4third")
        },
    ),
    Case::new(
        "message/fragments",
        "a message in fragments is one message",
        "RFC 6455, § 5.4",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            socket.send(&Frame::text("4he").open());
            socket.send(&Frame::new(frame::CONTINUATION, "").open());
            socket.send(&Frame::new(frame::CONTINUATION, "ll").open());
            socket.send(&Frame::new(frame::CONTINUATION, "o"));
            socket.brings("4hello")
        },
    ),
    Case::new(
        "message/many-fragments",
        "a message in ten thousand fragments is one message",
        "RFC 6455, § 5.4; CVE-2026-48779",
        |server| {
            server.needs_echo()?;
            let count = server.max_payload.min(10_000) - 1;
            let mut bytes = Frame::text("4").open().to_bytes();
            for number in 0..count {
                let part = Frame::new(frame::CONTINUATION, "x");
                bytes.extend(if number + 1 < count { part.open() } else { part }.to_bytes());
            }
            let (mut socket, _) = server.open_websocket()?;
            socket.write(bytes);
            socket.brings(&format!("4{}", "x".repeat(count)))
        },
    ),
    Case::new(
        "message/like-socket-io",
        "what means something to Socket.IO is text like any other: nothing is waited for",
        "CVE-2023-32695, CVE-2026-33151: attachments that are announced",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            for text in [
                "40",
                "42[\"connect\"]",
                "42[\"error\",{}]",
                "41",
                "4451-[{\"_placeholder\":true}]",
                "451-[\"x\",{\"_placeholder\":true,\"num\":\"splice\"}]",
                "4599999999-[\"x\"]",
                "42{\"toString\":\"x\"}",
                "42[{\"__proto__\":1}]",
            ] {
                socket.echoes(text)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "message/answers-not-taken",
        "a client that takes no answers is not read from without end",
        "practice; RUSTSEC-2020-0043",
        |server| {
            server.needs_echo()?;
            let (mut greedy, _) = server.open_websocket()?;
            let size = server.max_payload.min(60_000) - 1;
            let piece = Frame::text(format!("4{}", "x".repeat(size))).to_bytes();
            let taken = greedy.wire.stuff(&piece, UNTAKEN);
            if taken >= UNTAKEN {
                return fail(
                    "a server that stops reading, or ends the connection",
                    format!("{} MB were taken while no answer was read", taken / 1_000_000),
                );
            }
            server.lives()
        },
    ),
    Case::new(
        "message/fragments-without-end",
        "a message in a hundred and thirty thousand fragments that never ends does no harm",
        "CVE-2026-48779",
        |server| {
            let mut bytes = Frame::text("4").open().to_bytes();
            bytes.extend(Frame::new(frame::CONTINUATION, "x").open().to_bytes().repeat(131_000));
            let (mut socket, _) = server.open_websocket()?;
            socket.wire.stuff(&bytes, bytes.len());
            server.lives()
        },
    ),
    Case::new(
        "message/cut-character",
        "a character may be cut between fragments",
        "RFC 6455, § 5.6",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            socket.send(&Frame::text(b"4\xe2").open());
            socket.send(&Frame::new(frame::CONTINUATION, b"\x82").open());
            socket.send(&Frame::new(frame::CONTINUATION, b"\xac"));
            socket.brings("4€")
        },
    ),
    Case::new(
        "message/ping-between-fragments",
        "a ping between fragments is answered at once",
        "RFC 6455, § 5.4",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            socket.send(&Frame::text("4he").open());
            socket.send(&Frame::ping("between"));
            socket.brings_message(Incoming::Pong(b"between".to_vec()))?;
            socket.send(&Frame::new(frame::CONTINUATION, "llo"));
            socket.brings("4hello")
        },
    ),
    Case::new(
        "message/byte-by-byte",
        "a frame may come byte by byte",
        "RFC 6455, § 5.2",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            for byte in Frame::text("4slowly").to_bytes() {
                socket.write([byte]);
            }
            socket.brings("4slowly")
        },
    ),
    Case::new(
        "message/unasked-packets",
        "packets that mean nothing here do no harm",
        "Node",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            for packet in ["3", "0", "0{\"sid\":\"x\"}", "5", "6", "3probe"] {
                socket.text(packet);
            }
            socket.echoes("4still there?")
        },
    ),
    Case::new(
        "message/no-packet",
        "a text that is no packet closes the WebSocket",
        "EIO § Packet encoding; Node",
        |server| parse_error(server, "abc"),
    ),
    Case::new(
        "message/empty-frame",
        "an empty frame closes the WebSocket",
        "EIO § Packet encoding; Node",
        |server| parse_error(server, ""),
    ),
    Case::new(
        "message/unknown-type",
        "a packet of type 7 closes the WebSocket",
        "EIO § Packet encoding; Node",
        |server| parse_error(server, "7x"),
    ),
    Case::new(
        "message/base64-junk",
        "a text after b that is no base64 closes the WebSocket",
        "RFC 4648, § 3.3",
        |server| parse_error(server, "b!!!"),
    ),
    Case::new(
        "message/nothing-after-an-error",
        "what follows a packet that is none is not handled",
        "EIO § Packet encoding",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            let mut bytes = Frame::text("abc").to_bytes();
            bytes.extend(Frame::text("4after").to_bytes());
            socket.write(bytes);
            loop {
                match socket.next()? {
                    Incoming::Text(text) if text == "4after" => return fail("no echo", "4after"),
                    Incoming::Close(_) | Incoming::End => return Ok(()),
                    Incoming::Nothing => return fail("a WebSocket that is closed", "an open one"),
                    _ => {}
                }
            }
        },
    ),
];

/// More than the buffers of the kernels at both ends hold.
const UNTAKEN: usize = 64_000_000;

const PACKETS: &str = "EIO § Packet encoding, WebSocket";
const LIMIT: &str = "EIO § Handshake, maxPayload; RFC 6455, § 7.4.1: 1009";
const ORDER: &str = "EIO § Transports: packet ordering";

fn text(server: &Server, packet: &str) -> Verdict {
    server.needs_echo()?;
    let frame = Frame::text(packet).to_bytes();
    let (mut socket, _) = server.open_websocket()?;
    socket.write(frame);
    socket.brings(packet)
}

fn binary(server: &Server, data: &[u8]) -> Verdict {
    server.needs_echo()?;
    let frame = Frame::binary(data).to_bytes();
    let (mut socket, _) = server.open_websocket()?;
    socket.write(frame);
    socket.brings_message(Incoming::Binary(data.to_vec()))
}

fn too_big(server: &Server, frames: &[Frame]) -> Verdict {
    server.closes_at(frames, &[Some(1009)])
}

fn parse_error(server: &Server, text: &str) -> Verdict {
    server.closes_at(&[Frame::text(text)], &[None, Some(1002), Some(1003), Some(1007), Some(1008)])
}
