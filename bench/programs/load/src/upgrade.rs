//! Sessions that open by polling, try a WebSocket, go on over it, echo one message, and end; many at once.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use wire::frame::{self, Header, from_client};
use wire::poller::{Events, Poller};
use wire::socket::dial;

use crate::args::Args;
use crate::http::{self, Response, SEPARATOR};
use crate::window::Window;

pub fn run(args: &Args) -> io::Result<Value> {
    let poller = Poller::new()?;
    let mut turn = 0;
    let mut begin = |slot| {
        turn += 1;
        Session::begin(args, slot, turn, &poller)
    };
    let mut sessions = (0..args.connections).map(&mut begin).collect::<io::Result<Vec<_>>>()?;
    let mut window = Window::open(args);
    let mut events = Events::default();
    loop {
        let ready = poller.wait(&mut events, Some(Duration::from_millis(100)))?;
        if !window.is_open(Instant::now()) {
            break Ok(window.report());
        }
        for ready in ready {
            let slot = ready.token / 2;
            let session = &mut sessions[slot];
            if ready.token % 2 == 0 {
                session.receive_response(args, slot, &poller)?;
            } else if session.receive_frames(args)? {
                window.record(session.began.elapsed(), 1);
                *session = begin(slot)?;
            }
        }
    }
}

/// One session on its way.
///
/// ```text
/// Opening ──(open packet)──► Switching ──(101)──► Probing ──(3probe)──► Upgraded ──(echo)──► over
///                                                    └──(3probe, poll in flight)──► Waiting ──(6)──┘
/// ```
struct Session {
    began: Instant,
    stage: Stage,
    /// The polling connection, until the server has closed it.
    poll: Option<TcpStream>,
    polled: Vec<u8>,
    /// The poll, if one is to be in flight.
    get: Vec<u8>,
    /// Whether it is.
    polling: bool,
    socket: Option<TcpStream>,
    received: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Opening,
    Switching,
    Probing,
    /// The probe is answered, but not the poll.
    Waiting,
    Upgraded,
}

impl Session {
    fn begin(args: &Args, slot: usize, turn: usize, poller: &Poller) -> io::Result<Self> {
        let began = Instant::now();
        let mut poll = dial(args.port, turn)?;
        poll.write_all(&http::get(&args.path, None))?;
        poll.set_nonblocking(true)?;
        poller.add(&poll, 2 * slot)?;
        Ok(Self {
            began,
            stage: Stage::Opening,
            poll: Some(poll),
            polled: vec![],
            get: vec![],
            polling: false,
            socket: None,
            received: vec![],
        })
    }

    /// Reads from the polling connection.
    fn receive_response(&mut self, args: &Args, slot: usize, poller: &Poller) -> io::Result<()> {
        let Some(poll) = &mut self.poll else { return Ok(()) };
        if !read(poll, &mut self.polled)? {
            assert!(
                self.stage != Stage::Opening && !self.polling,
                "the server has closed a connection"
            );
            self.poll = None;
            return Ok(());
        }
        let Some(response) = Response::read(&self.polled) else { return Ok(()) };
        assert_eq!(response.status, 200, "{}", response.body.escape_ascii());
        self.polled.clear();
        if self.stage == Stage::Opening {
            let sid = http::sid(&response.body);
            if args.pending {
                self.get = http::get(&args.path, Some(&sid));
                poll.write_all(&self.get)?;
                self.polling = true;
            }
            let mut socket = dial(args.port, slot)?;
            let query = format!("?EIO=4&transport=websocket&sid={sid}");
            socket.write_all(http::upgrade(&args.path, &query).as_bytes())?;
            socket.set_nonblocking(true)?;
            poller.add(&socket, 2 * slot + 1)?;
            self.socket = Some(socket);
            self.stage = Stage::Switching;
            return Ok(());
        }
        let mut packets = response.body.split(|&byte| byte == SEPARATOR);
        if !packets.any(|packet| packet == b"6") {
            assert_eq!(response.body, b"2", "a poll gets a noop, or a ping before it");
            return poll.write_all(&self.get);
        }
        self.polling = false;
        if self.stage == Stage::Waiting {
            self.upgrade()?;
        }
        Ok(())
    }

    /// Reads from the WebSocket. Says whether the session is over.
    fn receive_frames(&mut self, args: &Args) -> io::Result<bool> {
        let Some(socket) = &mut self.socket else { return Ok(false) };
        if !read(socket, &mut self.received)? {
            panic!("the server has closed a WebSocket in stage {:?}", self.stage);
        }
        if self.stage == Stage::Switching {
            let Some(length) = http::switched(&self.received) else { return Ok(false) };
            self.received.drain(..length);
            socket.write_all(&from_client(frame::TEXT, b"2probe"))?;
            self.stage = Stage::Probing;
        }
        while let Some(header) = Header::read(&self.received)
            && self.received.len() >= header.frame()
        {
            let frame: Vec<_> = self.received.drain(..header.frame()).collect();
            match (self.stage, &frame[header.length..]) {
                (Stage::Probing, b"3probe") if args.pending && self.polling => {
                    self.stage = Stage::Waiting;
                }
                (Stage::Probing, b"3probe") => self.upgrade()?,
                (Stage::Upgraded, b"4hi") => {
                    let mut end = from_client(frame::TEXT, b"1");
                    end.extend(from_client(frame::CLOSE, &1000_u16.to_be_bytes()));
                    self.websocket().write_all(&end)?;
                    return Ok(true);
                }
                (Stage::Upgraded, b"6") => {}
                (_, b"2") => self.websocket().write_all(&from_client(frame::TEXT, b"3"))?,
                (stage, payload) => {
                    panic!("in stage {stage:?}, {}", payload.escape_ascii());
                }
            }
        }
        Ok(false)
    }

    /// Goes on over the WebSocket, with a message.
    fn upgrade(&mut self) -> io::Result<()> {
        let mut frames = from_client(frame::TEXT, b"5");
        frames.extend(from_client(frame::TEXT, b"4hi"));
        self.stage = Stage::Upgraded;
        self.websocket().write_all(&frames)
    }

    fn websocket(&mut self) -> &mut TcpStream {
        self.socket.as_mut().expect("it is there from the open packet on")
    }
}

/// Reads once. Says whether the stream goes on.
fn read(mut stream: &TcpStream, received: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(count) => {
            received.extend_from_slice(&buffer[..count]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}
