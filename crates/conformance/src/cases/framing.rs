//! WebSocket frames that break the rules, and those at their edge.

use super::super::case::Case;
use super::super::finding::Verdict;
use super::super::frame::{self, Frame};
use super::super::server::Server;
use super::super::socket::Incoming;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "framing/unmasked",
        "a frame without a mask closes the WebSocket",
        "RFC 6455, § 5.1",
        |server| violates(server, Frame::text("4x").unmasked()),
    ),
    Case::new(
        "framing/reserved-1",
        "reserved bit 1 without an extension closes the WebSocket",
        RESERVED,
        |server| violates(server, Frame::text("4x").reserved(4)),
    ),
    Case::new(
        "framing/ends-the-connection",
        "who has closed a WebSocket for what came over it ends its connection, too",
        "RFC 6455, § 7.1.1",
        |server| {
            let (mut socket, _) = server.open_websocket()?;
            socket.send(&Frame::text("4x").unmasked());
            socket.closes(PROTOCOL_ERROR)
        },
    ),
    Case::new("framing/reserved-2", "reserved bit 2 closes the WebSocket", RESERVED, |server| {
        violates(server, Frame::text("4x").reserved(2))
    }),
    Case::new("framing/reserved-3", "reserved bit 3 closes the WebSocket", RESERVED, |server| {
        violates(server, Frame::text("4x").reserved(1))
    }),
    Case::new(
        "framing/reserved-on-ping",
        "a reserved bit on a ping closes the WebSocket",
        RESERVED,
        |server| violates(server, Frame::ping("x").reserved(4)),
    ),
    Case::new("framing/opcode-3", "opcode 3 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(3, "x"))
    }),
    Case::new("framing/opcode-4", "opcode 4 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(4, "x"))
    }),
    Case::new("framing/opcode-5", "opcode 5 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(5, "x"))
    }),
    Case::new("framing/opcode-6", "opcode 6 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(6, "x"))
    }),
    Case::new("framing/opcode-7", "opcode 7 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(7, "x"))
    }),
    Case::new("framing/opcode-11", "opcode 11 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(11, "x"))
    }),
    Case::new("framing/opcode-12", "opcode 12 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(12, "x"))
    }),
    Case::new("framing/opcode-13", "opcode 13 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(13, "x"))
    }),
    Case::new("framing/opcode-14", "opcode 14 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(14, "x"))
    }),
    Case::new("framing/opcode-15", "opcode 15 closes the WebSocket", OPCODE, |server| {
        violates(server, Frame::new(15, "x"))
    }),
    Case::new(
        "framing/lone-continuation",
        "the continuation of no message closes the WebSocket",
        FRAGMENTS,
        |server| violates(server, Frame::new(frame::CONTINUATION, "x")),
    ),
    Case::new(
        "framing/new-message-too-early",
        "a new message before the last one has ended closes the WebSocket",
        FRAGMENTS,
        |server| server.closes_at(&[Frame::text("4a").open(), Frame::text("4b")], PROTOCOL_ERROR),
    ),
    Case::new(
        "framing/binary-in-text",
        "bytes before a text has ended close the WebSocket",
        FRAGMENTS,
        |server| server.closes_at(&[Frame::text("4a").open(), Frame::binary("b")], PROTOCOL_ERROR),
    ),
    Case::new(
        "framing/ping-in-fragments",
        "a ping in fragments closes the WebSocket",
        CONTROL,
        |server| violates(server, Frame::ping("x").open()),
    ),
    Case::new(
        "framing/pong-in-fragments",
        "a pong in fragments closes the WebSocket",
        CONTROL,
        |server| violates(server, Frame::new(frame::PONG, "x").open()),
    ),
    Case::new(
        "framing/close-in-fragments",
        "a close frame in fragments closes the WebSocket",
        CONTROL,
        |server| violates(server, Frame::close(1000, "").open()),
    ),
    Case::new("framing/long-ping", "a ping of 126 bytes closes the WebSocket", CONTROL, |server| {
        violates(server, Frame::ping([7; 126]))
    }),
    Case::new("framing/long-pong", "a pong of 126 bytes closes the WebSocket", CONTROL, |server| {
        violates(server, Frame::new(frame::PONG, [7; 126]))
    }),
    Case::new(
        "framing/long-close",
        "a close frame of 126 bytes closes the WebSocket",
        CONTROL,
        |server| violates(server, Frame::close(1000, "x".repeat(124))),
    ),
    Case::new(
        "framing/immense-ping",
        "a ping of 2^40 bytes closes the WebSocket before they come",
        CONTROL,
        |server| violates(server, Frame::ping("").announced(1 << 40, 8)),
    ),
    Case::new(
        "framing/close-of-one-byte",
        "a close frame of one byte closes the WebSocket",
        CLOSE,
        |server| violates(server, Frame::new(frame::CLOSE, "x")),
    ),
    Case::new("framing/close-0", "close code 0 is none", CODES, |server| close_code(server, 0)),
    Case::new("framing/close-999", "close code 999 is none", CODES, |server| {
        close_code(server, 999)
    }),
    Case::new("framing/close-1004", "close code 1004 is reserved", CODES, |server| {
        close_code(server, 1004)
    }),
    Case::new("framing/close-1005", "close code 1005 is never sent", CODES, |server| {
        close_code(server, 1005)
    }),
    Case::new("framing/close-1006", "close code 1006 is never sent", CODES, |server| {
        close_code(server, 1006)
    }),
    Case::new("framing/close-1015", "close code 1015 is never sent", CODES, |server| {
        close_code(server, 1015)
    }),
    Case::new("framing/close-2999", "close code 2999 is reserved", CODES, |server| {
        close_code(server, 2999)
    }),
    Case::new("framing/close-5000", "close code 5000 is none", CODES, |server| {
        close_code(server, 5000)
    }),
    Case::new("framing/close-65535", "close code 65535 is none", CODES, |server| {
        close_code(server, 65_535)
    }),
    Case::new(
        "framing/close-reason-not-utf-8",
        "the reason of a close frame is UTF-8",
        CLOSE,
        |server| server.closes_at(&[Frame::close(1000, b"\xff")], INVALID_TEXT),
    ),
    Case::new(
        "framing/not-utf-8",
        "a text that is not UTF-8 closes the WebSocket",
        UTF_8,
        |server| not_utf_8(server, b"4\xff\xfe"),
    ),
    Case::new(
        "framing/cut-utf-8",
        "a text that ends within a character closes the WebSocket",
        UTF_8,
        |server| not_utf_8(server, b"4\xe2\x82"),
    ),
    Case::new(
        "framing/overlong-utf-8",
        "a character in more bytes than it takes closes the WebSocket",
        "RFC 3629, § 3",
        |server| not_utf_8(server, b"4\xc0\xaf"),
    ),
    Case::new(
        "framing/surrogate",
        "half of a pair of UTF-16 closes the WebSocket",
        "RFC 3629, § 3",
        |server| not_utf_8(server, b"4\xed\xa0\x80"),
    ),
    Case::new(
        "framing/beyond-unicode",
        "a character beyond U+10FFFF closes the WebSocket",
        "RFC 3629, § 3",
        |server| not_utf_8(server, b"4\xf4\x90\x80\x80"),
    ),
    Case::new(
        "framing/not-utf-8-in-fragments",
        "a text whose fragments are not UTF-8 closes the WebSocket",
        UTF_8,
        |server| {
            let frames =
                [Frame::text(b"4\xe2").open(), Frame::new(frame::CONTINUATION, b"\xe2\x82\xac")];
            server.closes_at(&frames, INVALID_TEXT)
        },
    ),
    Case::new(
        "framing/length-in-two-bytes",
        "a short length in two bytes closes the WebSocket",
        MINIMAL,
        |server| violates(server, Frame::text("4x").announced(2, 2)),
    ),
    Case::new(
        "framing/length-in-eight-bytes",
        "a short length in eight bytes closes the WebSocket",
        MINIMAL,
        |server| violates(server, Frame::text("4x").announced(2, 8)),
    ),
    Case::new(
        "framing/length-of-64-bits",
        "a length with its highest bit closes the WebSocket",
        "RFC 6455, § 5.2",
        |server| {
            server.closes_at(&[Frame::text("4x").announced(1 << 63, 8)], &[Some(1002), Some(1009)])
        },
    ),
    Case::new(
        "framing/length-2-31",
        "a frame of 2^31 bytes is not waited for",
        IMMENSE,
        |server| immense(server, 1 << 31),
    ),
    Case::new(
        "framing/length-2-32",
        "a frame of 2^32 bytes is not waited for",
        IMMENSE,
        |server| immense(server, 1 << 32),
    ),
    Case::new(
        "framing/length-2-63",
        "a frame of 2^63 - 1 bytes is not waited for",
        IMMENSE,
        |server| immense(server, (1 << 63) - 1),
    ),
    Case::new("framing/ping", "a ping is answered with its bytes", PING, |server| {
        pong(server, b"hello")
    }),
    Case::new("framing/empty-ping", "an empty ping is answered", PING, |server| pong(server, b"")),
    Case::new("framing/longest-ping", "a ping of 125 bytes is answered", PING, |server| {
        pong(server, &[0xfe; 125])
    }),
    Case::new(
        "framing/many-pings",
        "of a hundred pings, at least the last is answered",
        PING,
        |server| {
            let (mut socket, _) = server.open_websocket()?;
            let bytes: Vec<_> =
                (0..100_u8).flat_map(|number| Frame::ping([number]).to_bytes()).collect();
            socket.write(bytes);
            loop {
                match socket.message()? {
                    Incoming::Pong(data) if data == [99] => return Ok(()),
                    Incoming::Pong(_) => {}
                    other => return super::super::finding::fail("a pong", other.words()),
                }
            }
        },
    ),
    Case::new(
        "framing/unasked-pong",
        "a pong that nobody asked for does no harm",
        "RFC 6455, § 5.5.3",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            socket.send(&Frame::new(frame::PONG, "x"));
            socket.echoes("4still there?")
        },
    ),
    Case::new("framing/mask-of-zeros", "a mask of zeros is a mask", "RFC 6455, § 5.3", |server| {
        server.needs_echo()?;
        let (mut socket, _) = server.open_websocket()?;
        socket.write(b"\x81\x86\0\0\0\x004plain");
        socket.brings("4plain")
    }),
    Case::new(
        "framing/half-a-frame",
        "a client that goes in the middle of a frame does no harm",
        "practice",
        |server| {
            let bytes = Frame::text(format!("4{}", "x".repeat(200))).to_bytes();
            for length in [1, 2, 3, 4, 7, 8, 9, 100] {
                let (mut socket, _) = server.open_websocket()?;
                socket.write(&bytes[..length]);
            }
            server.lives()
        },
    ),
];

const PROTOCOL_ERROR: &[Option<u16>] = &[Some(1002)];
const INVALID_TEXT: &[Option<u16>] = &[Some(1007)];

const RESERVED: &str = "RFC 6455, § 5.2; CVE-2022-21676";
const OPCODE: &str = "RFC 6455, § 5.2";
const FRAGMENTS: &str = "RFC 6455, § 5.4";
const CONTROL: &str = "RFC 6455, § 5.5";
const CLOSE: &str = "RFC 6455, § 5.5.1";
const CODES: &str = "RFC 6455, § 7.4";
const UTF_8: &str = "RFC 6455, § 8.1";
const MINIMAL: &str = "RFC 6455, § 5.2: the minimal number of bytes MUST be used";
const IMMENSE: &str = "RFC 6455, § 10.4; CVE-2022-35922";
const PING: &str = "RFC 6455, § 5.5.2";

fn violates(server: &Server, frame: Frame) -> Verdict {
    server.closes_at(&[frame], PROTOCOL_ERROR)
}

fn close_code(server: &Server, code: u16) -> Verdict {
    violates(server, Frame::close(code, ""))
}

fn not_utf_8(server: &Server, text: &[u8]) -> Verdict {
    server.closes_at(&[Frame::text(text)], INVALID_TEXT)
}

fn immense(server: &Server, length: u64) -> Verdict {
    server.closes_at(&[Frame::binary("").announced(length, 8)], &[Some(1009)])
}

fn pong(server: &Server, data: &[u8]) -> Verdict {
    let (mut socket, _) = server.open_websocket()?;
    socket.send(&Frame::ping(data));
    socket.brings_message(Incoming::Pong(data.to_vec()))
}
