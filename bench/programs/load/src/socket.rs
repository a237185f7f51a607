//! One client's connection, past its handshake.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use wire::frame::{self, Header};
use wire::poller::Poller;
use wire::repod;
use wire::socket::dial;

use crate::args::{Args, Protocol};
use crate::http;
use crate::stream::Stream;

/// One client's connection, past its handshake.
pub struct Socket {
    stream: TcpStream,
    token: usize,
    /// Where in a frame the next byte to send is, and how many bytes are to be sent.
    sent: usize,
    to_send: usize,
    /// Where in a frame the next byte to come is.
    received: usize,
    /// What came that is not the expected stream, because there was a ping in between.
    irregular: Vec<u8>,
    watches_room: bool,
}

impl Socket {
    /// Opens a connection, waiting for the server.
    pub fn open(args: &Args, token: usize) -> io::Result<Self> {
        let (stream, irregular) = connect(args, token)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, token, sent: 0, to_send: 0, received: 0, irregular, watches_room: false })
    }

    /// Opens all connections that were asked for.
    pub fn open_all(args: &Args, poller: &Poller) -> io::Result<Vec<Self>> {
        let open = |token| {
            let socket = Self::open(args, token)?;
            poller.add(&socket.stream, token)?;
            Ok(socket)
        };
        (0..args.connections).map(open).collect()
    }

    /// Sends `count` messages more.
    #[inline]
    pub fn send(&mut self, count: usize, stream: &Stream, poller: &Poller) -> io::Result<()> {
        self.to_send += stream.bytes(count);
        self.flush(stream, poller)
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self, stream: &Stream, poller: &Poller) -> io::Result<()> {
        while self.to_send > 0 {
            match self.stream.write(stream.to_send(self.sent, self.to_send)) {
                Ok(count) => {
                    self.sent = stream.advance(self.sent, count);
                    self.to_send -= count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let watches_room = self.to_send > 0;
        if watches_room != self.watches_room {
            self.watches_room = watches_room;
            poller.watch_room(&self.stream, self.token, watches_room)?;
        }
        Ok(())
    }

    /// Reads once. Returns how many messages have become whole; they were right.
    #[inline]
    pub fn receive(&mut self, stream: &Stream, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.stream.read(buffer) {
            Ok(0) => panic!("the server has closed a connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let regular =
            self.irregular.is_empty() && buffer[..count] == *stream.expected(self.received, count);
        if regular {
            let position = self.received + count;
            self.received = position % stream.received_frame;
            return Ok(position / stream.received_frame);
        }
        if self.irregular.is_empty() {
            self.irregular.extend_from_slice(stream.expected(0, self.received));
            self.received = 0;
        }
        self.irregular.extend_from_slice(&buffer[..count]);
        self.receive_frames(stream)
    }

    /// Looks at frames one by one and answers pings.
    #[cold]
    fn receive_frames(&mut self, stream: &Stream) -> io::Result<usize> {
        let (mut at, mut messages) = (0, 0);
        while let Some(header) = Header::read(&self.irregular[at..]) {
            let Some(frame) = self.irregular[at..].get(..header.frame()) else { break };
            at += frame.len();
            let payload = &frame[header.length..];
            if frame == stream.expected(0, stream.received_frame) {
                messages += 1;
                continue;
            }
            let pong = match (header.opcode, payload) {
                (frame::TEXT, b"2") => frame::from_client(frame::TEXT, b"3"),
                (frame::PING, payload) => frame::from_client(frame::PONG, payload),
                (opcode, payload) => {
                    panic!("not the message, but {opcode}: {}", payload.escape_ascii())
                }
            };
            assert_eq!(self.sent, 0, "a pong must not be sent within a frame");
            self.stream.write_all(&pong)?;
        }
        self.irregular.drain(..at);
        Ok(messages)
    }
}

/// Opens a connection past its handshake, and returns what came behind that.
pub fn connect(args: &Args, turn: usize) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = dial(args.port, turn)?;
    let mut received = vec![];
    match args.protocol {
        Protocol::Tcp | Protocol::Http => {}
        Protocol::Repod => {
            let mut greeting = vec![0; repod::greeting().len()];
            stream.read_exact(&mut greeting)?;
            assert_eq!(greeting, repod::greeting());
        }
        Protocol::Websocket | Protocol::Engineio => {
            let engineio = args.protocol == Protocol::Engineio;
            let query = if engineio { "?EIO=4&transport=websocket" } else { "" };
            stream.write_all(http::upgrade(&args.path, query).as_bytes())?;
            let head = loop {
                if let Some(length) = http::switched(&received) {
                    break length;
                }
                read_more(&mut stream, &mut received)?;
            };
            received.drain(..head);
            while engineio {
                if let Some(header) = Header::read(&received)
                    && received.len() >= header.frame()
                {
                    assert_eq!(received[header.length], b'0', "the open packet comes first");
                    received.drain(..header.frame());
                    break;
                }
                read_more(&mut stream, &mut received)?;
            }
        }
    }
    Ok((stream, received))
}

/// Waits for bytes and appends them.
pub fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer)?;
    assert!(count > 0, "the server has closed a connection after {}", received.escape_ascii());
    received.extend_from_slice(&buffer[..count]);
    Ok(())
}
