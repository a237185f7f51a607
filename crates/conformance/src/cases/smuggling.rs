//! Bodies whose end is in doubt: two servers in a row must never see different requests.
//!
//! Each body holds a request that must not be answered.

use super::super::case::Case;
use super::super::finding::{Verdict, fail};
use super::super::frame::Frame;
use super::super::server::Server;
use super::super::socket::{Incoming, Socket};

pub(super) static CASES: &[Case] = &[
    Case::new("smuggling/two-lengths", "two lengths that differ are refused", LENGTH, |server| {
        refused(server, &["Content-Length: 2", "Content-Length: 40"])
    }),
    Case::new(
        "smuggling/length-list",
        "a list of lengths that differ is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: 2, 40"]),
    ),
    Case::new("smuggling/length-plus", "a length with a plus is refused", LENGTH, |server| {
        refused(server, &["Content-Length: +2"])
    }),
    Case::new("smuggling/length-minus", "a length below zero is refused", LENGTH, |server| {
        refused(server, &["Content-Length: -1"])
    }),
    Case::new("smuggling/length-hex", "a length in other digits is refused", LENGTH, |server| {
        refused(server, &["Content-Length: 0x2"])
    }),
    Case::new(
        "smuggling/length-words",
        "a length that is no number is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: two"]),
    ),
    Case::new("smuggling/length-two-numbers", "two numbers are no length", LENGTH, |server| {
        refused(server, &["Content-Length: 2 2"])
    }),
    Case::new("smuggling/length-empty", "an empty length is refused", LENGTH, |server| {
        refused(server, &["Content-Length:"])
    }),
    Case::new("smuggling/length-overflow", "a length beyond 2^64 is refused", LENGTH, |server| {
        refused(server, &["Content-Length: 18446744073709551618"])
    }),
    Case::new(
        "smuggling/length-and-chunks",
        "a length and chunks: refused, or the connection ends",
        BOTH,
        |server| ends_or_refused(server, &["Content-Length: 2", "Transfer-Encoding: chunked"]),
    ),
    Case::new(
        "smuggling/chunks-and-length",
        "chunks and a length: refused, or the connection ends",
        BOTH,
        |server| ends_or_refused(server, &["Transfer-Encoding: chunked", "Content-Length: 2"]),
    ),
    Case::new(
        "smuggling/unknown-coding",
        "a transfer coding that nobody knows is refused",
        CODING,
        |server| refused(server, &["Transfer-Encoding: xchunked"]),
    ),
    Case::new(
        "smuggling/chunked-not-last",
        "chunks have to be the last coding",
        CODING,
        |server| refused(server, &["Transfer-Encoding: chunked, identity"]),
    ),
    Case::new("smuggling/chunked-twice", "chunks in chunks are refused", CODING, |server| {
        refused(server, &["Transfer-Encoding: chunked, chunked"])
    }),
    Case::new(
        "smuggling/compressed-chunks",
        "a coding that the server does not have is refused",
        CODING,
        |server| refused(server, &["Transfer-Encoding: gzip, chunked"]),
    ),
    Case::new("smuggling/coding-of-1-0", "HTTP/1.0 has no chunks", "RFC 9112, § 6.1", |server| {
        let bytes = request(server, &["Transfer-Encoding: chunked"])?
            .replace("HTTP/1.1\r\nH", "HTTP/1.0\r\nH");
        rejected(server, &bytes)
    }),
    Case::new(
        "smuggling/chunk-size-words",
        "a chunk size that is no number is refused",
        CHUNKS,
        |server| chunks(server, "zz\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-size-minus",
        "a chunk size below zero is refused",
        CHUNKS,
        |server| chunks(server, "-2\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new("smuggling/chunk-size-prefix", "a chunk size with 0x is refused", CHUNKS, |server| {
        chunks(server, "0x2\r\n4x\r\n0\r\n\r\n")
    }),
    Case::new(
        "smuggling/chunk-size-overflow",
        "a chunk size beyond 2^64 is refused",
        CHUNKS,
        |server| chunks(server, "10000000000000002\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-size-immense",
        "a chunk of 2^60 bytes that breaks off is not taken",
        CHUNKS,
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            wire.send(&session.request("POST").header("Transfer-Encoding", "chunked"));
            wire.write("1000000000000000\r\n4x\r\n0\r\n\r\n");
            wire.finish();
            if let Some(response) = wire.answer_or_end()? {
                response.status(&[400, 408, 413])?;
            }
            session.is_gone()
        },
    ),
    Case::new("smuggling/chunk-size-empty", "an empty chunk size is refused", CHUNKS, |server| {
        chunks(server, "\r\n4x\r\n0\r\n\r\n")
    }),
    Case::new(
        "smuggling/chunk-without-end",
        "a chunk that is longer than it says is refused",
        CHUNKS,
        |server| chunks(server, "2\r\n4xyz\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/exact-length",
        "what follows a body is the next request, and no part of it",
        LENGTH,
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            let mut bytes = session.post_request("4x").to_bytes();
            bytes.extend(server.request("GET", "EIO=4&transport=tobi").to_bytes());
            wire.write(bytes);
            wire.response()?.taken()?;
            wire.response()?.refused(0)
        },
    ),
    Case::new(
        "smuggling/two-equal-lengths",
        "of two lengths that are the same, one counts, or they are refused",
        LENGTH,
        |server| one_or_none(server, &["Content-Length: 2", "Content-Length: 2"]),
    ),
    Case::new(
        "smuggling/length-list-equal",
        "a list of the same lengths is that length, or refused",
        LENGTH,
        |server| one_or_none(server, &["Content-Length: 2, 2"]),
    ),
    Case::new(
        "smuggling/length-fraction",
        "a length with a fraction is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: 2.0"]),
    ),
    Case::new(
        "smuggling/length-exponent",
        "a length with an exponent is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: 2e0"]),
    ),
    Case::new(
        "smuggling/length-semicolon",
        "a length with a parameter is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: 2;"]),
    ),
    Case::new("smuggling/length-quoted", "a length in quotes is refused", LENGTH, |server| {
        refused(server, &["Content-Length: \"2\""])
    }),
    Case::new(
        "smuggling/length-other-digits",
        "a length in the digits of another script is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: \u{662}"]),
    ),
    Case::new("smuggling/length-underscore", "a length with a hole is refused", LENGTH, |server| {
        refused(server, &["Content-Length: 0_2"])
    }),
    Case::new(
        "smuggling/length-octal",
        "zeros before a length change nothing, or are refused",
        LENGTH,
        |server| one_or_none(server, &["Content-Length: 002"]),
    ),
    Case::new("smuggling/length-nul", "a length with a NUL is refused", LENGTH, |server| {
        refused(server, &["Content-Length: 2\0"])
    }),
    Case::new(
        "smuggling/length-vertical-tab",
        "a length with a vertical tab is refused",
        LENGTH,
        |server| refused(server, &["Content-Length: \u{b}2"]),
    ),
    Case::new(
        "smuggling/length-space-before-colon",
        "a space between Content-Length and its colon is refused",
        SPACE,
        |server| refused(server, &["Content-Length : 2"]),
    ),
    Case::new(
        "smuggling/length-folded",
        "a length in the next line is that length, or refused",
        FOLDED,
        |server| one_or_none(server, &["Content-Length:\r\n 2"]),
    ),
    Case::new(
        "smuggling/length-folded-away",
        "a length in the next line of another header is none, or refused",
        FOLDED,
        |server| one_or_none(server, &["X-Other: x\r\n Content-Length: 40", "Content-Length: 2"]),
    ),
    Case::new(
        "smuggling/length-in-connection",
        "a length that Connection names counts all the same, or is refused",
        "RFC 9110, § 7.6.1",
        |server| one_or_none(server, &["Connection: Content-Length", "Content-Length: 2"]),
    ),
    Case::new(
        "smuggling/coding-space-before-colon",
        "a space between Transfer-Encoding and its colon is refused",
        SPACE,
        |server| refused(server, &["Transfer-Encoding : chunked"]),
    ),
    Case::new(
        "smuggling/coding-space-and-length",
        "a space before the colon does not hide chunks from a length",
        SPACE,
        |server| refused(server, &["Content-Length: 2", "Transfer-Encoding : chunked"]),
    ),
    Case::new(
        "smuggling/coding-vertical-tab",
        "a coding with a vertical tab is refused",
        CODING,
        |server| refused(server, &["Transfer-Encoding: \u{b}chunked"]),
    ),
    Case::new("smuggling/coding-nul", "a coding with a NUL is refused", CODING, |server| {
        refused(server, &["Transfer-Encoding: chunked\0"])
    }),
    Case::new("smuggling/coding-quoted", "a coding in quotes is refused", CODING, |server| {
        refused(server, &["Transfer-Encoding: \"chunked\""])
    }),
    Case::new(
        "smuggling/coding-parameter",
        "chunks with a parameter are refused",
        CODING,
        |server| ends_or_refused(server, &["Transfer-Encoding: chunked;x=1"]),
    ),
    Case::new("smuggling/coding-empty", "an empty coding is refused", CODING, |server| {
        ends_or_refused(server, &["Transfer-Encoding:", "Content-Length: 2"])
    }),
    Case::new("smuggling/coding-identity", "the coding identity is gone", CODING, |server| {
        ends_or_refused(server, &["Transfer-Encoding: identity", "Content-Length: 2"])
    }),
    Case::new(
        "smuggling/coding-and-unknown",
        "chunks and a coding that nobody knows, in headers of their own, are refused",
        CODING,
        |server| refused(server, &["Transfer-Encoding: chunked", "Transfer-Encoding: cow"]),
    ),
    Case::new(
        "smuggling/unknown-and-coding",
        "a coding that nobody knows before chunks is refused",
        CODING,
        |server| refused(server, &["Transfer-Encoding: cow", "Transfer-Encoding: chunked"]),
    ),
    Case::new(
        "smuggling/chunked-in-two-headers",
        "chunks in chunks, in headers of their own, are refused",
        CODING,
        |server| refused(server, &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
    ),
    Case::new(
        "smuggling/coding-glued",
        "a word that ends in chunked is no chunks",
        CODING,
        |server| refused(server, &["Transfer-Encoding: notchunked"]),
    ),
    Case::new(
        "smuggling/coding-folded",
        "a coding in the next line is that coding, or refused",
        FOLDED,
        |server| one_or_none(server, &["Transfer-Encoding:\r\n chunked"]),
    ),
    Case::new(
        "smuggling/coding-and-lengths",
        "chunks and two lengths: refused, or the connection ends",
        BOTH,
        |server| {
            let headers = ["Content-Length: 2", "Transfer-Encoding: chunked", "Content-Length: 40"];
            ends_or_refused(server, &headers)
        },
    ),
    Case::new("smuggling/get-with-both", "a GET with both is as wrong", BOTH, |server| {
        let headers = ["Content-Length: 2", "Transfer-Encoding: chunked"];
        ends_within(server, &get(server, &headers), &[200, 400])
    }),
    Case::new("smuggling/get-two-lengths", "a GET with two lengths is refused", LENGTH, |server| {
        rejected(server, &get(server, &["Content-Length: 2", "Content-Length: 40"]))
    }),
    Case::new(
        "smuggling/get-body",
        "the body of a GET is no request of its own",
        "RFC 9110, § 9.3.1",
        |server| {
            let behind = server.request("GET", "EIO=4&transport=tobi").to_bytes();
            let mut wire = server.connect()?;
            wire.send(&server.request("GET", "EIO=4&transport=polling").body(behind));
            wire.response()?.status(&[200, 400])?;
            wire.finish();
            ends(&mut wire)
        },
    ),
    Case::new(
        "smuggling/chunk-size-plus",
        "a chunk size with a plus is refused",
        CHUNKS,
        |server| chunks(server, "+2\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-size-space-before",
        "a space before a chunk size is refused",
        CHUNKS,
        |server| chunks(server, " 2\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-size-underscore",
        "a chunk size with a hole is refused",
        CHUNKS,
        |server| chunks(server, "0_2\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new("smuggling/chunk-size-nul", "a chunk size with a NUL is refused", CHUNKS, |server| {
        chunks(server, "2\0\r\n4x\r\n0\r\n\r\n")
    }),
    Case::new("smuggling/chunk-size-comma", "two chunk sizes are none", CHUNKS, |server| {
        chunks(server, "2,2\r\n4x\r\n0\r\n\r\n")
    }),
    Case::new(
        "smuggling/chunk-without-line-end",
        "a chunk that no line end follows is refused",
        CHUNKS,
        |server| chunks(server, "2\r\n4x0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-with-other-end",
        "a chunk that two other bytes follow is refused",
        CHUNKS,
        |server| chunks(server, "2\r\n4xXX0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-ends-in-cr",
        "a chunk that a carriage return and something else follow is refused",
        CHUNKS,
        |server| chunks(server, "2\r\n4x\rX0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-extension-bare-lf",
        "a chunk extension that a line feed alone ends is refused",
        "RFC 9112, § 7.1.1; practice",
        |server| chunks(server, "2;a\n4x\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-extension-long",
        "a chunk extension of a hundred thousand bytes is refused",
        "RFC 9112, § 7.1.1: excessive extensions",
        |server| chunks(server, &format!("2;{}\r\n4x\r\n0\r\n\r\n", "x".repeat(100_000))),
    ),
    Case::new(
        "smuggling/chunk-size-bare-lf",
        "a chunk size that a line feed alone ends is refused",
        CHUNKS,
        |server| chunks(server, "2\n4x\r\n0\r\n\r\n"),
    ),
    Case::new(
        "smuggling/chunk-extension",
        "a chunk extension is passed over, or refused",
        "RFC 9112, § 7.1.1",
        |server| chunks_or_taken(server, "2;name=value\r\n4x\r\n0\r\n\r\n"),
    ),
    Case::new("smuggling/trailers", "trailers are passed over, or refused", TRAILERS, |server| {
        chunks_or_taken(server, "2\r\n4x\r\n0\r\nX-Trailer: x\r\n\r\n")
    }),
    Case::new(
        "smuggling/length-in-trailers",
        "a length in the trailers is none, or refused",
        TRAILERS,
        |server| chunks_or_taken(server, "2\r\n4x\r\n0\r\nContent-Length: 40\r\n\r\n"),
    ),
    Case::new(
        "smuggling/many-trailers",
        "ten thousand trailers are not kept",
        "RFC 9112, § 7.1.2; practice",
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            wire.send(&session.request("POST").header("Transfer-Encoding", "chunked"));
            let trailers = "X-Trailer: x\r\n".repeat(10_000);
            wire.write(format!("2\r\n4x\r\n0\r\n{trailers}\r\n"));
            if let Some(response) = wire.answer_or_end()? {
                response.status(&[200, 400, 413, 431])?;
            }
            server.lives()
        },
    ),
    Case::new(
        "smuggling/request-behind-an-upgrade",
        "a request behind one for a WebSocket is no request",
        "RFC 9110, § 7.8",
        |server| {
            let behind = server.request("GET", "EIO=4&transport=tobi").to_bytes();
            let mut socket = server.websocket("EIO=4&transport=websocket", &behind)?;
            socket.ends()?;
            server.lives()
        },
    ),
    Case::new(
        "smuggling/upgrade-with-body",
        "the body of a request for a WebSocket is no frame of it",
        "RFC 9112, § 6",
        |server| {
            let frame = Frame::text("4smuggled").to_bytes();
            let request = server.upgrade_request("EIO=4&transport=websocket").body(frame);
            let mut wire = server.connect()?;
            wire.send(&request);
            let Some(response) = wire.answer_or_end()? else { return server.lives() };
            if response.status != 101 {
                return response.status(&[400, 413, 426]);
            }
            let mut socket = Socket::new(wire);
            socket.handshake()?;
            match socket.message()? {
                Incoming::Text(text) if text == "4smuggled" => {
                    fail("no message", "the body, as a message")
                }
                _ => Ok(()),
            }
        },
    ),
];

const LENGTH: &str = "RFC 9112, § 6.3";
const BOTH: &str = "RFC 9112, § 6.1: the server MUST close the connection";
const CODING: &str = "RFC 9112, §§ 6.1 and 6.3";
const CHUNKS: &str = "RFC 9112, § 7.1";
const TRAILERS: &str = "RFC 9112, § 7.1.2";
const SPACE: &str = "RFC 9112, § 5.1";
const FOLDED: &str = "RFC 9112, § 5.2";

/// A POST into a session with these headers, a body and a request behind it.
fn request(server: &Server, headers: &[&str]) -> Verdict<String> {
    let session = server.open()?;
    Ok(written(server, "POST", &session.request("POST").target, headers))
}

/// A GET that opens a session, with the same.
fn get(server: &Server, headers: &[&str]) -> String {
    let target = server.request("GET", "EIO=4&transport=polling").target;
    written(server, "GET", &target, headers)
}

/// A request with these headers, a body that is right for two bytes and for chunks alike, and a request
/// behind it.
fn written(server: &Server, method: &str, target: &str, headers: &[&str]) -> String {
    let host = server.target.authority();
    let chunked = headers.iter().any(|header| header.contains("chunked"));
    let body = if chunked { "2\r\n4x\r\n0\r\n\r\n" } else { "4x" };
    let behind = server.request("GET", "EIO=4&transport=tobi").to_bytes();
    let behind = String::from_utf8_lossy(&behind).into_owned();
    let headers = headers.join("\r\n");
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n\r\n{body}{behind}")
}

fn refused(server: &Server, headers: &[&str]) -> Verdict {
    rejected(server, &request(server, headers)?)
}

/// The request has to be refused, and the connection to end: what follows is not answered.
fn rejected(server: &Server, bytes: &str) -> Verdict {
    let mut wire = server.connect()?;
    wire.write(bytes);
    if let Some(response) = wire.answer_or_end()? {
        response.status(&[400, 411, 413, 415, 501])?;
        ends(&mut wire)?;
    }
    server.lives()
}

fn ends_or_refused(server: &Server, headers: &[&str]) -> Verdict {
    ends_within(server, &request(server, headers)?, &[200, 400, 501])
}

/// The request has to be answered so, and the connection to end.
fn ends_within(server: &Server, bytes: &str, statuses: &[u16]) -> Verdict {
    let mut wire = server.connect()?;
    wire.write(bytes);
    if let Some(response) = wire.answer_or_end()? {
        response.status(statuses)?;
        ends(&mut wire)?;
    }
    server.lives()
}

/// The request is right for whoever reads it so: then what follows is answered as the next request; or
/// it is refused, and the connection ends.
fn one_or_none(server: &Server, headers: &[&str]) -> Verdict {
    taken_or_refused(server, &request(server, headers)?)
}

fn taken_or_refused(server: &Server, bytes: &str) -> Verdict {
    let mut wire = server.connect()?;
    wire.write(bytes);
    match wire.answer_or_end()? {
        Some(response) if response.status == 200 => {
            response.taken()?;
            wire.response()?.refused(0)?;
        }
        Some(response) => {
            response.status(&[400, 411, 413, 501])?;
            ends(&mut wire)?;
        }
        None => {}
    }
    server.lives()
}

fn ends(wire: &mut super::super::wire::Wire) -> Verdict {
    match wire.answer_or_end()? {
        None => Ok(()),
        Some(response) => fail(
            "the end of the connection",
            format!("an answer to what follows: {}", response.words()),
        ),
    }
}

/// A body in chunks that are wrong.
fn chunks(server: &Server, body: &str) -> Verdict {
    let session = server.open()?;
    let mut wire = server.connect()?;
    wire.send(&session.request("POST").header("Transfer-Encoding", "chunked"));
    wire.write(body);
    if let Some(response) = wire.answer_or_end()? {
        response.status(&[400, 413])?;
        ends(&mut wire)?;
    }
    server.lives()
}

/// A body in chunks that may be passed over in part, with a request behind it.
fn chunks_or_taken(server: &Server, body: &str) -> Verdict {
    let session = server.open()?;
    let behind = server.request("GET", "EIO=4&transport=tobi").to_bytes();
    let head = session.request("POST").header("Transfer-Encoding", "chunked").to_bytes();
    let bytes = [&head, body.as_bytes(), &behind].concat();
    taken_or_refused(server, &String::from_utf8_lossy(&bytes))
}
