//! Bodies whose end is in doubt: two servers in a row must never see different requests.
//!
//! Each body holds a request that must not be answered.

use super::super::case::Case;
use super::super::finding::{Verdict, fail};
use super::super::server::Server;

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
];

const LENGTH: &str = "RFC 9112, § 6.3";
const BOTH: &str = "RFC 9112, § 6.1: the server MUST close the connection";
const CODING: &str = "RFC 9112, §§ 6.1 and 6.3";
const CHUNKS: &str = "RFC 9112, § 7.1";

/// A POST with these headers, a body that is right for two bytes and for chunks alike, and a request
/// behind it.
fn request(server: &Server, headers: &[&str]) -> Verdict<String> {
    let session = server.open()?;
    let head = session.request("POST");
    let path = head.target;
    let host = server.target.authority();
    let chunked = headers.iter().any(|header| header.contains("chunked"));
    let body = if chunked { "2\r\n4x\r\n0\r\n\r\n" } else { "4x" };
    let behind = server.request("GET", "EIO=4&transport=tobi").to_bytes();
    let behind = String::from_utf8_lossy(&behind).into_owned();
    let headers = headers.join("\r\n");
    Ok(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n\r\n{body}{behind}"))
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
    let mut wire = server.connect()?;
    wire.write(request(server, headers)?);
    if let Some(response) = wire.answer_or_end()? {
        response.status(&[200, 400])?;
        ends(&mut wire)?;
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
