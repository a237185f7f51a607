//! Bodies of POSTs: what is taken, what is refused, and what comes back.

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, fail, quoted};
use super::super::server::Server;

pub(super) static CASES: &[Case] = &[
    Case::new("payload/text", "a text comes back as it is", PACKETS, |server| {
        echo(server, "4hello")
    }),
    Case::new(
        "payload/several",
        "several packets come back in order, in one answer",
        PACKETS,
        |server| verbatim(server, "4test1\u{1e}4test2\u{1e}4test3"),
    ),
    Case::new(
        "payload/text-and-binary",
        "text and binary come back side by side, in one answer",
        PACKETS,
        |server| verbatim(server, "4hello\u{1e}bAQIDBA=="),
    ),
    Case::new(
        "payload/unicode",
        "characters of every length come back",
        "EIO § Packet encoding",
        |server| echo(server, "4äöü €uro 🎈 \u{0}\u{fffd}"),
    ),
    Case::new("payload/empty-text", "an empty message is one", PACKETS, |server| {
        verbatim(server, "4\u{1e}4\u{1e}4x")
    }),
    Case::new("payload/empty-binary", "an empty binary message is one", PACKETS, |server| {
        echo(server, "b")
    }),
    Case::new("payload/json", "text that looks like JSON stays text", PACKETS, |server| {
        echo(server, "4{\"a\":[1,null]}")
    }),
    Case::new("payload/looks-like-packets", "a text of digits is a text", PACKETS, |server| {
        echo(server, "42probe")
    }),
    Case::new(
        "payload/base64-lengths",
        "base64 of every length comes back with its padding",
        "RFC 4648, § 4",
        |server| verbatim(server, "bAQ==\u{1e}bAQI=\u{1e}bAQID\u{1e}b//79/A=="),
    ),
    Case::new(
        "payload/base64-without-padding",
        "base64 without its padding is read",
        "Node",
        |server| server.open()?.echoes("bAQIDBA", "bAQIDBA=="),
    ),
    Case::new(
        "payload/base64-url-alphabet",
        "base64 of the other alphabet is refused or read, never changed",
        "RFC 4648, § 5",
        |server| {
            let session = server.open()?;
            let response = session.post("b-_-_")?;
            if response.status == 400 {
                return session.is_gone();
            }
            response.taken()?;
            server.needs_echo()?;
            session.brings("b+/+/")
        },
    ),
    Case::new(
        "payload/version-3-binary",
        "b4… is base64 as any other",
        "EIO § Packet encoding",
        |server| server.open()?.echoes("b4AQIDBA", "b4AQIDBA="),
    ),
    Case::new("payload/base64-junk", "what is no base64 is refused", "RFC 4648, § 3.3", |server| {
        refuse(server, "b!!!")
    }),
    Case::new("payload/base64-one-letter", "one letter is no base64", "RFC 4648, § 4", |server| {
        refuse(server, "bA")
    }),
    Case::new(
        "payload/no-packet",
        "a body that is no packet is refused, and ends the session",
        SUITE,
        |server| refuse(server, "abc"),
    ),
    Case::new("payload/empty", "an empty body is refused", SUITE, |server| refuse(server, "")),
    Case::new("payload/no-body", "a POST without a body is refused", SUITE, |server| {
        let session = server.open()?;
        server.exchange(&session.request("POST"))?.status(&[400, 411])?;
        Ok(())
    }),
    Case::new("payload/unknown-type", "a packet of type 7 is refused", SUITE, |server| {
        refuse(server, "7x")
    }),
    Case::new("payload/type-9", "a packet of type 9 is refused", SUITE, |server| {
        refuse(server, "9")
    }),
    Case::new("payload/type-slash", "a packet of the type before 0 is refused", SUITE, |server| {
        refuse(server, "/")
    }),
    Case::new("payload/other-digits", "a digit of another script is no type", SUITE, |server| {
        refuse(server, "٤x")
    }),
    Case::new("payload/space", "a packet that begins with a space is refused", SUITE, |server| {
        refuse(server, " 4x")
    }),
    Case::new("payload/ping", "a ping of a client is refused", HEARTBEAT, |server| {
        refuse(server, "2")
    }),
    Case::new("payload/probe", "a probe over polling is refused", HEARTBEAT, |server| {
        refuse(server, "2probe")
    }),
    Case::new("payload/pong", "a pong that nobody asked for does no harm", "Node", |server| {
        harmless(server, "3")
    }),
    Case::new("payload/open", "an open packet of a client is ignored", "Node", |server| {
        harmless(server, "0{\"sid\":\"x\"}")
    }),
    Case::new("payload/upgrade", "an upgrade packet over polling is ignored", "Node", |server| {
        harmless(server, "5")
    }),
    Case::new("payload/noop", "a noop packet of a client is ignored", "Node", |server| {
        harmless(server, "6")
    }),
    Case::new(
        "payload/bad-after-good",
        "a bad packet after a good one is refused",
        SUITE,
        |server| refuse(server, "4a\u{1e}abc"),
    ),
    Case::new(
        "payload/separator-at-end",
        "a separator too many at the end is refused",
        SUITE,
        |server| refuse(server, "4a\u{1e}"),
    ),
    Case::new(
        "payload/separator-at-start",
        "a separator too many at the start is refused",
        SUITE,
        |server| refuse(server, "\u{1e}4a"),
    ),
    Case::new("payload/two-separators", "two separators in a row are refused", SUITE, |server| {
        refuse(server, "4a\u{1e}\u{1e}4b")
    }),
    Case::new(
        "payload/only-separators",
        "a hundred thousand separators are refused at once",
        "practice",
        |server| {
            if server.max_payload < 100_000 {
                return refuse(server, "\u{1e}");
            }
            refuse(server, &"\u{1e}".repeat(100_000))
        },
    ),
    Case::new(
        "payload/not-utf-8",
        "a body that is not UTF-8 is refused",
        "EIO § Packet encoding",
        |server| server.open()?.ends_at(b"4\xff\xfe"),
    ),
    Case::new(
        "payload/cut-utf-8",
        "a body that ends within a character is refused",
        "EIO § Packet encoding",
        |server| server.open()?.ends_at(b"4\xe2\x82"),
    ),
    Case::new("payload/byte-order-mark", "a byte order mark is no packet", SUITE, |server| {
        refuse(server, "\u{feff}4a")
    }),
    Case::new(
        "payload/octet-stream",
        "a binary body is refused: version 4 has none",
        TYPES,
        |server| kind(server, "application/octet-stream"),
    ),
    Case::new(
        "payload/octet-stream-with-parameter",
        "a binary body is refused when its type has a parameter, too",
        TYPES,
        |server| kind(server, "application/octet-stream; charset=x"),
    ),
    Case::new(
        "payload/octet-stream-in-capitals",
        "a binary body is refused when its type is in capital letters, too",
        "RFC 9110, § 8.3.1",
        |server| kind(server, "Application/Octet-Stream"),
    ),
    Case::new(
        "payload/no-content-type",
        "a body without a type is text",
        "EIO § Headers",
        |server| {
            let session = server.open()?;
            server.exchange(&session.request("POST").body("4x"))?.taken()
        },
    ),
    Case::new(
        "payload/json-type",
        "a body that says it is JSON is read all the same",
        "Node",
        |server| {
            let session = server.open()?;
            let request = session.post_request("4x").with("Content-Type", "application/json");
            server.exchange(&request)?.taken()
        },
    ),
    Case::new(
        "payload/form",
        "a form of JSONP is refused where there is none",
        "EIO § Packet encoding",
        |server| {
            let session = server.open()?;
            let request = session
                .post_request("d=4x")
                .with("Content-Type", "application/x-www-form-urlencoded");
            server.exchange(&request)?.status(&[400])?;
            session.is_gone()
        },
    ),
    Case::new(
        "payload/compressed",
        "a compressed body is refused, not read as text",
        "RFC 9110, § 15.5.16",
        |server| {
            let session = server.open()?;
            let request =
                session.post_request(b"\x1f\x8b\x08\0").header("Content-Encoding", "gzip");
            server.exchange(&request)?.status(&[415])
        },
    ),
    Case::new(
        "payload/identity",
        "an encoding that does nothing is accepted",
        "RFC 9110, § 12.5.3",
        |server| {
            let session = server.open()?;
            server
                .exchange(&session.post_request("4x").header("Content-Encoding", "identity"))?
                .taken()
        },
    ),
    Case::new("payload/at-the-limit", "a body of maxPayload bytes is taken", LIMIT, |server| {
        server.needs_modest_payload()?;
        server.open()?.post("4".repeat(server.max_payload))?.taken()
    }),
    Case::new(
        "payload/above-the-limit",
        "a body of one byte more is refused, and ends the session",
        LIMIT,
        |server| {
            server.needs_modest_payload()?;
            let session = server.open()?;
            session.post("4".repeat(server.max_payload + 1))?.status(&[413])?;
            session.is_gone()
        },
    ),
    Case::new(
        "payload/above-the-limit-in-chunks",
        "a body above the limit that does not say its length is refused, and ends the session",
        LIMIT,
        |server| {
            server.needs_modest_payload()?;
            let session = server.open()?;
            let mut wire = server.connect()?;
            wire.send(&session.request("POST").header("Transfer-Encoding", "chunked"));
            let length = server.max_payload + 1;
            wire.write(format!("{length:x}\r\n{}\r\n0\r\n\r\n", "4".repeat(length)));
            wire.response()?.status(&[413])?;
            session.is_gone()
        },
    ),
    Case::new(
        "payload/too-long-by-header",
        "a body that is announced to be too long is not waited for",
        LIMIT,
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            let length = server.max_payload as u64 + 1;
            wire.send(&session.request("POST").header("Content-Length", length.to_string()));
            wire.response()?.status(&[413])?;
            session.is_gone()
        },
    ),
    Case::new(
        "payload/immense-by-header",
        "a body of 2^60 bytes is not waited for",
        LIMIT,
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            wire.send(&session.request("POST").header("Content-Length", (1_u64 << 60).to_string()));
            wire.response()?.status(&[400, 413])?;
            server.lives()
        },
    ),
    Case::new("payload/long-binary", "base64 counts as it is sent", LIMIT, |server| {
        server.needs_modest_payload()?;
        // Below the limit when it is decoded, above it as it is sent.
        let session = server.open()?;
        let body = format!("b{}", "AAAA".repeat(server.max_payload / 4 + 1));
        session.post(body)?.status(&[413])
    }),
    Case::new("payload/long-text", "a long message comes back whole", "practice", |server| {
        let length = server.max_payload.min(100_000) - 1;
        echo(server, &format!("4{}", "€".repeat(length / 3)))
    }),
    Case::new(
        "payload/hundred-packets",
        "a hundred packets in one body all come back",
        "EIO § Packet encoding",
        |server| many(server, 100),
    ),
    Case::new(
        "payload/seventeen-packets",
        "seventeen packets in one body all come back",
        "EIO § Packet encoding",
        |server| many(server, 17),
    ),
    Case::new("payload/in-chunks", "a body may come in chunks", "RFC 9112, § 7.1", |server| {
        let session = server.open()?;
        let mut wire = server.connect()?;
        wire.send(&session.request("POST").header("Transfer-Encoding", "chunked"));
        for chunk in ["3\r\n4he\r\n", "3;name=value\r\nllo\r\n", "0\r\nTrailer: x\r\n\r\n"] {
            wire.write(chunk);
            server.settle();
        }
        wire.response()?.taken()?;
        server.needs_echo()?;
        session.brings("4hello")
    }),
    Case::new("payload/byte-by-byte", "a request may come byte by byte", "practice", |server| {
        let session = server.open()?;
        let mut wire = server.connect()?;
        for byte in session.post_request("4slowly").to_bytes() {
            wire.write([byte]);
        }
        wire.response()?.taken()?;
        server.needs_echo()?;
        session.brings("4slowly")
    }),
];

const PACKETS: &str = "EIO § Packet encoding, HTTP long-polling";
const SUITE: &str = "EIO § Test suite: invalid packets are answered with 400";
const HEARTBEAT: &str = "EIO § Heartbeat: only servers ping";
const TYPES: &str = "Node; CVE-2026-59725: every error path ends its response";
const LIMIT: &str = "EIO § Handshake, maxPayload; RFC 9110, § 15.5.14";

fn echo(server: &Server, payload: &str) -> Verdict {
    server.open()?.echoes(payload, payload)
}

/// One GET has to bring everything.
fn verbatim(server: &Server, payload: &str) -> Verdict {
    server.needs_echo()?;
    let session = server.open()?;
    session.post(payload)?.taken()?;
    session.get()?.brings(payload)
}

fn many(server: &Server, count: usize) -> Verdict {
    let packets: Vec<_> = (0..count).map(|number| format!("4{number}")).collect();
    echo(server, &packets.join("\u{1e}"))
}

fn refuse(server: &Server, payload: &str) -> Verdict {
    let session = server.open()?;
    let response = session.post(payload)?;
    if response.status == 200 {
        return fail(format!("{} to be refused", quoted(payload.as_bytes())), response.words());
    }
    response.refused(3)?;
    session.is_gone()
}

fn harmless(server: &Server, payload: &str) -> Verdict {
    let session = server.open()?;
    session.post(payload)?.taken()?;
    session.lives()
}

fn kind(server: &Server, kind: &str) -> Verdict {
    let session = server.open()?;
    let request = session.post_request("4x").with("Content-Type", kind);
    server.exchange(&request)?.status(&[400, 415])?;
    let response = session.get()?;
    ensure(response.status == 400, "a session that is over", || response.words())
}
