//! What is wrong with what a WebSocket brings, row by row: every byte that comes back, and what becomes
//! of the session.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use heartwire::engineio::{DisconnectReason, Server};

use super::wire::{
    OPEN, begin, connect, get, post, read_frame, read_text, receive, session, start, upgrade,
    websocket, write_frame, write_text,
};

use DisconnectReason::{ClientDisconnect, ParseError, PayloadTooLarge, TransportError};

/// A frame that the server closes with, and nothing behind it.
const EMPTY_CLOSE: &[u8] = &[0x88, 0];

#[test]
fn what_ends_a_websocket() {
    let long = [7; 1001];
    let masked = |first, payload: &[u8]| {
        let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend(payload);
        frame
    };
    let close = |code: u16| [&[0x88, 2][..], &code.to_be_bytes()].concat();
    let mut fragments = masked(0x02, &[7; 100]);
    (0..10).for_each(|_| fragments.extend(masked(0x00, &[7; 100])));
    let mut whole = vec![0x82, 0x80 | 126, 3, 0xe9, 0, 0, 0, 0];
    whole.extend(long);
    let rows: [(&str, Vec<u8>, Vec<u8>, DisconnectReason); 18] = [
        ("57 no packet", masked(0x81, b"abc"), EMPTY_CLOSE.into(), ParseError),
        ("57 empty text", masked(0x81, b""), EMPTY_CLOSE.into(), ParseError),
        ("58 close", masked(0x81, b"1"), EMPTY_CLOSE.into(), ClientDisconnect),
        ("59 ping", masked(0x81, b"2"), EMPTY_CLOSE.into(), TransportError),
        ("59 probe", masked(0x81, b"2probe"), EMPTY_CLOSE.into(), TransportError),
        ("61 too long", whole, close(1009), PayloadTooLarge),
        ("61 too long, in pieces", fragments, close(1009), PayloadTooLarge),
        ("62 not masked", vec![0x81, 2, b'4', b'x'], close(1002), TransportError),
        ("62 RSV1", masked(0xc1, b"4x"), close(1002), TransportError),
        ("62 RSV2", masked(0xa1, b"4x"), close(1002), TransportError),
        ("62 RSV3", masked(0x91, b"4x"), close(1002), TransportError),
        ("62 opcode 3", masked(0x83, b"4x"), close(1002), TransportError),
        ("62 nothing to go on with", masked(0x80, b"4x"), close(1002), TransportError),
        ("62 control frame in pieces", masked(0x09, b""), close(1002), TransportError),
        ("62 close of one byte", masked(0x88, b"x"), close(1002), TransportError),
        ("62 close 999", masked(0x88, &999_u16.to_be_bytes()), close(1002), TransportError),
        ("63 not UTF-8", masked(0x81, b"4\xff\xfe"), close(1007), TransportError),
        ("64 garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), close(1002), TransportError),
    ];
    for (name, bytes, expected, reason) in rows {
        let (runtime, mut server) = start(Server::builder().max_payload(1000));
        let mut socket = websocket(server.addr);
        socket.write_all(&bytes).unwrap();
        assert_eq!(rest(&mut socket), expected, "{name}");
        drop(socket);
        assert_eq!(runtime.block_on(server.disconnected()).reason, reason, "{name}");
        assert_eq!(get(server.addr, OPEN, &[]).status, 200, "{name}: the server lives");
    }
}

#[test]
fn what_a_websocket_may_say_for_nothing() {
    let (_runtime, server) = start(Server::builder());
    let mut socket = websocket(server.addr);
    for text in ["3", "0", "5", "6"] {
        write_text(&mut socket, text);
    }
    write_text(&mut socket, "4still here");
    assert_eq!(read_text(&mut socket), "4still here");
    // A base64 text is binary over a WebSocket, too; a separator separates nothing there.
    write_text(&mut socket, "bAQID");
    assert_eq!(read_frame(&mut socket), (0x82, vec![1, 2, 3]));
    write_text(&mut socket, "4a\u{1e}4b");
    assert_eq!(read_text(&mut socket), "4a\u{1e}4b");
}

#[test]
fn what_ends_a_probe_and_leaves_polling_alone() {
    let frames: [(&str, u8, &[u8]); 7] = [
        ("66 message", 0x81, b"4hello"),
        ("66 ping", 0x81, b"2"),
        ("66 another probe", 0x81, b"2probeX"),
        ("66 binary", 0x82, b"2probe"),
        ("66 no packet", 0x81, b"abc"),
        ("66 empty text", 0x81, b""),
        ("67 upgrade without a probe", 0x81, b"5"),
    ];
    for (name, first, payload) in frames {
        let (_runtime, mut server) = start(Server::builder());
        let sid = get(server.addr, OPEN, &[]).sid();
        let (mut socket, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
        write_frame(&mut socket, first, payload);
        assert_eq!(rest(&mut socket), EMPTY_CLOSE, "{name}");
        assert_eq!(post(server.addr, &session(&sid), &[], b"4alive").text(), "ok", "{name}");
        assert_eq!(get(server.addr, &session(&sid), &[]).text(), "4alive", "{name}");
        while let Ok(seen) = server.seen.try_recv() {
            assert!(!format!("{seen:?}").contains("hello"), "{name}: {seen:?}");
        }
    }
}

#[test]
fn a_probe_that_goes_on_in_silence_is_closed_after_a_while() {
    let builder = Server::builder().upgrade_timeout(Duration::from_millis(100));
    let (_runtime, server) = start(builder);
    let sid = get(server.addr, OPEN, &[]).sid();
    let (mut socket, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    assert_eq!(rest(&mut socket), EMPTY_CLOSE);
    assert_eq!(post(server.addr, &session(&sid), &[], b"4alive").text(), "ok");
    assert_eq!(get(server.addr, &session(&sid), &[]).text(), "4alive");
}

#[test]
fn an_upgraded_session_has_left_polling_and_stays_on_its_websocket() {
    let (_runtime, server) = start(Server::builder());
    let sid = get(server.addr, OPEN, &[]).sid();
    let target = session(&sid);
    let (mut socket, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    for _ in 0..2 {
        write_text(&mut socket, "2probe");
        assert_eq!(read_text(&mut socket), "3probe");
    }
    let (mut surplus, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!((answer.status, rest(&mut surplus)), (101, EMPTY_CLOSE.to_vec()), "65 upgrading");
    write_text(&mut socket, "5");
    write_text(&mut socket, "4through");
    assert_eq!(read_text(&mut socket), "4through");
    let (mut surplus, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!((answer.status, rest(&mut surplus)), (101, EMPTY_CLOSE.to_vec()), "65 upgraded");
    let bad = r#"{"code":3,"message":"Bad request"}"#;
    assert_eq!(get(server.addr, &target, &[]).text(), bad, "70");
    assert_eq!(post(server.addr, &target, &[], b"4x").text(), bad, "70");
    write_text(&mut socket, "4still here");
    assert_eq!(read_text(&mut socket), "4still here");
}

#[test]
fn a_second_request_while_one_is_under_way_ends_the_session() {
    for method in ["GET", "POST"] {
        let (runtime, mut server) = start(Server::builder());
        let target = session(&get(server.addr, OPEN, &[]).sid());
        let ask = |end: &str| {
            let mut stream = connect(server.addr);
            begin(&mut stream, &format!("{method} {target}"), &["Content-Length: 2"]);
            write!(stream, "\r\n{end}").unwrap();
            stream
        };
        let mut first = ask(if method == "GET" { "xx" } else { "4" });
        std::thread::sleep(Duration::from_millis(100)); // so that it is the first
        let second = receive(&mut ask("4b"));
        assert_eq!((second.status, second.text()), (400, ""), "{method}");
        let end = runtime.block_on(server.disconnected());
        assert_eq!(end.reason, TransportError, "{method}");
        if method == "GET" {
            let first = receive(&mut first);
            assert_eq!((first.status, first.text()), (200, "1"), "19");
        } else {
            first.write_all(b"a").unwrap();
            assert_eq!(receive(&mut first).status, 400, "20: its body is not taken");
        }
        assert_eq!(get(server.addr, &target, &[]).status, 400);
    }
}

#[test]
fn a_post_that_breaks_off_ends_the_session() {
    let (runtime, mut server) = start(Server::builder());
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let mut stream = connect(server.addr);
    begin(&mut stream, &format!("POST {target}"), &["Content-Length: 10"]);
    stream.write_all(b"\r\n4hal").unwrap();
    drop(stream);
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::TransportClose, "46");
    assert_eq!(get(server.addr, &target, &[]).status, 400);
}

#[test]
fn headers_that_do_not_end_are_not_waited_for() {
    // Time is virtual here: it passes as soon as everybody waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let server = super::support::silent(Server::builder()).await;
        let mut stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(b"GET /engine.io/ HTTP/1.1\r\nHost: x\r\nX-Slow:").await.unwrap();
        let mut rest = vec![];
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    });
}

/// Everything that comes, up to the end.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = vec![];
    stream.read_to_end(&mut rest).unwrap();
    rest
}
