//! Who gets in: pages by their origin, and everybody by what the application decides.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use heartwire::engineio::{Rejection, Server, ServerBuilder, TrustedProxies};

use super::support::TestServer;
use super::wire::{
    Answer, OPEN, begin, connect, get, post, read_text, receive, session, start, upgrade,
    websocket, write_text,
};

/// A page, by the `Origin` headers of its requests, and whether it is let in without a proxy, by way of
/// a stranger who claims to be one, and by way of a proxy that is trusted.
///
/// The server is asked as `example.com`. Both, stranger and proxy, say that `public.example` was asked for,
/// over TLS. Source: RFC 6454, §§ 4 and 7.3; `spec/departures.md` for pages over `http` of a server that
/// speaks TLS.
const PAGES: [(&[&str], [bool; 3]); 12] = [
    (&[], [true, true, true]), // no page
    (&["Origin: http://example.com"], [true, true, false]),
    (&["Origin: https://example.com"], [true, true, true]),
    (&["Origin: http://EXAMPLE.com:80"], [true, true, false]),
    (&["Origin: https://example.com:443"], [true, true, true]),
    (&["Origin: http://example.com:8080"], [false, false, false]),
    (&["Origin: https://public.example"], [false, false, true]),
    (&["Origin: http://public.example"], [false, false, false]),
    (&["Origin: https://example.com.evil.example"], [false, false, false]),
    (&["Origin: https://evil.example"], [false, false, false]),
    (&["Origin: null"], [false, false, false]),
    (&["Origin: https://example.com", "Origin: https://evil.example"], [false, false, false]),
];

/// A request to a server, with a session's id and headers.
type Ask = fn(SocketAddr, &str, &[&str]) -> Answer;

/// The ways in.
const WAYS: [(&str, Ask); 5] = [
    ("opening over polling", |addr, _, headers| get(addr, OPEN, headers)),
    ("opening over WebSocket", |addr, _, headers| upgrade(addr, "", headers).1),
    ("GET", |addr, sid, headers| get(addr, &session(sid), headers)),
    ("POST", |addr, sid, headers| post(addr, &session(sid), headers, b"4x")),
    ("upgrade", |addr, sid, headers| upgrade(addr, &format!("&sid={sid}"), headers).1),
];

#[test]
fn pages_get_in_by_their_origin_whatever_the_way() {
    let mut wrong = vec![];
    let mut tried = 0;
    let claims = ["X-Forwarded-Host: public.example", "X-Forwarded-Proto: https"];
    let trusted = TrustedProxies::new(["127.0.0.1".parse().unwrap()]);
    let ways_there = [
        ("nobody", Server::builder(), &claims[..0]),
        ("a stranger", Server::builder(), &claims),
        ("a proxy", Server::builder().trusted_proxies(trusted), &claims),
    ];
    for (by, (proxy, builder, claims)) in ways_there.into_iter().enumerate() {
        let (_runtime, mut server) = start(builder);
        for (origins, allowed) in PAGES {
            let headers = [origins, claims].concat();
            for (way, ask) in WAYS {
                // A session with something to fetch, opened by a program.
                let sid = get(server.addr, OPEN, &[]).sid();
                assert_eq!(post(server.addr, &session(&sid), &[], b"4mine").text(), "ok");
                let before = server.server.stats();
                while server.seen.try_recv().is_ok() {}
                let answer = ask(server.addr, &sid, &headers);
                tried += 1;
                let got_in = matches!(answer.status, 101 | 200);
                let silent = server.seen.try_recv().is_err()
                    && server.server.stats().connected == before.connected
                    && answer.header("access-control-allow-origin").is_none()
                    && answer.status == 403;
                if got_in != allowed[by] || !(got_in || silent) {
                    wrong.push(format!("{way}, by way of {proxy}, {headers:?}: {answer:?}"));
                }
            }
        }
    }
    assert_eq!(tried, 180);
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the application does to a request that it does not want.
const REFUSALS: [(&str, u16); 3] = [("denies", 403), ("hangs", 503), ("panics", 500)];

/// Lets in who says nothing.
fn guarded() -> ServerBuilder {
    let builder = Server::builder().hook_timeout(Duration::from_millis(200));
    builder.allow_request(|request| async move {
        match request.header("x-guard") {
            None => Ok(()),
            Some("denies") => Err(Rejection::forbidden("no")),
            Some("hangs") => std::future::pending().await,
            Some(_) => panic!("as the test wants it"),
        }
    })
}

#[test]
fn who_is_not_let_in_is_not_heard_and_hears_nothing() {
    for (refusal, status) in REFUSALS {
        let guard = format!("X-Guard: {refusal}");
        let (runtime, mut server) = start(guarded());
        let mut honest = websocket(server.addr);
        runtime.block_on(server.connection());

        // Over polling, with a message behind the request.
        let mut stream = connect(server.addr);
        begin(&mut stream, &format!("GET {OPEN}"), &[&guard]);
        stream.write_all(b"\r\n").unwrap();
        server.server.broadcast("for those inside");
        assert_eq!(receive(&mut stream).status, status, "{refusal}");
        refused(&mut server, &mut honest, 1);

        // Over WebSocket, with a message behind the request.
        let mut stream = connect(server.addr);
        begin_websocket(&mut stream, "", &guard);
        write_text(&mut stream, "4smuggled");
        server.server.broadcast("for those inside");
        assert_eq!(receive(&mut stream).status, status, "{refusal}");
        nothing_more(&mut stream);
        refused(&mut server, &mut honest, 1);

        // As an upgrade of somebody's session, which polls on.
        let sid = get(server.addr, OPEN, &[]).sid();
        runtime.block_on(server.connection());
        let mut stream = connect(server.addr);
        begin_websocket(&mut stream, &format!("&sid={sid}"), &guard);
        write_text(&mut stream, "2probe");
        write_text(&mut stream, "5");
        write_text(&mut stream, "4smuggled");
        server.server.broadcast("for those inside");
        assert_eq!(receive(&mut stream).status, status, "{refusal}");
        nothing_more(&mut stream);
        refused(&mut server, &mut honest, 2);
        assert_eq!(get(server.addr, &session(&sid), &[]).text(), "4for those inside");
        assert_eq!(post(server.addr, &session(&sid), &[], b"1").text(), "ok");
    }
}

#[test]
fn who_is_refused_is_told_although_it_goes_on_sending() {
    let (_runtime, server) = start(guarded());
    let sid = get(server.addr, OPEN, &[]).sid();
    let (own, unknown) = (format!("&sid={sid}"), "&sid=nobodys");
    let asked =
        [("", "X-Guard: denies", 403), ("", "X-Guard: hangs", 503), ("", "X-Guard: panics", 500)];
    let others = [
        (own.as_str(), "X-Guard: denies", 403),
        (unknown, "X-Nothing: at all", 400),
        ("", "Origin: https://elsewhere.example", 403),
    ];
    for (query, header, status) in asked.into_iter().chain(others) {
        let mut stream = connect(server.addr);
        begin_websocket(&mut stream, query, header);
        // Some of it comes when the answer is there, and some before.
        for _ in 0..20 {
            write_text(&mut stream, "4and on it goes");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(receive(&mut stream).status, status, "{header}");
        let mut rest = vec![];
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "{header}");
    }
}

#[test]
fn who_leaves_while_it_is_decided_leaves_nothing() {
    let (runtime, mut server) = start(guarded());
    let sid = get(server.addr, OPEN, &[]).sid();
    runtime.block_on(server.connection());
    for _ in 0..20 {
        let mut polling = connect(server.addr);
        begin(&mut polling, &format!("GET {OPEN}"), &["X-Guard: hangs"]);
        polling.write_all(b"\r\n").unwrap();
        let mut opening = connect(server.addr);
        begin_websocket(&mut opening, "", "X-Guard: hangs");
        write_text(&mut opening, "4smuggled");
        let mut upgrading = connect(server.addr);
        begin_websocket(&mut upgrading, &format!("&sid={sid}"), "X-Guard: hangs");
        write_text(&mut upgrading, "2probe");
    }
    // Another upgrade is not in their way, nor they in its.
    let (mut socket, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!(answer.status, 101);
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    write_text(&mut socket, "5");
    write_text(&mut socket, "4hello");
    assert_eq!(read_text(&mut socket), "4hello");
    let stats = server.server.stats();
    assert_eq!((stats.connected, stats.polling, stats.websocket), (1, 0, 1));
}

/// Nobody has come, nothing was heard, and the broadcast has reached those inside alone.
#[track_caller]
fn refused(server: &mut TestServer, honest: &mut TcpStream, inside: usize) {
    assert_eq!(read_text(honest), "4for those inside");
    let event = server.seen.try_recv();
    assert!(event.is_err(), "{event:?}");
    let stats = server.server.stats();
    assert_eq!(stats.polling + stats.websocket, inside);
    assert_eq!((server.server.len(), stats.messages_received), (inside, 0));
}

/// Sends a request for a WebSocket, and does not wait for what comes of it.
fn begin_websocket(stream: &mut TcpStream, query: &str, header: &str) {
    let lines = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        header,
    ];
    begin(stream, &format!("GET /engine.io/?EIO=4&transport=websocket{query}"), &lines);
    stream.write_all(b"\r\n").unwrap();
}

/// After a refusal, the bytes that were sent along are no request, and nothing but its refusal comes.
#[track_caller]
fn nothing_more(stream: &mut TcpStream) {
    let mut rest = vec![];
    // Bytes that the server has not read may end the connection by a reset.
    let _ = stream.read_to_end(&mut rest);
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("inside") && !rest.contains("101"), "{rest}");
}
