//! HTTP as it should not be, and as it rarely is.

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, fail};
use super::super::request::Request;
use super::super::response::Response;
use super::super::server::{Server, handshake, sid};

pub(super) static CASES: &[Case] = &[
    Case::new("http/garbage", "a first line that is none is refused", "RFC 9112, § 3", |server| {
        rejected(server, "this is no HTTP\r\n\r\n")
    }),
    Case::new(
        "http/binary-garbage",
        "bytes that are no text are refused",
        "RFC 9112, § 3",
        |server| rejected(server, [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3, b'\r', b'\n', b'\r', b'\n']),
    ),
    Case::new("http/no-host", "a request of HTTP/1.1 without a Host is refused", HOST, |server| {
        rejected(server, get(server).without("Host").to_bytes())
    }),
    Case::new("http/two-hosts", "a request with two Hosts is refused", HOST, |server| {
        rejected(server, get(server).header("Host", "other.example").to_bytes())
    }),
    Case::new("http/no-host-1-0", "a request of HTTP/1.0 needs no Host", HOST, |server| {
        let request = get(server).without("Host").version("HTTP/1.0");
        let mut wire = server.connect()?;
        wire.send(&request);
        wire.response()?.status(&[200])
    }),
    Case::new(
        "http/folded-header",
        "a header that goes on in the next line is refused, or read as one",
        "RFC 9112, § 5.2",
        |server| {
            let bytes = get(server).header("X-Folded", "a\r\n b").to_bytes();
            match server.exchange_bytes(bytes)? {
                Some(response) => response.status(&[200, 400]),
                None => Ok(()),
            }
        },
    ),
    Case::new(
        "http/space-before-colon",
        "a space between name and colon is refused",
        "RFC 9112, § 5.1",
        |server| {
            let bytes = format!(
                "GET {}?{HANDSHAKE} HTTP/1.1\r\nHost: {}\r\nX-Space : x\r\n\r\n",
                server.target.path,
                server.target.authority()
            );
            rejected(server, bytes)
        },
    ),
    Case::new("http/nul-in-header", "a NUL in a header is refused", "RFC 9110, § 5.5", |server| {
        rejected(server, get(server).header("X-Nul", "a\0b").to_bytes())
    }),
    Case::new(
        "http/bare-cr-in-header",
        "a carriage return alone in a header is refused",
        "RFC 9112, § 2.2",
        |server| rejected(server, get(server).header("X-Cr", "a\rb").to_bytes()),
    ),
    Case::new(
        "http/nameless-header",
        "a header without a name is refused",
        "RFC 9112, § 5",
        |server| rejected(server, get(server).header("", "x").to_bytes()),
    ),
    Case::new(
        "http/long-address",
        "an address of twenty thousand bytes is refused",
        "RFC 9110, § 15.5.15",
        |server| {
            let bytes =
                server.request("GET", &format!("{HANDSHAKE}&x={}", "x".repeat(20_000))).to_bytes();
            too_large(server, bytes)
        },
    ),
    Case::new(
        "http/long-header",
        "a header of a hundred thousand bytes is refused",
        FIELDS,
        |server| too_large(server, get(server).header("X-Long", "x".repeat(100_000)).to_bytes()),
    ),
    Case::new(
        "http/many-headers",
        "ten thousand headers are refused",
        "RFC 6585, § 5; CVE-2024-37890",
        |server| {
            let mut request = get(server);
            for number in 0..10_000 {
                request = request.header(&format!("X-{number}"), "x");
            }
            too_large(server, request.to_bytes())
        },
    ),
    Case::new(
        "http/many-headers-of-upgrade",
        "ten thousand headers are refused when they ask for a WebSocket, too",
        "RFC 6585, § 5; CVE-2024-37890",
        |server| {
            let mut request = server.upgrade_request("EIO=4&transport=websocket");
            for number in 0..10_000 {
                request = request.header(&format!("X-{number}"), "x");
            }
            too_large(server, request.to_bytes())
        },
    ),
    Case::new(
        "http/fifty-headers",
        "fifty headers are none too many",
        "RFC 9110, § 5.4",
        |server| {
            let mut request = get(server);
            for number in 0..50 {
                request = request.header(&format!("X-{number}"), "x".repeat(100));
            }
            server.exchange(&request)?.status(&[200])
        },
    ),
    Case::new(
        "http/headers-in-any-number",
        "whatever the number of headers, there is an answer",
        "RFC 6585, § 5; CVE-2024-37890",
        |server| {
            let requests = || [get(server), server.upgrade_request("EIO=4&transport=websocket")];
            for count in [0, 1, 63, 64, 65, 99, 100, 101, 127, 128, 129, 255, 256, 257, 2000] {
                for mut request in requests() {
                    for number in 0..count {
                        request = request.header(&format!("X-{number}"), "x");
                    }
                    server.exchange(&request)?.status(&[101, 200, 400, 413, 431])?;
                }
            }
            server.lives()
        },
    ),
    Case::new(
        "http/absolute-form",
        "an address in absolute form is understood",
        "RFC 9112, § 3.2.2",
        |server| {
            let target =
                format!("{}?{HANDSHAKE}", server.target.own_origin() + &server.target.path);
            let request = Request::new("GET", target, server.target.authority());
            server.exchange(&request)?.status(&[200])
        },
    ),
    Case::new("http/asterisk-form", "OPTIONS * does no harm", "RFC 9112, § 3.2.4", |server| {
        let request = Request::new("OPTIONS", "*", server.target.authority());
        server.exchange_bytes(request.to_bytes())?;
        server.lives()
    }),
    Case::new("http/connect", "CONNECT is refused", "RFC 9110, § 9.3.6", |server| {
        let request = Request::new("CONNECT", "example.com:443", server.target.authority());
        match server.exchange_bytes(request.to_bytes())? {
            Some(response) => error(&response),
            None => Ok(()),
        }
    }),
    Case::new("http/trace", "TRACE does not send headers back", "RFC 9110, § 9.3.8", |server| {
        let request = server.request("TRACE", HANDSHAKE).header("Cookie", "secret=1");
        match server.exchange_bytes(request.to_bytes())? {
            Some(response) => error(&response),
            None => Ok(()),
        }
    }),
    Case::new(
        "http/version-9",
        "a version of HTTP that there is not is refused",
        "RFC 9110, § 15.6.6",
        |server| rejected(server, get(server).version("HTTP/9.9").to_bytes()),
    ),
    Case::new(
        "http/no-version",
        "a request without a version is refused",
        "RFC 9112, § 3",
        |server| rejected(server, format!("GET {}?{HANDSHAKE}\r\n\r\n", server.target.path)),
    ),
    Case::new("http/version-2", "the preface of HTTP/2 is refused", "RFC 9113, § 3.4", |server| {
        rejected(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    }),
    Case::new(
        "http/space-in-address",
        "a space in an address is refused",
        "RFC 9112, § 3.2",
        |server| {
            rejected(
                server,
                get_target(server, &format!("{}?{HANDSHAKE}&x=a b", server.target.path)).to_bytes(),
            )
        },
    ),
    Case::new(
        "http/empty-lines-before",
        "empty lines before a request are passed over",
        "RFC 9112, § 2.2",
        |server| {
            let mut bytes = b"\r\n\r\n".to_vec();
            bytes.extend(get(server).to_bytes());
            match server.exchange_bytes(bytes)? {
                Some(response) => response.status(&[200]),
                None => fail("an answer", "the end of the connection"),
            }
        },
    ),
    Case::new(
        "http/pipelining",
        "requests that follow each other are answered in order",
        "RFC 9112, § 9.3.2",
        |server| {
            let mut wire = server.connect()?;
            let mut bytes = get(server).to_bytes();
            bytes.extend(server.request("GET", "EIO=4&transport=tobi").to_bytes());
            bytes.extend(get(server).to_bytes());
            wire.write(bytes);
            let first = sid(&handshake(wire.response()?.packets()?)?)?;
            wire.response()?.refused(0)?;
            let second = sid(&handshake(wire.response()?.packets()?)?)?;
            ensure(first != second, "two sessions", || "one".to_owned())
        },
    ),
    Case::new(
        "http/keep-alive",
        "a connection serves one request after the other",
        "RFC 9112, § 9.3",
        |server| {
            let mut wire = server.connect()?;
            for _ in 0..10 {
                wire.send(&get(server));
                wire.response()?.status(&[200])?;
            }
            Ok(())
        },
    ),
    Case::new(
        "http/connection-close",
        "a connection is closed when the client wants it",
        "RFC 9112, § 9.6",
        |server| {
            let mut wire = server.connect()?;
            wire.send(&get(server).header("Connection", "close"));
            wire.response()?.status(&[200])?;
            wire.ends()
        },
    ),
    Case::new(
        "http/expect-continue",
        "who asks first is told to go on",
        "RFC 9110, § 10.1.1",
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            let request = session.request("POST").header("Content-Length", "2");
            wire.send(&request.header("Expect", "100-continue"));
            wire.response()?.status(&[100])?;
            wire.write("4x");
            wire.response()?.taken()
        },
    ),
    Case::new(
        "http/expect-too-long",
        "who asks first is not told to go on with too much",
        "RFC 9110, § 10.1.1",
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            let length = server.max_payload as u64 + 1;
            let request = session.request("POST").header("Content-Length", length.to_string());
            wire.send(&request.header("Expect", "100-continue"));
            wire.response()?.status(&[413])
        },
    ),
    Case::new(
        "http/half-a-request",
        "a client that goes in the middle of a request does no harm",
        "CVE-2022-41940",
        |server| {
            let bytes = get(server).to_bytes();
            for length in 0..bytes.len() {
                server.connect()?.write(&bytes[..length]);
            }
            server.lives()
        },
    ),
    Case::new(
        "http/half-an-upgrade",
        "a client that goes in the middle of an upgrade does no harm",
        "CVE-2022-41940",
        |server| {
            let bytes = server.upgrade_request("EIO=4&transport=websocket").to_bytes();
            for length in 0..=bytes.len() {
                server.connect()?.write(&bytes[..length]);
            }
            let bytes = server.upgrade_request("EIO=4&transport=tobi").to_bytes();
            for length in 0..=bytes.len() {
                server.connect()?.write(&bytes[..length]);
            }
            server.lives()
        },
    ),
    Case::new(
        "http/header-byte-by-byte",
        "headers may come byte by byte",
        "practice; CVE-2023-43669",
        |server| {
            let mut wire = server.connect()?;
            for byte in get(server).header("X-Long", "x".repeat(4000)).to_bytes() {
                wire.write([byte]);
            }
            wire.response()?.status(&[200])
        },
    ),
];

const HANDSHAKE: &str = "EIO=4&transport=polling";
const HOST: &str = "RFC 9112, § 3.2";
const FIELDS: &str = "RFC 6585, § 5";

fn get(server: &Server) -> Request {
    server.request("GET", HANDSHAKE)
}

fn get_target(server: &Server, target: &str) -> Request {
    Request::new("GET", target, server.target.authority())
}

fn error(response: &Response) -> Verdict {
    ensure(response.status >= 400, "an error", || response.words())
}

/// What is no request of HTTP/1 has to be answered with an error, or by closing the connection; and the
/// connection has to be closed, because nobody knows where the next request begins.
pub(super) fn rejected(server: &Server, bytes: impl AsRef<[u8]>) -> Verdict {
    let mut wire = server.connect()?;
    wire.write(bytes);
    if let Some(response) = wire.answer_or_end()? {
        response.status(&[400, 404, 405, 431, 501, 505])?;
        wire.ends()?;
    }
    server.lives()
}

fn too_large(server: &Server, bytes: Vec<u8>) -> Verdict {
    if let Some(response) = server.exchange_bytes(bytes)? {
        response.status(&[400, 413, 414, 431])?;
    }
    server.lives()
}
