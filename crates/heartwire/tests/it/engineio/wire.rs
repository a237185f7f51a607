//! HTTP and WebSocket by hand, for tests of what a server says to the byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use heartwire::engineio::ServerBuilder;
use tokio::runtime::Runtime;

use super::support::{TestServer, echo};
use crate::support::WATCHDOG;

/// A request for a polling handshake.
pub(crate) const OPEN: &str = "/engine.io/?EIO=4&transport=polling";

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Every header, its name in small letters.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} is repeated: {values:?}");
        values.first().copied()
    }

    /// The session id in a handshake.
    pub(crate) fn sid(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.text().split('"').nth(3).unwrap().to_owned()
    }
}

/// A server that sends everything back, and the threads that it runs on.
pub(crate) fn start(builder: ServerBuilder) -> (Runtime, TestServer) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(echo(builder));
    (runtime, server)
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    stream
}

/// Sends the start of a request, with lines of headers, without anything that ends it.
pub(crate) fn begin(stream: &mut TcpStream, start: &str, headers: &[&str]) {
    let mut text = format!("{start} HTTP/1.1\r\nHost: example.com\r\n");
    for line in headers {
        text.push_str(line);
        text.push_str("\r\n");
    }
    stream.write_all(text.as_bytes()).unwrap();
}

pub(crate) fn get(addr: SocketAddr, target: &str, headers: &[&str]) -> Answer {
    let mut stream = connect(addr);
    begin(&mut stream, &format!("GET {target}"), headers);
    stream.write_all(b"\r\n").unwrap();
    receive(&mut stream)
}

pub(crate) fn post(addr: SocketAddr, target: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut stream = connect(addr);
    begin(&mut stream, &format!("POST {target}"), headers);
    write!(stream, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
    // A server that refuses the headers need not read what follows.
    let _ = stream.write_all(body);
    receive(&mut stream)
}

/// The target of a session's requests.
pub(crate) fn session(sid: &str) -> String {
    format!("{OPEN}&sid={sid}")
}

/// The next answer.
pub(crate) fn receive(stream: &mut TcpStream) -> Answer {
    receive_as(stream, false)
}

/// The next answer; one to `HEAD` has the length of a body that does not come.
pub(crate) fn receive_as(stream: &mut TcpStream, head_only: bool) -> Answer {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: vec![] };
    if let (Some(length), false) = (answer.header("content-length"), head_only) {
        answer.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut answer.body).unwrap();
    }
    answer
}

/// Nothing more comes, and the connection is closed.
#[track_caller]
pub(crate) fn assert_ends(stream: &mut TcpStream) {
    let mut rest = vec![];
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

/// Asks for a WebSocket; what the server says to that.
pub(crate) fn upgrade(addr: SocketAddr, query: &str, headers: &[&str]) -> (TcpStream, Answer) {
    let mut stream = connect(addr);
    let answer = upgrade_on(&mut stream, query, headers);
    (stream, answer)
}

/// The same over a connection that is there already.
pub(crate) fn upgrade_on(stream: &mut TcpStream, query: &str, headers: &[&str]) -> Answer {
    let mut lines = vec![
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    lines.extend_from_slice(headers);
    begin(stream, &format!("GET /engine.io/?EIO=4&transport=websocket{query}"), &lines);
    stream.write_all(b"\r\n").unwrap();
    receive(stream)
}

/// A WebSocket of its own, behind its handshake.
pub(crate) fn websocket(addr: SocketAddr) -> TcpStream {
    let (mut stream, answer) = upgrade(addr, "", &[]);
    assert_eq!(answer.status, 101);
    assert!(read_text(&mut stream).starts_with("0{"));
    stream
}

/// Sends a frame; the first byte is given, as RFC 6455, § 5.2, describes it.
pub(crate) fn write_frame(stream: &mut TcpStream, first: u8, payload: &[u8]) {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]); // a mask that changes nothing
    frame.extend_from_slice(payload);
    stream.write_all(&frame).unwrap();
}

pub(crate) fn write_text(stream: &mut TcpStream, text: &str) {
    write_frame(stream, 0x81, text.as_bytes());
}

/// The next frame: its first byte and its payload.
pub(crate) fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length) as usize
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

pub(crate) fn read_text(stream: &mut TcpStream) -> String {
    let (first, payload) = read_frame(stream);
    assert_eq!(first, 0x81, "a text frame, not {payload:?}");
    String::from_utf8(payload).unwrap()
}

/// The code of the close frame that comes next.
pub(crate) fn read_close(stream: &mut TcpStream) -> Option<u16> {
    let (first, payload) = read_frame(stream);
    assert_eq!(first, 0x88, "a close frame, not {payload:?}");
    payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}
