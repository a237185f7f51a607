//! Messages that the server sends back by long-polling: a GET in flight on one connection, a POST on another. A
//! round trip is over when both are answered.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use wire::poller::{Events, Poller};
use wire::socket::dial;

use crate::args::{Args, Protocol};
use crate::http::{self, Response, SEPARATOR};
use crate::socket::read_more;
use crate::stream::message;
use crate::window::Window;

pub fn run(args: &Args) -> io::Result<Value> {
    let message = message(args);
    let poller = Poller::new()?;
    let open = |turn| Session::open(args, turn, &message, &poller);
    let mut sessions = (0..args.connections).map(open).collect::<io::Result<Vec<_>>>()?;
    for session in &mut sessions {
        session.start()?;
    }
    let mut window = Window::open(args);
    let mut events = Events::default();
    loop {
        let ready = poller.wait(&mut events, Some(Duration::from_millis(100)))?;
        if !window.is_open(Instant::now()) {
            break Ok(window.report());
        }
        for ready in ready {
            let session = &mut sessions[ready.token / 2];
            if session.receive(ready.token % 2 == 0, &message)? {
                window.record(session.started.elapsed(), 1);
                session.start()?;
            }
        }
    }
}

/// A session with its two connections.
struct Session {
    poll: Exchange,
    post: Exchange,
    /// The POST with a pong before the message.
    with_pong: Vec<u8>,
    owes_pong: bool,
    started: Instant,
}

/// A connection, its request, and what came of the response.
struct Exchange {
    stream: TcpStream,
    request: Vec<u8>,
    received: Vec<u8>,
    in_flight: bool,
}

impl Session {
    fn open(args: &Args, turn: usize, message: &[u8], poller: &Poller) -> io::Result<Self> {
        let (mut poll, post) = (dial(args.port, turn)?, dial(args.port, turn)?);
        let sid = match args.protocol {
            Protocol::Http => "floor".to_owned(),
            _ => open(&mut poll, &args.path)?,
        };
        for (stream, token) in [(&poll, 2 * turn), (&post, 2 * turn + 1)] {
            stream.set_nonblocking(true)?;
            poller.add(stream, token)?;
        }
        let with_pong = [b"3\x1e", message].concat();
        Ok(Self {
            poll: Exchange::new(poll, http::get(&args.path, Some(&sid))),
            post: Exchange::new(post, http::post(&args.path, &sid, message)),
            with_pong: http::post(&args.path, &sid, &with_pong),
            owes_pong: false,
            started: Instant::now(),
        })
    }

    /// Sends both requests.
    fn start(&mut self) -> io::Result<()> {
        self.started = Instant::now();
        self.poll.send(None)?;
        let pong = std::mem::take(&mut self.owes_pong).then_some(&*self.with_pong);
        self.post.send(pong)
    }

    /// Reads from one of the connections. Says whether the round trip is over.
    fn receive(&mut self, poll: bool, message: &[u8]) -> io::Result<bool> {
        let exchange = if poll { &mut self.poll } else { &mut self.post };
        let Some(body) = exchange.receive()? else { return Ok(false) };
        if poll {
            let mut answered = false;
            for packet in body.split(|&byte| byte == SEPARATOR) {
                match packet {
                    b"2" => self.owes_pong = true,
                    packet if packet == message => answered = true,
                    packet => panic!("not the message, but {}", packet.escape_ascii()),
                }
            }
            if !answered {
                self.poll.send(None)?;
            }
        } else {
            // The floor of HTTP answers everything with a message.
            let right = body == b"ok" || body == message;
            assert!(right, "not ok, but {}", body.escape_ascii());
        }
        Ok(!self.poll.in_flight && !self.post.in_flight)
    }
}

impl Exchange {
    fn new(stream: TcpStream, request: Vec<u8>) -> Self {
        Self { stream, request, received: vec![], in_flight: false }
    }

    /// Sends its request, or another.
    fn send(&mut self, other: Option<&[u8]>) -> io::Result<()> {
        self.in_flight = true;
        self.stream.write_all(other.unwrap_or(&self.request))
    }

    /// Reads once; returns the body when the response is whole.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server has closed a connection"),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let Some(response) = Response::read(&self.received) else { return Ok(None) };
        assert_eq!(response.status, 200, "{}", response.body.escape_ascii());
        assert_eq!(response.length, self.received.len(), "more than a response");
        self.received.clear();
        self.in_flight = false;
        Ok(Some(response.body))
    }
}

/// Opens a session over a socket that blocks, and returns its id.
pub fn open(stream: &mut TcpStream, path: &str) -> io::Result<String> {
    stream.write_all(&http::get(path, None))?;
    let mut received = vec![];
    loop {
        if let Some(response) = Response::read(&received) {
            assert_eq!(response.status, 200, "{}", response.body.escape_ascii());
            return Ok(http::sid(&response.body));
        }
        read_more(stream, &mut received)?;
    }
}
