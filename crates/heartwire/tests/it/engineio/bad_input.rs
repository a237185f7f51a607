//! What is wrong with requests, row by row: each answer to the byte, every header but the date, what
//! becomes of the connection and of the session, and which messages were delivered.
//!
//! Where the Node server's answer is right, it is the one expected here; where it is not, ours is a row
//! in `spec/departures.md`.

use std::io::Write;
use std::time::Duration;

use heartwire::engineio::{
    DisconnectReason, Rejection, Server, ServerBuilder, SessionId, Transport,
};

use super::support::Seen;
use super::wire::{Answer, OPEN, assert_ends, connect, get, post, receive_as, session, start};

use After::{Alive, Gone, Nothing};
use DisconnectReason::{ClientDisconnect, ParseError, PayloadTooLarge, TransportError};

/// A request that is written out, and everything that follows from it.
struct Row {
    name: &'static str,
    options: fn(ServerBuilder) -> ServerBuilder,
    request: Vec<u8>,
    head: bool,
    expected: Expected,
    after: After,
    delivered: &'static [&'static str],
}

/// An answer, and whether the connection goes on.
#[derive(Clone)]
struct Expected {
    status: u16,
    /// Sorted, without the date.
    headers: Vec<(&'static str, String)>,
    body: Body,
    connection: Connection,
}

#[derive(Clone)]
enum Body {
    Exact(String),
    Handshake,
}

#[derive(Clone, Copy, PartialEq)]
enum Connection {
    Open,
    Closed,
    /// As the server likes: what it has not read is in the way.
    Either,
}

/// What becomes of the session that the request names.
enum After {
    /// It names none.
    Nothing,
    Alive,
    Gone(DisconnectReason),
}

#[test]
fn requests() {
    for row in rows() {
        check(row);
    }
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let mut rows = vec![];
    let mut add = |name, request: Request, expected, after| {
        let head = request.method == "HEAD";
        let request = request.bytes();
        rows.push(Row { name, options: |builder| builder, request, head, expected, after, delivered: &[] });
    };
    for query in ["", "?EIO=4", "?EIO=4&transport="] {
        add("1 no transport", ask("GET", query), json(0), Nothing);
    }
    for name in ["tobi", "Polling", "constructor", "__proto__", "webtransport"] {
        add("2 unknown transport", ask("GET", &format!("?EIO=4&transport={name}")), json(0), Nothing);
    }
    add("3 websocket without upgrade", ask("GET", "?EIO=4&transport=websocket"), json(3), Nothing);
    for query in ["", "&EIO=3", "&EIO=abc", "&EIO=5", "&EIO=04"] {
        add("4 unknown version", ask("GET", &format!("?transport=polling{query}")), json(5), Nothing);
    }
    add("5 the last counts", ask("GET", "?EIO=4&EIO=3&transport=polling"), json(5), Nothing);
    add("5 the last counts", ask("GET", "?EIO=4&transport=polling&transport=tobi"), json(0), Nothing);
    add("6 empty sid", ask("GET", &format!("{POLLING}&sid=")), handshake(), Nothing);
    for sid in ["test", "__proto__", "%zz", "%00", "AAAAAAAAAAAAAAAAAAAA"] {
        add("7, 80 unknown sid", ask("GET", &format!("{POLLING}&sid={sid}")), json(1), Nothing);
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        add("8 handshake by another method", ask(method, POLLING), json(2), Nothing);
    }
    add("9 HEAD handshake", ask("HEAD", POLLING), json(2), Nothing);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
        let expected = empty(405).with("allow", "GET, POST");
        add("10 another method", ask(method, SESSION), expected, Alive);
    }
    for target in ["/engine.io?EIO=4&transport=polling", "/engine.io/foo/bar?EIO=4&transport=polling"] {
        add("11, 12 another path", ask("GET", POLLING).target(target), empty(404), Nothing);
    }
    add("13 control character in Origin", ask("GET", POLLING).header("Origin: http://a\u{1}b"), malformed(400), Nothing);
    add("13 line feed in Origin", ask("GET", POLLING).header("Origin: http://a\nb"), malformed(400), Nothing);
    add("14 no Host", ask("GET", POLLING).without_host(), malformed(400), Nothing);
    add("14 two Hosts", ask("GET", POLLING).header("Host: y"), malformed(400), Nothing);
    add("14 folded header", ask("GET", POLLING).header("X-Folded: a\r\n b"), malformed(400), Nothing);
    add("14 garbage", raw("this is no HTTP\r\n\r\n"), malformed(400), Nothing);
    add("15 HTTP/1.0", raw("GET /engine.io/?EIO=4&transport=polling HTTP/1.0\r\n\r\n"), handshake().closed(), Nothing);
    add("16 long address", ask("GET", &format!("{POLLING}&x={}", "x".repeat(20_000))), malformed(431), Nothing);
    add("17 websocket without upgrade", ask("GET", "?EIO=4&transport=websocket&sid={sid}"), json(3), Alive);
    for version in ["", "EIO=3&"] {
        let query = format!("?{version}transport=polling&sid={{sid}}");
        add("18 another version", ask("GET", &query), json(3), Alive);
    }
    for body in ["abc", "", "7x", "9", "b!!!", "b-_-_", "b4AQID", "\u{feff}4a", "d=4x", "\u{1e}4a"] {
        add("21, 22, 23, 30, 33, 34, 35, 37, 40 no payload", ask("POST", SESSION).body(body), json(3), Gone(ParseError));
    }
    add("22 no length", ask("POST", SESSION), json(3), Gone(ParseError));
    for body in ["2", "2probe"] {
        add("24 ping", ask("POST", SESSION).body(body), json(3), Gone(TransportError));
    }
    for body in ["3", "0", "0{\"sid\":\"x\"}", "5", "6"] {
        add("25, 26 nothing to do", ask("POST", SESSION).body(body), ok(), Alive);
    }
    add("27 close", ask("POST", SESSION).body("1"), ok(), Gone(ClientDisconnect));
    add("28 behind a close", ask("POST", SESSION).body("1\u{1e}4after"), ok(), Gone(ClientDisconnect));
    add("36 not UTF-8", ask("POST", SESSION).body(b"4\xff\xfe"), json(3), Gone(ParseError));
    for kind in ["application/octet-stream", "application/octet-stream; charset=x"] {
        let request = ask("POST", SESSION).header(&format!("Content-Type: {kind}")).body("4x");
        add("38, 39 binary", request, empty(400).either(), Gone(TransportError));
    }
    add("42 too long", ask("POST", SESSION).body("4".repeat(1001)), empty(413).either(), Gone(PayloadTooLarge));
    let chunks = format!("3e9\r\n{}\r\n0\r\n\r\n", "4".repeat(1001));
    add("42 too long, in chunks", ask("POST", SESSION).header("Transfer-Encoding: chunked").behind(&chunks), empty(413).either(), Gone(PayloadTooLarge));
    add("43 too long, announced", ask("POST", SESSION).header("Content-Length: 1000000").behind("4x"), empty(413).closed(), Gone(PayloadTooLarge));
    add("47 compressed", ask("POST", SESSION).header("Content-Encoding: gzip").body("4x"), empty(415).either(), Gone(TransportError));
    add("48 handshake with a body", ask("GET", POLLING).body("4x"), handshake(), Nothing);
    add("79 JSONP", ask("GET", &format!("{POLLING}&j=alert(1)//3")), handshake(), Nothing);

    for (query, message) in [
        ("?transport=websocket", "Unsupported protocol version"),
        ("?EIO=abc&transport=websocket", "Unsupported protocol version"),
        ("?EIO=3&transport=websocket", "Unsupported protocol version"),
        ("?EIO=4", "Transport unknown"),
        ("?EIO=4&transport=abc", "Transport unknown"),
        ("?EIO=4&transport=__proto__", "Transport unknown"),
        (POLLING, "Bad request"),
        ("?EIO=4&transport=websocket&sid=test", "Session ID unknown"),
    ] {
        add("49, 50, 51, 52 websocket", ask("GET", query).upgrade(), words(400, message), Nothing);
    }
    add("53 websocket to another path", ask("GET", WEBSOCKET).target("/other").upgrade(), empty(404), Nothing);
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let version = "Sec-WebSocket-Version: 13";
    let upgrade = |lines: &[&str]| {
        let request = ask("GET", WEBSOCKET).header("Connection: Upgrade");
        lines.iter().fold(request, |request, line| request.header(line))
    };
    let bad_key = words(400, "Missing or invalid Sec-WebSocket-Key header");
    add("54 no key", upgrade(&["Upgrade: websocket", version]), bad_key.clone(), Nothing);
    add("54 short key", upgrade(&["Upgrade: websocket", version, "Sec-WebSocket-Key: dGhl"]), bad_key, Nothing);
    for line in ["Sec-WebSocket-Version: 12", "X: no version"] {
        let expected = words(426, "Missing or invalid Sec-WebSocket-Version header")
            .with("sec-websocket-version", "13").with("upgrade", "websocket");
        add("54 version", upgrade(&["Upgrade: websocket", key, line]), expected, Nothing);
    }
    add("54 h2c", upgrade(&["Upgrade: h2c", version, key]), words(400, "Invalid Upgrade header"), Nothing);
    add("54 subprotocols", ask("GET", WEBSOCKET).upgrade().header("Sec-WebSocket-Protocol: a,,b"),
        words(400, "Invalid Sec-WebSocket-Protocol header"), Nothing);
    add("55 no Connection", ask("GET", WEBSOCKET).header("Upgrade: websocket"), json(3), Nothing);
    add("56 websocket by POST", ask("POST", WEBSOCKET).upgrade(), words(405, "Method not allowed").with("allow", "GET"), Nothing);

    let mut deliver = |name, request: Request, expected, after, delivered| {
        let request = request.bytes();
        rows.push(Row { name, options: |builder| builder, request, head: false, expected, after, delivered });
    };
    let post = |body: &str| ask("POST", SESSION).body(body);
    deliver("29 behind a message", post("4a\u{1e}abc\u{1e}4b"), json(3), Gone(ParseError), &["a"]);
    deliver("30 separator at the end", post("4a\u{1e}"), json(3), Gone(ParseError), &["a"]);
    deliver("31 empty text", post("4"), ok(), Alive, &[""]);
    deliver("32 empty binary", post("b"), ok(), Alive, &[""]);
    deliver("34 no padding", post("bQUJDRA"), ok(), Alive, &["ABCD"]);
    deliver("39 another type", post("4a").header("Content-Type: application/json"), ok(), Alive, &["a"]);
    let chunks = "2\r\n4a\r\n1\r\nb\r\n0\r\n\r\n";
    deliver("44 in chunks", ask("POST", SESSION).header("Transfer-Encoding: chunked").behind(chunks), ok(), Alive, &["ab"]);

    let mut with = |name, options, request: Request, expected, after| {
        rows.push(Row { name, options, request: request.bytes(), head: false, expected, after, delivered: &[] });
    };
    with("43 body that does not end", |builder| builder.body_timeout(Duration::from_millis(50)),
        ask("POST", SESSION).header("Content-Length: 10").behind("4x"), empty(408).closed(), Gone(TransportError));
    let ping = exact(200, "2", "text/plain; charset=UTF-8").with("cache-control", "no-store");
    with("48 GET with a body", |builder| builder.ping_interval(Duration::from_millis(10)),
        ask("GET", SESSION).body("4x"), ping, Alive);
    with("71 no websockets", |builder| builder.transports([Transport::Polling]),
        ask("GET", WEBSOCKET).upgrade(), json(0), Nothing);
    with("72 no upgrades", |builder| builder.allow_upgrades(false),
        ask("GET", "?EIO=4&transport=websocket&sid={sid}").upgrade(), words(400, "Bad request"), Alive);
    with("73 not let in", forbid, ask("GET", POLLING), exact(403, r#"{"code":4,"message":"no"}"#, "application/json"), Nothing);
    with("73 websocket not let in", forbid, ask("GET", WEBSOCKET).upgrade(), words(403, "no"), Nothing);
    with("74 hook that fails", fail, ask("GET", POLLING), empty(500), Nothing);
    with("75 no session id", no_id, ask("GET", POLLING), json(3), Nothing);
    with("75 websocket without session id", no_id, ask("GET", WEBSOCKET).upgrade(), words(400, "Bad request"), Nothing);
    rows
}

fn forbid(builder: ServerBuilder) -> ServerBuilder {
    builder.allow_request(|_| async { Err(Rejection::forbidden("no")) })
}

fn fail(builder: ServerBuilder) -> ServerBuilder {
    builder.allow_request(|_| async { panic!("a hook that fails") })
}

fn no_id(builder: ServerBuilder) -> ServerBuilder {
    builder.session_id(|_| async { Err::<SessionId, _>("none left") })
}

#[track_caller]
fn check(row: Row) {
    let name = row.name;
    let (runtime, mut server) = start((row.options)(Server::builder().max_payload(1000)));
    let sid = match row.after {
        Nothing => None,
        Alive | Gone(_) => Some(get(server.addr, OPEN, &[]).sid()),
    };
    let bytes = match &sid {
        Some(sid) => replace(&row.request, b"{sid}", sid.as_bytes()),
        None => row.request,
    };
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
    let mut stream = connect(server.addr);
    // A server that refuses the headers need not read what follows.
    let _ = stream.write_all(&bytes);
    let answer = receive_as(&mut stream, row.head);

    let Expected { status, headers, body, connection } = row.expected;
    assert_eq!(answer.status, status, "{name}\n{shown}\n{answer:?}");
    assert_headers(&answer, row.head, &headers, &body, &format!("{name}\n{shown}"));
    match body {
        Body::Exact(body) if !row.head => assert_eq!(answer.text(), body, "{name}\n{shown}"),
        Body::Exact(_) => assert_eq!(answer.text(), "", "{name}"),
        Body::Handshake => assert!(answer.text().starts_with("0{\"sid\":\""), "{name}\n{answer:?}"),
    }
    match connection {
        Connection::Closed => assert_ends(&mut stream),
        Connection::Either => {}
        Connection::Open if answer.header("connection") == Some("close") => {
            assert_ends(&mut stream)
        }
        Connection::Open => {
            stream.write_all(b"GET /is-it-open HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            assert_eq!(receive_as(&mut stream, false).status, 404, "{name}\n{shown}");
        }
    }

    let mut delivered = vec![];
    let mut note = |seen| match seen {
        Seen::Connected(_) => None,
        Seen::Message(message) => {
            delivered.push(String::from_utf8(message.as_bytes().to_vec()).unwrap());
            None
        }
        Seen::Disconnected(disconnected) => Some(disconnected.reason),
    };
    match row.after {
        Nothing => {}
        Alive => {
            while let Ok(seen) = server.seen.try_recv() {
                assert_eq!(note(seen), None, "{name}: the session has ended");
            }
            let target = session(&sid.unwrap());
            assert_eq!(post(server.addr, &target, &[], b"3").text(), "ok", "{name}\n{shown}");
        }
        Gone(reason) => {
            let end = runtime.block_on(async {
                loop {
                    if let Some(end) = note(server.seen.recv().await.unwrap()) {
                        return end;
                    }
                }
            });
            assert_eq!(end, reason, "{name}\n{shown}");
            let answer = get(server.addr, &session(&sid.unwrap()), &[]);
            assert_eq!(answer.text(), r#"{"code":1,"message":"Session ID unknown"}"#, "{name}");
        }
    }
    assert_eq!(delivered, row.delivered, "{name}\n{shown}");
}

#[track_caller]
fn assert_headers(
    answer: &Answer,
    head: bool,
    expected: &[(&str, String)],
    body: &Body,
    name: &str,
) {
    let mut expected: Vec<_> =
        expected.iter().map(|(name, value)| (*name, value.clone())).collect();
    let length = match body {
        Body::Exact(body) => body.len(),
        Body::Handshake => answer.body.len(),
    };
    // An answer to HEAD need not say that there would be no body (RFC 9110, § 8.6).
    if !(head && length == 0) {
        expected.push(("content-length", length.to_string()));
    }
    expected.sort();
    let mut headers: Vec<_> = answer.headers().filter(|(name, _)| *name != "date").collect();
    headers.sort();
    let headers: Vec<_> =
        headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    assert_eq!(headers, expected, "{name}");
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let at = bytes.windows(what.len()).position(|window| window == what).unwrap();
    [&bytes[..at], with, &bytes[at + what.len()..]].concat()
}

impl Expected {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The connection ends, and the answer says so.
    fn closing(self) -> Self {
        self.with("connection", "close").closed()
    }

    /// The connection ends.
    fn closed(self) -> Self {
        Self { connection: Connection::Closed, ..self }
    }

    fn either(self) -> Self {
        Self { connection: Connection::Either, ..self }
    }
}

fn exact(status: u16, body: &str, kind: &str) -> Expected {
    let headers = vec![("content-type", kind.to_owned())];
    Expected { status, headers, body: Body::Exact(body.to_owned()), connection: Connection::Open }
}

fn empty(status: u16) -> Expected {
    Expected { headers: vec![], ..exact(status, "", "") }
}

/// What no server can go on after.
fn malformed(status: u16) -> Expected {
    empty(status).closing()
}

/// The errors of the protocol.
fn json(code: usize) -> Expected {
    let message = [
        "Transport unknown",
        "Session ID unknown",
        "Bad handshake method",
        "Bad request",
        "Forbidden",
        "Unsupported protocol version",
    ][code];
    exact(400, &format!(r#"{{"code":{code},"message":"{message}"}}"#), "application/json")
}

/// What is told to who asks for a WebSocket.
fn words(status: u16, message: &str) -> Expected {
    exact(status, message, "text/html").closing()
}

fn ok() -> Expected {
    exact(200, "ok", "text/html").with("cache-control", "no-store")
}

fn handshake() -> Expected {
    let expected = exact(200, "", "text/plain; charset=UTF-8").with("cache-control", "no-store");
    Expected { body: Body::Handshake, ..expected }
}

/// A request by hand.
struct Request {
    method: String,
    target: String,
    headers: Vec<String>,
    behind: Vec<u8>,
    raw: Option<&'static str>,
}

fn ask(method: &str, query: &str) -> Request {
    Request {
        method: method.to_owned(),
        target: format!("/engine.io/{query}"),
        headers: vec!["Host: x".to_owned()],
        behind: vec![],
        raw: None,
    }
}

fn raw(text: &'static str) -> Request {
    Request { raw: Some(text), ..ask("GET", "") }
}

impl Request {
    fn target(mut self, target: &str) -> Self {
        self.target = target.to_owned();
        self
    }

    fn header(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }

    fn without_host(mut self) -> Self {
        self.headers.remove(0);
        self
    }

    fn upgrade(self) -> Self {
        self.header("Connection: Upgrade")
            .header("Upgrade: websocket")
            .header("Sec-WebSocket-Version: 13")
            .header("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        self.header(&format!("Content-Length: {}", body.len())).behind(body)
    }

    /// What stands behind the headers.
    fn behind(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.behind = bytes.as_ref().to_vec();
        self
    }

    fn bytes(self) -> Vec<u8> {
        if let Some(raw) = self.raw {
            return raw.into();
        }
        let Self { method, target, headers, behind, .. } = self;
        let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
        headers.iter().for_each(|line| bytes.extend(format!("{line}\r\n").bytes()));
        bytes.extend(b"\r\n");
        bytes.extend(behind);
        bytes
    }
}

const POLLING: &str = "?EIO=4&transport=polling";
const WEBSOCKET: &str = "?EIO=4&transport=websocket";
const SESSION: &str = "?EIO=4&transport=polling&sid={sid}";
