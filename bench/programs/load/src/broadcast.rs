//! Messages of one client that the server sends to all.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;
use wire::poller::{Events, Poller};

use crate::args::Args;
use crate::socket::Socket;
use crate::stream::{READ_BYTES, Stream};
use crate::window::Window;

pub fn run(args: &Args) -> io::Result<Value> {
    let stream = Stream::new(args);
    let poller = Poller::new()?;
    let mut sockets = Socket::open_all(args, &poller)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut window = Window::open(args);
    let mut events = Events::default();
    let mut in_flight = VecDeque::new();
    // Deliveries, and how many of them make the broadcasts that are through.
    let (mut delivered, mut through) = (0, 0);
    loop {
        while in_flight.len() < args.depth {
            in_flight.push_back(Instant::now());
            sockets[0].send(1, &stream, &poller)?;
        }
        let ready = poller.wait(&mut events, Some(Duration::from_millis(100)))?;
        if !window.is_open(Instant::now()) {
            break Ok(window.report());
        }
        for ready in ready {
            let socket = &mut sockets[ready.token];
            if ready.writable {
                socket.flush(&stream, &poller)?;
            }
            if ready.readable {
                delivered += socket.receive(&stream, &mut buffer)?;
            }
        }
        while delivered >= through + args.connections {
            through += args.connections;
            let sent: Instant = in_flight.pop_front().expect("an answer to something");
            window.record(sent.elapsed(), args.connections as u64);
        }
    }
}
