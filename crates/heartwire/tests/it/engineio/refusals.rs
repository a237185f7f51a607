//! What a server says to requests that it does not take: to the byte, and whether the connection goes on.

use heartwire::engineio::{Cors, Server, Transport};

use super::wire::{self, OPEN, connect, get, post, receive, session, start};

#[test]
fn http_that_breaks_its_rules_ends_the_connection_wherever_it_goes() {
    let (_runtime, server) = start(Server::builder().cors(Cors::any()));
    let coded = "Host: x\r\nTransfer-Encoding: gzip, chunked";
    for (target, method) in [(OPEN, "GET"), (OPEN, "OPTIONS"), ("/elsewhere", "POST")] {
        for (headers, status) in [(coded, 501), ("X: x", 400), ("Host: x\r\nHost: x", 400)] {
            let mut stream = connect(server.addr);
            let request = format!("{method} {target} HTTP/1.1\r\n{headers}\r\n\r\n");
            std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
            let answer = receive(&mut stream);
            assert_eq!((answer.status, answer.text()), (status, ""), "{request}");
            assert_eq!(answer.header("connection"), Some("close"), "{request}");
            wire::assert_ends(&mut stream);
        }
    }
}

#[test]
fn a_websocket_is_asked_for_with_get() {
    let (_runtime, server) = start(Server::builder());
    let sid = get(server.addr, OPEN, &[]).sid();
    for query in [String::new(), format!("&sid={sid}")] {
        let mut stream = connect(server.addr);
        let target = format!("POST /engine.io/?EIO=4&transport=websocket{query}");
        wire::begin(&mut stream, &target, &["Connection: Upgrade", "Upgrade: websocket"]);
        std::io::Write::write_all(&mut stream, b"\r\n").unwrap();
        let answer = receive(&mut stream);
        assert_eq!((answer.status, answer.text()), (405, "Method not allowed"), "{query}");
        assert_eq!(answer.header("allow"), Some("GET"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[test]
fn subprotocols_are_tokens() {
    let (_runtime, server) = start(Server::builder());
    for list in ["a,,b", "a,", "", "a b", "a,a"] {
        let line = format!("Sec-WebSocket-Protocol: {list}");
        let (_, answer) = wire::upgrade(server.addr, "", &[&line]);
        let words = "Invalid Sec-WebSocket-Protocol header";
        assert_eq!((answer.status, answer.text()), (400, words), "{list}");
    }
    let lines = ["Sec-WebSocket-Protocol: b , c", "Sec-WebSocket-Protocol: a"];
    let (_, answer) = wire::upgrade(server.addr, "", &lines);
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some("b")));
}

#[test]
fn without_websockets_who_asks_for_one_has_made_a_request_like_others() {
    let (_runtime, server) = start(Server::builder().transports([Transport::Polling]));
    let (_, answer) = wire::upgrade(server.addr, "", &[]);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text(), r#"{"code":0,"message":"Transport unknown"}"#);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let lines = ["Connection: Upgrade", "Upgrade: h2c"];
    assert_eq!(get(server.addr, OPEN, &lines).status, 200);
}

#[test]
fn every_content_encoding_counts() {
    let (_runtime, server) = start(Server::builder());
    let open = || session(&get(server.addr, OPEN, &[]).sid());
    for lines in [
        &["Content-Encoding: gzip"][..],
        &["Content-Encoding: identity", "Content-Encoding: gzip"],
        &["Content-Encoding: identity, gzip"],
    ] {
        let answer = post(server.addr, &open(), lines, b"4x");
        assert_eq!((answer.status, answer.text()), (415, ""), "{lines:?}");
    }
    for lines in [&["Content-Encoding: Identity"][..], &["Content-Encoding: identity, identity"]] {
        assert_eq!(post(server.addr, &open(), lines, b"4x").text(), "ok", "{lines:?}");
    }
}
