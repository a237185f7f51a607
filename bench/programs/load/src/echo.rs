//! Messages that the server sends back.

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
    // When what is in flight was sent: a moment, and how many messages then.
    let mut in_flight = vec![VecDeque::<(Instant, usize)>::new(); sockets.len()];
    let mut buffer = vec![0; READ_BYTES];
    let mut window = Window::open(args);
    let mut events = Events::default();
    let mut pace = args.rate.map(Pace::new);
    if pace.is_none() {
        for (socket, in_flight) in sockets.iter_mut().zip(&mut in_flight) {
            in_flight.push_back((Instant::now(), args.depth));
            socket.send(args.depth, &stream, &poller)?;
        }
    }
    loop {
        let wait = Duration::from_millis(if pace.is_some() { 1 } else { 100 });
        let ready = poller.wait(&mut events, Some(wait))?;
        let now = Instant::now();
        if !window.is_open(now) {
            break Ok(window.report());
        }
        for ready in ready {
            let socket = &mut sockets[ready.token];
            if ready.writable {
                socket.flush(&stream, &poller)?;
            }
            if !ready.readable {
                continue;
            }
            let answered = socket.receive(&stream, &mut buffer)?;
            if answered == 0 {
                continue;
            }
            let in_flight = &mut in_flight[ready.token];
            let now = Instant::now();
            record(&mut window, in_flight, now, answered);
            if pace.is_none() {
                in_flight.push_back((now, answered));
                socket.send(answered, &stream, &poller)?;
            }
        }
        for token in pace.iter_mut().flat_map(|pace| pace.due(now, args.connections)) {
            in_flight[token].push_back((now, 1));
            sockets[token].send(1, &stream, &poller)?;
        }
    }
}

/// Takes messages that were answered from those in flight.
fn record(
    window: &mut Window,
    in_flight: &mut VecDeque<(Instant, usize)>,
    now: Instant,
    mut answered: usize,
) {
    while answered > 0 {
        let (sent, count) = in_flight.front_mut().expect("an answer to something");
        let taken = answered.min(*count);
        window.record(now - *sent, taken as u64);
        answered -= taken;
        *count -= taken;
        if *count == 0 {
            in_flight.pop_front();
        }
    }
}

/// Messages at a rate, over all connections in turn.
struct Pace {
    rate: u64,
    start: Instant,
    sent: u64,
}

impl Pace {
    fn new(rate: u64) -> Self {
        Self { rate, start: Instant::now(), sent: 0 }
    }

    /// The connections whose turn it is.
    fn due(&mut self, now: Instant, connections: usize) -> impl Iterator<Item = usize> + use<> {
        let due = (now - self.start).as_micros() as u64 * self.rate / 1_000_000;
        let turns = self.sent..due.max(self.sent);
        self.sent = turns.end;
        turns.map(move |turn| turn as usize % connections)
    }
}
