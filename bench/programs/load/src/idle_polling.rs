//! Memory of sessions with a poll in flight.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wire::socket::dial;

use crate::args::Args;
use crate::http;
use crate::polling;
use crate::process::Process;

pub fn run(args: &Args) -> io::Result<Value> {
    let server = Process(args.process);
    let open = |turn| {
        let mut stream = dial(args.port, turn)?;
        let sid = polling::open(&mut stream, &args.path)?;
        stream.write_all(&http::get(&args.path, Some(&sid)))?;
        Ok(stream)
    };
    // What the server needs once, it needs for the first sessions.
    drop((0..200).map(open).collect::<io::Result<Vec<TcpStream>>>()?);
    thread::sleep(SETTLE);
    let (empty, time, start) = (server.memory(), server.processor_time(), Instant::now());
    let sessions = (0..args.connections).map(open).collect::<io::Result<Vec<TcpStream>>>()?;
    let elapsed = start.elapsed().as_secs_f64();
    let opening = (server.processor_time() - time).as_secs_f64();
    thread::sleep(SETTLE);
    let open = server.memory();
    for mut session in &sessions {
        session.set_nonblocking(true)?;
        match session.read(&mut [0; 256]) {
            Ok(0) => panic!("the server has closed a connection"),
            Ok(_) => {} // a ping
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    let count = args.connections as f64;
    Ok(json!({
        "empty_bytes": empty,
        "bytes_each": (open as f64 - empty as f64) / count,
        "opened_per_second": count / elapsed,
        "open_cpu_us": opening * 1e6 / count,
    }))
}

/// Time in which a server gives back what it wants to give back.
const SETTLE: Duration = Duration::from_secs(2);
