//! One message after the other over a socket that blocks: the floor of what a client can do.

use std::io::{self, Read, Write};
use std::time::Instant;

use serde_json::Value;

use crate::args::Args;
use crate::socket::connect;
use crate::stream::Stream;
use crate::window::Window;

pub fn run(args: &Args) -> io::Result<Value> {
    let bytes = Stream::new(args);
    let (mut stream, early) = connect(args, 0)?;
    assert!(early.is_empty(), "a message before any was sent: {}", early.escape_ascii());
    let mut answer = vec![0; bytes.received_frame];
    let mut window = Window::open(args);
    loop {
        let start = Instant::now();
        if !window.is_open(start) {
            break Ok(window.report());
        }
        stream.write_all(bytes.to_send(0, bytes.bytes(1)))?;
        stream.read_exact(&mut answer)?;
        window.record(start.elapsed(), 1);
        assert_eq!(answer, bytes.expected(0, bytes.received_frame));
    }
}
