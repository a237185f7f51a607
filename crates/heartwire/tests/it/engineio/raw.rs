//! The server as bytes see it: what a library on the other side would hide.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use heartwire::engineio::{DisconnectReason, Server};
use tokio::runtime::Runtime;

use super::support::{TestServer, silent};
use crate::support::WATCHDOG;

/// Much less than the heartbeat needs to notice anything (45 s), much more than a machine is slow.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_client_that_leaves_its_get_is_noticed_at_once() {
    let (runtime, mut server) = start();
    let sid = handshake(server.addr);
    let get = send(server.addr, &format!("GET {} HTTP/1.1", path(&sid)), "");
    std::thread::sleep(Duration::from_millis(50)); // so that it waits, which is what is tested
    let start = Instant::now();
    drop(get);
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::TransportClose);
    assert!(start.elapsed() < SOON);
    let (status, body) =
        receive(&mut send(server.addr, &format!("GET {} HTTP/1.1", path(&sid)), ""));
    assert_eq!((status, &*body), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
}

#[test]
fn a_get_behind_one_that_was_left_finds_no_session() {
    let (runtime, mut server) = start();
    for _ in 0..100 {
        let sid = handshake(server.addr);
        let request = format!("GET {} HTTP/1.1", path(&sid));
        drop(send(server.addr, &request, ""));
        // Threads may handle it before the first, which the client had given up when it sent this.
        let (status, body) = receive(&mut send(server.addr, &request, ""));
        assert_eq!((status, &*body), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
        let end = runtime.block_on(server.disconnected());
        assert_eq!(end.reason, DisconnectReason::TransportClose);
    }
}

#[test]
fn a_client_that_leaves_its_websocket_is_noticed_at_once() {
    let (runtime, mut server) = start();
    let socket = websocket(server.addr, "");
    let start = Instant::now();
    drop(socket);
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::TransportClose);
    assert!(start.elapsed() < SOON);
}

#[test]
fn gets_are_answered_at_once_while_upgrading() {
    let (_runtime, server) = start();
    let sid = handshake(server.addr);
    let mut waiting = send(server.addr, &format!("GET {} HTTP/1.1", path(&sid)), "");
    let mut socket = websocket(server.addr, &format!("&sid={sid}"));
    let start = Instant::now();
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    assert_eq!(receive(&mut waiting), (200, "6".to_owned()));
    // As often as the client asks.
    for _ in 0..5 {
        let mut get = send(server.addr, &format!("GET {} HTTP/1.1", path(&sid)), "");
        assert_eq!(receive(&mut get), (200, "6".to_owned()));
    }
    write_text(&mut socket, "5");
    write_text(&mut socket, "4hello");
    assert!(start.elapsed() < SOON);
}

#[test]
fn a_server_that_ends_a_session_without_a_get_has_nothing_to_explain() {
    let (runtime, mut server) = start();
    let sid = handshake(server.addr);
    runtime.block_on(server.connection()).close();
    let mut get = send(server.addr, &format!("GET {} HTTP/1.1", path(&sid)), "");
    assert_eq!(receive(&mut get), (200, "1".to_owned()));
    let end = runtime.block_on(server.disconnected());
    assert_eq!((end.reason, end.detail), (DisconnectReason::ServerDisconnect, None));
}

#[test]
fn no_timer_is_in_the_way_of_an_upgrade_or_an_end() {
    let (runtime, mut server) = start();
    let (mut upgrades, mut ends) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let sid = handshake(server.addr);
        let mut waiting = send(server.addr, &format!("GET {} HTTP/1.1", path(&sid)), "");
        let start = Instant::now();
        let mut socket = websocket(server.addr, &format!("&sid={sid}"));
        write_text(&mut socket, "2probe");
        assert_eq!(read_text(&mut socket), "3probe");
        assert_eq!(receive(&mut waiting), (200, "6".to_owned()));
        write_text(&mut socket, "5");
        write_text(&mut socket, "4through");
        assert_eq!(runtime.block_on(server.message()).as_text(), Some("through"));
        upgrades.push(start.elapsed());
        let start = Instant::now();
        drop(socket);
        runtime.block_on(server.disconnected());
        ends.push(start.elapsed());
    }
    for mut times in [upgrades, ends] {
        times.sort();
        assert!(times[ROUNDS / 2] < TIMER, "{times:?}");
    }
}

/// What other servers wait before they look whether a GET is in the way of an upgrade: many times what two
/// round trips take, of which half may be as slow as they like.
const TIMER: Duration = Duration::from_millis(100);
const ROUNDS: usize = 51;

#[test]
fn what_follows_the_upgrade_in_the_same_segment_counts() {
    let (runtime, mut server) = start();
    let sid = handshake(server.addr);
    let mut socket = websocket(server.addr, &format!("&sid={sid}"));
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    let mut segment = frame("5");
    segment.extend(frame("4first"));
    segment.extend(frame("4second"));
    socket.write_all(&segment).unwrap();
    let messages = runtime.block_on(server.messages(2));
    assert_eq!(messages[0].as_text(), Some("first"));
    assert_eq!(messages[1].as_text(), Some("second"));
}

#[test]
fn bytes_behind_the_handshake_are_the_websockets() {
    let (runtime, mut server) = start();
    let mut stream = connect(server.addr);
    let mut bytes = upgrade_request("").into_bytes();
    bytes.extend(frame("4early"));
    stream.write_all(&bytes).unwrap();
    let message = runtime.block_on(server.message());
    assert_eq!(message.as_text(), Some("early"));
}

#[test]
fn an_upgrade_that_is_abandoned_leaves_polling_alone() {
    let builder = Server::builder().upgrade_timeout(Duration::from_millis(100));
    let runtime = Runtime::new().unwrap();
    let mut server = runtime.block_on(silent(builder));
    let sid = handshake(server.addr);
    // One that says something else, one that says nothing, one that leaves.
    let mut socket = websocket(server.addr, &format!("&sid={sid}"));
    write_text(&mut socket, "4hello");
    assert_closed(&mut socket);
    let mut socket = websocket(server.addr, &format!("&sid={sid}"));
    assert_closed(&mut socket);
    let mut socket = websocket(server.addr, &format!("&sid={sid}"));
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    drop(socket);
    let post = format!("POST {} HTTP/1.1", path(&sid));
    assert_eq!(receive(&mut send(server.addr, &post, "4still here")), (200, "ok".to_owned()));
    let message = runtime.block_on(server.message());
    assert_eq!(message.as_text(), Some("still here"));
}

#[test]
fn a_second_websocket_is_closed_and_the_first_goes_on() {
    let (runtime, mut server) = start();
    let sid = handshake(server.addr);
    let mut first = websocket(server.addr, &format!("&sid={sid}"));
    write_text(&mut first, "2probe");
    assert_eq!(read_text(&mut first), "3probe");
    let mut second = websocket(server.addr, &format!("&sid={sid}"));
    assert_closed(&mut second);
    write_text(&mut first, "5");
    write_text(&mut first, "4through");
    assert_eq!(runtime.block_on(server.message()).as_text(), Some("through"));
    let mut third = websocket(server.addr, &format!("&sid={sid}"));
    assert_closed(&mut third);
    write_text(&mut first, "4still");
    assert_eq!(runtime.block_on(server.message()).as_text(), Some("still"));
}

fn start() -> (Runtime, TestServer) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(silent(Server::builder()));
    (runtime, server)
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn path(sid: &str) -> String {
    format!("/engine.io/?EIO=4&transport=polling&sid={sid}")
}

/// Sends a request and leaves its answer to be received.
fn send(addr: SocketAddr, start: &str, body: &str) -> TcpStream {
    let mut stream = connect(addr);
    let length = body.len();
    write!(stream, "{start}\r\nHost: {addr}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    stream
}

/// Status and body of an answer.
fn receive(stream: &mut TcpStream) -> (u16, String) {
    let head = read_head(stream);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(str::to_owned))
        .map_or(0, |length| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn handshake(addr: SocketAddr) -> String {
    let start = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1";
    let (status, body) = receive(&mut send(addr, start, ""));
    assert_eq!(status, 200);
    let sid = body.split('"').nth(3).unwrap();
    sid.to_owned()
}

fn upgrade_request(query: &str) -> String {
    format!(
        "GET /engine.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: x\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A WebSocket; with a session id in `query`, one that may take that session over.
fn websocket(addr: SocketAddr, query: &str) -> TcpStream {
    let mut stream = connect(addr);
    stream.write_all(upgrade_request(query).as_bytes()).unwrap();
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="));
    if query.is_empty() {
        assert!(read_text(&mut stream).starts_with("0{"));
    }
    stream
}

/// A short masked text frame, written out as RFC 6455 describes it.
fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn write_text(stream: &mut TcpStream, text: &str) {
    stream.write_all(&frame(text)).unwrap();
}

fn read_text(stream: &mut TcpStream) -> String {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x81, "a text frame");
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        short => usize::from(short),
    };
    let mut text = vec![0; length];
    stream.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The server closes the WebSocket with an empty close frame.
#[track_caller]
fn assert_closed(stream: &mut TcpStream) {
    let mut rest = vec![];
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0x88, 0]);
}
