//! Memory of connections that idle: when they are open, after a short message each way, and after a long one.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wire::poller::{Events, Poller};

use crate::args::Args;
use crate::process::Process;
use crate::socket::Socket;
use crate::stream::{READ_BYTES, Stream};

pub fn run(args: &Args) -> io::Result<Value> {
    let server = Process(args.process);
    let short = Stream::new(args);
    let long = Stream::new(&Args { size: LONG_BYTES, binary: true, ..args.clone() });
    // What the server needs once, it needs for the first connections.
    exchange(&Args { connections: 200, ..args.clone() }, |crowd| {
        crowd.exchange(&short)?;
        crowd.exchange(&long)
    })?;
    thread::sleep(SETTLE);
    let empty = server.memory();
    let (mut open, mut after_short, mut after_long) = (0, 0, 0);
    let (mut opening, mut idling) = (0.0, 0.0);
    let start = (Instant::now(), server.processor_time());
    let elapsed = exchange(args, |crowd| {
        opening = (server.processor_time() - start.1).as_secs_f64();
        let elapsed = start.0.elapsed();
        crowd.receive(SETTLE, 0, &short)?;
        open = server.memory();
        let before = server.processor_time();
        crowd.receive(SETTLE, 0, &short)?;
        idling = (server.processor_time() - before).as_secs_f64() / SETTLE.as_secs_f64();
        crowd.exchange(&short)?;
        crowd.receive(SETTLE, 0, &short)?;
        after_short = server.memory();
        crowd.exchange(&long)?;
        crowd.receive(SETTLE, 0, &long)?;
        after_long = server.memory();
        Ok(elapsed)
    })?;
    let count = args.connections as f64;
    let each = |memory: u64| (memory as f64 - empty as f64) / count;
    Ok(json!({
        "empty_bytes": empty,
        "bytes_each": each(open),
        "bytes_each_after_64_b": each(after_short),
        "bytes_each_after_64_kib": each(after_long),
        "opened_per_second": count / elapsed.as_secs_f64(),
        "open_cpu_us": opening * 1e6 / count,
        "idle_busy": idling,
    }))
}

/// Opens connections, does something with them, and closes them.
fn exchange<T>(args: &Args, act: impl FnOnce(&mut Crowd) -> io::Result<T>) -> io::Result<T> {
    let poller = Poller::new()?;
    let sockets = Socket::open_all(args, &poller)?;
    act(&mut Crowd { poller, sockets, events: Events::default(), buffer: vec![0; READ_BYTES] })
}

/// Connections that idle.
struct Crowd {
    poller: Poller,
    sockets: Vec<Socket>,
    events: Events,
    buffer: Vec<u8>,
}

impl Crowd {
    /// A message each way on every connection, some at a time.
    fn exchange(&mut self, stream: &Stream) -> io::Result<()> {
        for start in (0..self.sockets.len()).step_by(AT_A_TIME) {
            let end = self.sockets.len().min(start + AT_A_TIME);
            for socket in &mut self.sockets[start..end] {
                socket.send(1, stream, &self.poller)?;
            }
            let answered = self.receive(PATIENCE, end - start, stream)?;
            assert_eq!(answered, end - start, "messages were not answered");
        }
        Ok(())
    }

    /// Receives messages for some time, or until there are so many. Pings are answered.
    fn receive(&mut self, time: Duration, wanted: usize, stream: &Stream) -> io::Result<usize> {
        let end = Instant::now() + time;
        let mut answered = 0;
        while Instant::now() < end && (wanted == 0 || answered < wanted) {
            for ready in self.poller.wait(&mut self.events, Some(Duration::from_millis(50)))? {
                let socket = &mut self.sockets[ready.token];
                if ready.writable {
                    socket.flush(stream, &self.poller)?;
                }
                if ready.readable {
                    answered += socket.receive(stream, &mut self.buffer)?;
                }
            }
        }
        Ok(answered)
    }
}

const LONG_BYTES: usize = 64 * 1024;

/// Connections with a message in flight.
const AT_A_TIME: usize = 100;

/// Time in which a server gives back what it wants to give back.
const SETTLE: Duration = Duration::from_secs(2);

const PATIENCE: Duration = Duration::from_secs(10);
