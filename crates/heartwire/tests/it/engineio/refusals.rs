//! What a server says to requests that it does not take: to the byte, and whether the connection goes on.

use heartwire::engineio::{Cors, Server};

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
