//! Requests for a WebSocket, right and wrong.

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, equal, fail};
use super::super::frame::Frame;
use super::super::request::Request;
use super::super::server::Server;
use super::super::socket::{Incoming, Socket};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "opening/granted",
        "a request for a WebSocket is granted, and proves that it was read",
        "RFC 6455, § 4.2.2",
        |server| opens(server, &request(server)),
    ),
    Case::new(
        "opening/in-other-letters",
        "names and tokens of headers may be in any letters",
        "RFC 6455, § 4.2.1",
        |server| {
            opens(
                server,
                &request(server).with("connection", "uPgRaDe").with("UPGRADE", "WebSocket"),
            )
        },
    ),
    Case::new(
        "opening/list-of-options",
        "Connection may name other options, too",
        "RFC 6455, § 4.2.1",
        |server| opens(server, &request(server).with("Connection", "keep-alive, Upgrade")),
    ),
    Case::new(
        "opening/two-connection-headers",
        "Connection may be repeated: all its values count",
        "RFC 9110, § 5.3",
        |server| {
            opens(
                server,
                &request(server).with("Connection", "keep-alive").header("Connection", "Upgrade"),
            )
        },
    ),
    Case::new(
        "opening/early-bytes",
        "what follows the request at once is the WebSocket's",
        "RFC 6455, § 4.1",
        |server| {
            server.needs_echo()?;
            let mut socket = server.websocket(WEBSOCKET, &Frame::text("4early").to_bytes())?;
            socket.handshake()?;
            socket.brings("4early")
        },
    ),
    Case::new(
        "opening/no-version-of-protocol",
        "a request without a version of Engine.IO is refused before the WebSocket opens",
        PROTOCOL,
        |server| {
            refused(
                server,
                &server.upgrade_request("transport=websocket"),
                &[400],
                "Unsupported protocol version",
            )
        },
    ),
    Case::new(
        "opening/version-words",
        "a request with a version that is none is refused before the WebSocket opens",
        PROTOCOL,
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=abc&transport=websocket"),
                &[400],
                "Unsupported protocol version",
            )
        },
    ),
    Case::new(
        "opening/version-3",
        "version 3 is refused before the WebSocket opens where it is switched off",
        PROTOCOL,
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=3&transport=websocket"),
                &[400],
                "Unsupported protocol version",
            )
        },
    ),
    Case::new(
        "opening/no-transport",
        "a request without a transport is refused",
        PROTOCOL,
        |server| refused(server, &server.upgrade_request("EIO=4"), &[400], "Transport unknown"),
    ),
    Case::new(
        "opening/unknown-transport",
        "a request with an unknown transport is refused",
        PROTOCOL,
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=4&transport=abc"),
                &[400],
                "Transport unknown",
            )
        },
    ),
    Case::new(
        "opening/transport-proto",
        "a request with a transport called __proto__ is refused",
        "CVE-2023-31125",
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=4&transport=__proto__"),
                &[400],
                "Transport unknown",
            )
        },
    ),
    Case::new(
        "opening/polling",
        "a request for a WebSocket that asks for polling is refused",
        PROTOCOL,
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=4&transport=polling"),
                &[400],
                "Bad request",
            )
        },
    ),
    Case::new(
        "opening/unknown-session",
        "a request of an unknown session is refused",
        PROTOCOL,
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=4&transport=websocket&sid=test"),
                &[400],
                "Session ID unknown",
            )
        },
    ),
    Case::new(
        "opening/session-proto",
        "a request of a session called __proto__ is refused",
        "GHSA-gr94-w7qr-f4j3",
        |server| {
            refused(
                server,
                &server.upgrade_request("EIO=4&transport=websocket&sid=__proto__"),
                &[400],
                "Session ID unknown",
            )
        },
    ),
    Case::new("opening/no-key", "a request without a key is refused", RFC, |server| {
        refused(server, &request(server).without("Sec-WebSocket-Key"), &[400], KEY)
    }),
    Case::new("opening/empty-key", "an empty key is refused", RFC, |server| {
        refused(server, &request(server).with("Sec-WebSocket-Key", ""), &[400], KEY)
    }),
    Case::new("opening/short-key", "a key of fifteen bytes is refused", RFC, |server| {
        refused(
            server,
            &request(server).with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"),
            &[400],
            KEY,
        )
    }),
    Case::new("opening/long-key", "a key of eighteen bytes is refused", RFC, |server| {
        refused(
            server,
            &request(server).with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZTEy"),
            &[400],
            KEY,
        )
    }),
    Case::new("opening/key-no-base64", "a key that is no base64 is refused", RFC, |server| {
        refused(
            server,
            &request(server).with("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!=="),
            &[400],
            KEY,
        )
    }),
    Case::new("opening/two-keys", "two keys are refused", "RFC 6455, § 11.3.1", |server| {
        let second = request(server).header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==");
        not_switched(server, &second)
    }),
    Case::new(
        "opening/websocket-version-12",
        "another version of WebSocket is refused, and told which is spoken",
        "RFC 6455, § 4.4",
        |server| old(server, request(server).with("Sec-WebSocket-Version", "12")),
    ),
    Case::new(
        "opening/no-websocket-version",
        "a request without a version of WebSocket is refused, and told which is spoken",
        "RFC 6455, § 4.4",
        |server| old(server, request(server).without("Sec-WebSocket-Version")),
    ),
    Case::new(
        "opening/websocket-version-words",
        "a version of WebSocket that is no number is refused",
        "RFC 6455, § 4.4",
        |server| old(server, request(server).with("Sec-WebSocket-Version", "thirteen")),
    ),
    Case::new("opening/other-protocol", "an upgrade to something else is refused", RFC, |server| {
        refused(
            server,
            &request(server).with("Upgrade", "h2c"),
            &[400, 426],
            "Invalid Upgrade header",
        )
    }),
    Case::new(
        "opening/no-connection-header",
        "an Upgrade that Connection does not name is a plain GET",
        "RFC 9110, § 7.8",
        |server| server.exchange(&request(server).without("Connection"))?.refused(3),
    ),
    Case::new(
        "opening/no-upgrade-header",
        "a Connection that names no Upgrade header is a plain GET",
        "RFC 9110, § 7.8",
        |server| server.exchange(&request(server).without("Upgrade"))?.refused(3),
    ),
    Case::new("opening/post", "a POST for a WebSocket is refused", "RFC 6455, § 4.1", |server| {
        let mut post = request(server);
        post.method = "POST".to_owned();
        server.exchange(&post)?.upgrade_refused(&[400, 405])
    }),
    Case::new("opening/http-1-0", "HTTP/1.0 has no WebSockets", "RFC 6455, § 4.1", |server| {
        not_switched(server, &request(server).version("HTTP/1.0"))
    }),
    Case::new(
        "opening/no-host",
        "a request without a Host is refused",
        "RFC 6455, § 4.1",
        |server| not_switched(server, &request(server).without("Host")),
    ),
    Case::new(
        "opening/other-path",
        "a WebSocket at another path is not found",
        "RFC 6455, § 4.2.2",
        |server| {
            let target = format!("/nowhere/?{WEBSOCKET}");
            let request = Request::new("GET", target, server.target.authority()).upgrade();
            server.exchange(&request)?.status(&[404])
        },
    ),
    Case::new(
        "opening/subprotocol",
        "of the subprotocols, one that was offered is chosen, or none",
        "RFC 6455, § 4.2.2",
        |server| {
            let response = server
                .exchange(&request(server).header("Sec-WebSocket-Protocol", "chat, superchat"))?;
            response.switches()?;
            let chosen = response.header("sec-websocket-protocol");
            ensure(
                matches!(chosen, None | Some("chat" | "superchat")),
                "chat, superchat or none",
                || format!("{chosen:?}"),
            )
        },
    ),
    Case::new(
        "opening/empty-subprotocol",
        "a list of subprotocols with a hole is refused, or one of them chosen",
        "RFC 9110, § 5.6.1.2; Node",
        |server| {
            let response =
                server.exchange(&request(server).header("Sec-WebSocket-Protocol", "a,,b"))?;
            if response.status == 400 {
                return Ok(());
            }
            response.switches()?;
            let chosen = response.header("sec-websocket-protocol");
            ensure(matches!(chosen, None | Some("a" | "b")), "a, b or none", || {
                format!("{chosen:?}")
            })
        },
    ),
    Case::new(
        "opening/only-commas",
        "eight thousand commas are no subprotocol",
        "CVE-2021-32640",
        |server| {
            let commas = request(server).header("Sec-WebSocket-Protocol", ",".repeat(8000));
            let response = server.exchange(&commas)?;
            if response.status == 101 {
                equal("Sec-WebSocket-Protocol", response.header("sec-websocket-protocol"), None)?;
            }
            server.lives()
        },
    ),
    Case::new(
        "opening/extension",
        "an extension that was not offered is not used",
        "RFC 6455, § 9.1",
        |server| {
            let response = server.exchange(&request(server))?;
            response.switches()?;
            equal("Sec-WebSocket-Extensions", response.header("sec-websocket-extensions"), None)
        },
    ),
    Case::new(
        "opening/unknown-extension",
        "an extension that nobody knows is not agreed to",
        "RFC 6455, § 9.1",
        |server| {
            let response = server
                .exchange(&request(server).header("Sec-WebSocket-Extensions", "x-nobody; a=1"))?;
            response.switches()?;
            equal("Sec-WebSocket-Extensions", response.header("sec-websocket-extensions"), None)
        },
    ),
    Case::new(
        "opening/refusal-ends",
        "a refused request for a WebSocket leaves no connection hanging",
        "practice; CVE-2022-41940",
        |server| {
            let mut wire = server.connect()?;
            wire.send(&server.upgrade_request("EIO=4&transport=tobi"));
            let response = wire.response()?;
            response.status(&[400])?;
            if response.closes() {
                return wire.ends();
            }
            wire.send(&server.request("GET", "EIO=4&transport=polling"));
            wire.response()?.status(&[200])
        },
    ),
    Case::new(
        "opening/garbage-behind",
        "garbage behind the request closes the WebSocket and nothing else",
        "CVE-2022-21676",
        |server| {
            let mut socket = server.websocket(WEBSOCKET, &[0xff; 64])?;
            socket.ends()?;
            server.lives()
        },
    ),
    Case::new(
        "opening/garbage-behind-a-refusal",
        "garbage behind a refused request does no harm",
        "CVE-2022-41940",
        |server| {
            let mut bytes = server.upgrade_request("EIO=4&transport=tobi").to_bytes();
            bytes.extend([0xff; 64]);
            server.exchange_bytes(bytes)?;
            server.lives()
        },
    ),
    Case::new(
        "opening/every-first-byte",
        "no first byte behind the request brings the server down",
        "CVE-2022-21676",
        |server| {
            for first in 0..=255 {
                let mut socket = server.websocket(WEBSOCKET, &[first, 0x80, 0, 0, 0, 0])?;
                let allowed = matches!(
                    socket.next()?,
                    Incoming::Text(_) | Incoming::Pong(_) | Incoming::Close(_) | Incoming::End
                );
                ensure(allowed, "the handshake, or the end", || {
                    format!("something else at {first:#04x}")
                })?;
            }
            server.lives()
        },
    ),
];

const WEBSOCKET: &str = "EIO=4&transport=websocket";
const PROTOCOL: &str = "EIO § WebSocket";
const RFC: &str = "RFC 6455, § 4.2.1";
const KEY: &str = "Missing or invalid Sec-WebSocket-Key header";

fn request(server: &Server) -> Request {
    server.upgrade_request(WEBSOCKET)
}

fn opens(server: &Server, request: &Request) -> Verdict {
    let mut wire = server.connect()?;
    wire.send(request);
    wire.response()?.switches()?;
    Socket::new(wire).handshake().map(drop)
}

/// A refusal says in words what is wrong, and ends the connection or leaves it in order.
fn refused(server: &Server, request: &Request, statuses: &[u16], message: &str) -> Verdict {
    let response = server.exchange(request)?;
    response.upgrade_refused(statuses)?;
    ensure(response.body == message.as_bytes(), &format!("the words: {message}"), || {
        response.words()
    })
}

fn not_switched(server: &Server, request: &Request) -> Verdict {
    match server.exchange_bytes(request.to_bytes())? {
        Some(response) if response.status < 400 => fail("an error", response.words()),
        _ => server.lives(),
    }
}

fn old(server: &Server, request: Request) -> Verdict {
    let response = server.exchange(&request)?;
    response.status(&[400, 426])?;
    let versions = response.header("sec-websocket-version").unwrap_or("none");
    let named = versions.split(',').any(|version| version.trim() == "13");
    ensure(named, "Sec-WebSocket-Version: 13", || versions.to_owned())
}
