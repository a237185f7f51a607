//! Whoever speaks something else on the port of repod. The first four bytes are a length, mostly of
//! gigabytes.

use super::super::super::case::Case;
use super::super::super::message::{frame, message};

pub(super) static CASES: &[Case] = &[
    Case::repod("repod-stranger/http", "a request of HTTP is not waited for", STRANGER, |server| {
        server.closes_at("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    }),
    Case::repod(
        "repod-stranger/http-post",
        "a page of the web cannot have a browser send messages",
        "CWE-346, cross-protocol requests",
        |server| {
            let body = frame(message("from a page"));
            let head = format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            server.closes_at([head.into_bytes(), body].concat())
        },
    ),
    Case::repod(
        "repod-stranger/http-2",
        "the preface of HTTP/2 is not waited for",
        STRANGER,
        |server| server.closes_at("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ),
    Case::repod(
        "repod-stranger/tls",
        "a TLS handshake on the plain port is not waited for",
        STRANGER,
        |server| {
            // The start of a ClientHello: RFC 8446, §§ 5.1 and 4.1.2.
            let mut hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec();
            hello.resize(517, 7);
            server.closes_at(hello)
        },
    ),
    Case::repod("repod-stranger/ssh", "a client of SSH is not waited for", STRANGER, |server| {
        server.closes_at("SSH-2.0-OpenSSH_9.2\r\n")
    }),
    Case::repod("repod-stranger/json", "JSON is not waited for", STRANGER, |server| {
        server.closes_at("{\"action\": \"hello\"}\n")
    }),
    Case::repod(
        "repod-stranger/bare-msgpack",
        "msgpack without a length is not waited for",
        STRANGER,
        |server| server.closes_at(message("bare")),
    ),
    Case::repod(
        "repod-stranger/little-endian",
        "a length in the other order of bytes is not waited for",
        STRANGER,
        |server| server.closes_at(b"\x0c\0\0\0\x81\xa6action\xa3bad"),
    ),
    Case::repod(
        "repod-stranger/socks",
        "a client of SOCKS is not waited for",
        STRANGER,
        |server| server.closes_at(b"\x05\x01\0\x01\x7f\0\0\x01\0\x50"),
    ),
    Case::repod("repod-stranger/zeros", "a stream of zeros is refused", STRANGER, |server| {
        server.closes_at([0; 4096])
    }),
    Case::repod("repod-stranger/ones", "a stream of ones is refused", STRANGER, |server| {
        server.closes_at([0xff; 4096])
    }),
    Case::repod("repod-stranger/noise", "noise is refused", STRANGER, |server| {
        // A generator of full period (Knuth, MMIX), so that everybody gets the same.
        let mut state: u64 = 1;
        for _ in 0..20 {
            let mut noise: Vec<u8> = (0..4096)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    (state >> 56) as u8
                })
                .collect();
            // A length below this could be one of a frame that waits for its end.
            noise[0] |= 0x40;
            server.closes_at(noise)?;
        }
        Ok(())
    }),
];

const STRANGER: &str = "practice: a length that nobody accepts ends the connection";
