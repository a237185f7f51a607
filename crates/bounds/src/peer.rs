//! Clients by hand: HTTP and WebSockets as bytes, so that they can be as bad as they like.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use socket2::{Domain, Socket, Type};

use super::child::WATCHDOG;

/// A request for a polling handshake.
pub const OPEN: &str = "/engine.io/?EIO=4&transport=polling";

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A connection from one of many addresses of this machine, so that ports do not run out.
pub fn connect_from(number: usize, addr: SocketAddr) -> Result<TcpStream> {
    connect_with(number, addr, None)
}

/// The same; with a number of bytes, as many wait at most on the client's side to be read.
pub fn connect_with(number: usize, addr: SocketAddr, buffer: Option<usize>) -> Result<TcpStream> {
    let from = Ipv4Addr::new(127, 0, 1 + (number / 250 % 250) as u8, 1 + (number % 250) as u8);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(&addr.into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(WATCHDOG))?;
    Ok(stream)
}

/// A request, whole.
pub fn request(method: &str, target: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n").into_bytes();
    for line in headers {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if method == "POST" {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Status and body of an answer that ends.
pub fn receive(stream: &mut impl Read) -> Result<(u16, Vec<u8>)> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    Ok((status, body))
}

pub fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<(u16, Vec<u8>)> {
    // A server that refuses the head need not read the rest.
    let _ = stream.write_all(request);
    receive(stream)
}

pub fn get(addr: SocketAddr, target: &str) -> (u16, Vec<u8>) {
    ask(&mut connect(addr), &request("GET", target, &[], b"")).unwrap()
}

pub fn post(addr: SocketAddr, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
    ask(&mut connect(addr), &request("POST", target, &[], body)).unwrap()
}

/// Opens a polling session; the target of its requests.
pub fn open(addr: SocketAddr) -> String {
    session(&get(addr, OPEN).1)
}

/// The target of a session's requests, by the answer that opens it.
pub fn session(handshake: &[u8]) -> String {
    let handshake = std::str::from_utf8(handshake).unwrap();
    let sid = handshake.split('"').nth(3).unwrap_or_else(|| panic!("{handshake:?}"));
    format!("{OPEN}&sid={sid}")
}

/// A request for a WebSocket; with a session's target, for one that takes it over.
pub fn upgrade(target: &str, deflate: bool) -> Vec<u8> {
    let mut headers = vec![
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    if deflate {
        headers.push("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover");
    }
    request("GET", &target.replace("transport=polling", "transport=websocket"), &headers, b"")
}

/// A WebSocket of its own, behind its handshake.
pub fn websocket(addr: SocketAddr) -> TcpStream {
    websocket_on(connect(addr), OPEN, false)
}

pub fn websocket_on(mut stream: TcpStream, target: &str, deflate: bool) -> TcpStream {
    let (status, body) = ask(&mut stream, &upgrade(target, deflate)).unwrap();
    assert_eq!(status, 101, "{}", String::from_utf8_lossy(&body));
    if !target.contains("sid=") {
        let (first, payload) = read_frame(&mut stream).unwrap();
        assert_eq!((first & 0x0f, payload.first()), (1, Some(&b'0')));
    }
    stream
}

/// A frame with a mask that changes nothing; the first byte is given.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

/// The header of a frame whose payload has `length` bytes.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(0x80 | length as u8),
        126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame
}

pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// The next frame: its first byte and its payload.
pub fn read_frame(stream: &mut impl Read) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            usize::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length)?;
            u64::from_be_bytes(length) as usize
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok((head[0], payload))
}

/// Sends a text and takes it back.
pub fn echo(stream: &mut TcpStream, message: &str) -> Result<()> {
    stream.write_all(&text(message))?;
    let (_, payload) = read_frame(stream)?;
    assert_eq!(payload, message.as_bytes());
    Ok(())
}

/// The code of the close frame that comes next, behind other frames. `None` if there is none.
pub fn close_code(stream: &mut TcpStream) -> Option<u16> {
    loop {
        match read_frame(stream) {
            Ok((0x88, payload)) => {
                return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// Writes to each of the streams, again and again, until none takes more. Says how much they took.
pub fn fill(streams: &mut [TcpStream], bytes: &[u8]) -> usize {
    let mut taken = vec![0; streams.len()];
    let mut quiet = 0;
    for stream in &mut *streams {
        stream.set_nonblocking(true).unwrap();
    }
    while quiet < 10 {
        let mut moved = false;
        for (stream, taken) in streams.iter_mut().zip(&mut taken) {
            for _ in 0..100 {
                match stream.write(&bytes[*taken % bytes.len()..]) {
                    Ok(count) => {
                        *taken += count;
                        moved = true;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        quiet = if moved { 0 } else { quiet + 1 };
        std::thread::sleep(Duration::from_millis(if moved { 0 } else { 20 }));
    }
    taken.iter().sum()
}

/// What a message of zeros becomes, compressed as RFC 7692, § 7.2.1, describes it.
pub fn deflated(prefix: &[u8], length: usize) -> Vec<u8> {
    let mut payload = prefix.to_vec();
    payload.resize(prefix.len() + length, b'0');
    let mut out = Vec::with_capacity(payload.len() / 100 + 1000);
    let mut zlib = Compress::new(Compression::best(), false);
    zlib.compress_vec(&payload, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(zlib.total_in(), payload.len() as u64);
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}
