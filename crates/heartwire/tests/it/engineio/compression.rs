//! Compressed WebSocket messages.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use heartwire::engineio::client::{ConnectErrorKind, Event};
use heartwire::engineio::{
    Client, ClientBuilder, DisconnectReason, Message, PerMessageDeflate, Server, Transport,
};
use heartwire_proto::websocket::handshake;
use tokio::runtime::Runtime;

use super::support::{TestServer, WAYS, client, echo, odd_messages, silent};
use crate::support::WATCHDOG;

const MAX_PAYLOAD: usize = 100_000;

#[tokio::test]
async fn messages_go_both_ways() {
    for takeover in [false, true] {
        let options = || PerMessageDeflate::new().threshold(0).context_takeover(takeover);
        let server = echo(Server::builder().per_message_deflate(options())).await;
        for (way, transports) in WAYS {
            let builder = client(server.url(), transports).per_message_deflate(options());
            check_echo(builder.connect().await.unwrap(), way).await;
        }
        // Who does not want it has none.
        let builder = client(server.url(), &[Transport::WebSocket]);
        check_echo(builder.connect().await.unwrap(), "without").await;
    }
    let server = echo(Server::builder()).await;
    let builder = client(server.url(), &[Transport::WebSocket]);
    let builder = builder.per_message_deflate(PerMessageDeflate::new());
    check_echo(builder.connect().await.unwrap(), "refused").await;
}

async fn check_echo(client: Client, way: &str) {
    // Again and again: contexts are made of what was before.
    for message in odd_messages().into_iter().cycle().take(30) {
        client.send(message.clone()).await.unwrap();
        let back = loop {
            match client.next().await.unwrap() {
                Event::Message(back) => break back,
                Event::Disconnected(disconnected) => panic!("{way}: {disconnected}"),
                _ => {}
            }
        };
        assert!(back == message, "{way}: a message came back changed");
    }
    client.disconnect().await;
}

#[test]
fn long_messages_are_compressed_on_the_wire() {
    let (_runtime, server) = start(PerMessageDeflate::new());
    let mut socket = Socket::open(&server, "permessage-deflate; client_max_window_bits");
    assert_eq!(
        socket.extensions.as_deref(),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    );
    // The threshold counts the packet with its type, as the Node server does.
    let short = "x".repeat(1022);
    socket.send(0x81, format!("4{short}").as_bytes());
    assert_eq!(socket.receive(), (0x81, format!("4{short}").into_bytes()));
    let long = "x".repeat(1023);
    socket.send(0xc1, &deflate(format!("4{long}").as_bytes()));
    let (first, payload) = socket.receive();
    assert_eq!(first, 0xc1);
    assert!(payload.len() < 100, "{} bytes", payload.len());
    assert_eq!(inflate(&payload), format!("4{long}").into_bytes());
    // What does not become smaller is sent as it is.
    let noise: Vec<u8> =
        (0..2000_u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let noise = [&noise[..], &deflate(&noise)].concat();
    socket.send(0x82, &noise);
    let (first, payload) = socket.receive();
    assert!(first == 0x82 && payload == noise || first == 0xc2 && payload.len() < noise.len());
}

#[test]
fn the_limit_counts_what_a_message_inflates_to() {
    for (length, fits) in [(MAX_PAYLOAD, true), (MAX_PAYLOAD + 1, false)] {
        let (runtime, mut server) = start(PerMessageDeflate::new());
        let mut socket = Socket::open(&server, "permessage-deflate");
        socket.send(0xc2, &deflate(&vec![7; length]));
        if fits {
            let message = runtime.block_on(server.message());
            assert_eq!(message.as_bytes().len(), MAX_PAYLOAD);
        } else {
            assert_eq!(socket.receive(), (0x88, 1009_u16.to_be_bytes().to_vec()));
            let end = runtime.block_on(server.disconnected());
            assert_eq!(end.reason, DisconnectReason::PayloadTooLarge);
        }
    }
}

#[test]
fn what_cannot_be_inflated_is_refused() {
    let (runtime, mut server) = start(PerMessageDeflate::new());
    let mut socket = Socket::open(&server, "permessage-deflate");
    socket.send(0xc1, b"\xff\xff\xff\xff");
    assert_eq!(socket.receive(), (0x88, 1007_u16.to_be_bytes().to_vec()));
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::TransportError);
    // Nobody has agreed to the bit that says it.
    let mut socket = Socket::open(&server, "x-webkit-deflate-frame");
    assert_eq!(socket.extensions, None);
    socket.send(0xc1, &deflate(b"4hello"));
    assert_eq!(socket.receive(), (0x88, 1002_u16.to_be_bytes().to_vec()));
}

#[test]
fn a_header_that_is_none_is_refused_where_it_is_read() {
    let (runtime, server) = start(PerMessageDeflate::new());
    let mut stream = connect(server.addr);
    write!(stream, "{}", request("permessage-deflate; =")).unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 400 "));
    let server = runtime.block_on(echo(Server::builder()));
    assert_eq!(Socket::open(&server, "permessage-deflate; =").extensions, None);
}

#[test]
fn a_broadcast_reaches_compressed_and_other_clients() {
    let runtime = Runtime::new().unwrap();
    let builder = Server::builder().per_message_deflate(PerMessageDeflate::new());
    let mut server = runtime.block_on(silent(builder));
    let mut sockets = [
        Socket::open(&server, "permessage-deflate"),
        Socket::open(&server, "permessage-deflate; client_max_window_bits"),
        Socket::open(&server, "permessage-deflate; server_max_window_bits=9"),
        Socket::open(&server, ""),
    ];
    for _ in 0..sockets.len() {
        runtime.block_on(server.connection());
    }
    // Repeats further back than a window of 9 bits.
    let text: String = (0..500).map(|i| format!("{} ", i * i % 499)).collect::<String>().repeat(3);
    assert!(server.server.broadcast(Message::from(text.clone())).is_empty());
    let packet = format!("4{text}").into_bytes();
    let received = sockets.each_mut().map(Socket::receive);
    assert_eq!(received[0].0, 0xc1);
    assert!(received[0] == received[1], "the same bytes, as it is compressed once");
    assert_eq!(inflate(&received[0].1), packet);
    assert_eq!(received[2].0, 0xc1);
    // What was made for the smaller window first is good for all.
    assert!(received[2].1.len() >= received[0].1.len(), "a smaller window finds no more");
    assert_eq!(inflate(&received[2].1), packet);
    assert!(received[3] == (0x81, packet));
}

#[tokio::test]
async fn a_server_that_answers_what_was_not_asked_is_refused() {
    let plain = |url: String| Client::builder(url).transports([Transport::WebSocket]);
    let deflate = |url: String| plain(url).per_message_deflate(PerMessageDeflate::new());
    let extensions = |value: &str| format!("Sec-WebSocket-Extensions: {value}\r\n");
    let too_much = "permessage-deflate; server_max_window_bits=16";
    for answer in [too_much, "bzip2", "permessage-deflate;"] {
        refused(deflate, GOOD, &extensions(answer)).await;
    }
    refused(plain, GOOD, &extensions("permessage-deflate")).await;
    refused(plain, GOOD, "Sec-WebSocket-Protocol: chat\r\n").await;
    refused(plain, "Upgrade: websocket\r\n", "").await;
    refused(plain, "Connection: Upgrade\r\n", "").await;
    refused(plain, "Upgrade: h2c\r\nConnection: Upgrade\r\n", "").await;
}

const GOOD: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

/// Connects to a server that proves that it has read the key, and says something wrong beside it.
async fn refused(builder: impl Fn(String) -> ClientBuilder, switch: &str, more: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rest = format!("{switch}{more}");
    let server = std::thread::spawn({
        let rest = rest.clone();
        move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head = read_head(&mut stream);
            let accept = handshake::accept(header(&head, "sec-websocket-key").unwrap());
            let status = "HTTP/1.1 101 Switching Protocols";
            write!(stream, "{status}\r\nSec-WebSocket-Accept: {accept}\r\n{rest}\r\n").unwrap();
            // The client leaves.
            let _ = stream.read_to_end(&mut vec![]);
        }
    });
    let error = builder(url).connect().await.unwrap_err();
    assert_eq!(*error.kind(), ConnectErrorKind::Protocol, "{rest:?}: {error}");
    server.join().unwrap();
}

fn start(options: PerMessageDeflate) -> (Runtime, TestServer) {
    let runtime = Runtime::new().unwrap();
    let builder = Server::builder().per_message_deflate(options).max_payload(MAX_PAYLOAD);
    let server = runtime.block_on(echo(builder));
    (runtime, server)
}

/// A client's WebSocket, by hand.
struct Socket {
    stream: TcpStream,
    /// What the server has accepted.
    extensions: Option<String>,
}

impl Socket {
    fn open(server: &TestServer, offer: &str) -> Self {
        let mut stream = connect(server.addr);
        write!(stream, "{}", request(offer)).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let extensions = header(&head, "sec-websocket-extensions").map(str::to_owned);
        let mut socket = Self { stream, extensions };
        let (first, handshake) = socket.receive();
        assert!(first == 0x81 && handshake.starts_with(b"0{"));
        socket
    }

    /// Sends a frame: its first byte, and its payload, masked with zeros.
    fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | short as u8),
            medium @ 126..=0xffff => {
                frame.push(0xfe);
                frame.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            _ => unreachable!("no test sends so much"),
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).unwrap();
    }

    /// The first byte and the payload of the next frame.
    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let length = match head[1] {
            127 => unreachable!("no test receives so much"),
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).unwrap();
                usize::from(u16::from_be_bytes(length))
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    stream
}

/// A request for a WebSocket. Proxies may write lists on several lines.
fn request(offer: &str) -> String {
    format!(
        "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\
         Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: x-unknown\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n"
    )
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

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value)
}

/// A message as RFC 7692, § 7.2.1, compresses it.
fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1000);
    let mut zlib = Compress::new(Compression::default(), false);
    zlib.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.len() < out.capacity() && out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

fn inflate(compressed: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(MAX_PAYLOAD);
    let input = [compressed, &[0, 0, 0xff, 0xff]].concat();
    Decompress::new(false).decompress_vec(&input, &mut out, FlushDecompress::Sync).unwrap();
    out
}
