//! One connection: bytes in, bytes out.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::TcpStream;

use wire::poller::Poller;
use wire::repod;

use crate::protocol::{Peer, Protocol};

/// One connection.
pub struct Connection {
    stream: TcpStream,
    token: usize,
    peer: Peer,
    /// A frame whose rest has not come.
    tail: Vec<u8>,
    /// What the socket has not taken, and how much of it has gone since.
    unsent: Vec<u8>,
    sent: usize,
    watches_room: bool,
}

/// Buffers that all connections share.
pub struct Wire {
    input: Box<[u8]>,
    output: Vec<u8>,
    /// What is sent to everybody when all that was ready has been read.
    pub for_all: Vec<u8>,
}

impl Connection {
    pub fn new(
        stream: TcpStream,
        token: usize,
        protocol: Protocol,
        poller: &Poller,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let peer = Peer::default();
        let (tail, unsent) = (vec![], vec![]);
        let mut this = Self { stream, token, peer, tail, unsent, sent: 0, watches_room: false };
        if protocol == Protocol::Repod {
            this.send(&repod::greeting(), poller);
        }
        Ok(this)
    }

    /// Reads once and answers once. Says whether the connection goes on.
    pub fn receive(&mut self, protocol: Protocol, poller: &Poller, wire: &mut Wire) -> bool {
        let count = match self.stream.read(&mut wire.input) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let mut joined = mem::take(&mut self.tail);
        let input = if joined.is_empty() {
            &wire.input[..count]
        } else {
            joined.extend_from_slice(&wire.input[..count]);
            &joined
        };
        let (used, goes_on) =
            protocol.answer(&mut self.peer, input, &mut wire.output, &mut wire.for_all);
        if used < input.len() {
            self.tail = input[used..].to_vec();
        }
        let output = mem::take(&mut wire.output);
        let open = self.send(&output, poller);
        wire.output = output;
        wire.output.clear();
        open && goes_on
    }

    /// Sends at once; what the socket does not take is kept.
    pub fn send(&mut self, bytes: &[u8], poller: &Poller) -> bool {
        let mut rest = bytes;
        while self.unsent.is_empty() && !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.unsent.extend_from_slice(rest);
        self.unsent.is_empty() || self.watches_room || self.flush(poller)
    }

    /// Sends what was kept.
    pub fn flush(&mut self, poller: &Poller) -> bool {
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        if self.sent == self.unsent.len() {
            (self.unsent, self.sent) = (vec![], 0);
        }
        let watches_room = !self.unsent.is_empty();
        if watches_room != mem::replace(&mut self.watches_room, watches_room) {
            return poller.watch_room(&self.stream, self.token, watches_room).is_ok();
        }
        true
    }
}

impl Wire {
    pub fn new() -> Self {
        Self { input: vec![0; READ_BYTES].into(), output: vec![], for_all: vec![] }
    }
}

const READ_BYTES: usize = 1 << 18;
