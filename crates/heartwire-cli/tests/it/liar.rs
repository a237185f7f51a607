//! A server of repod that answers wrongly, and counts how often.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How a server answers.
#[derive(Clone, Copy)]
pub(crate) enum Answers {
    Right,
    /// Every tenth message is not answered.
    Missing,
    /// Every tenth answer has another last byte.
    Changed,
    /// Every tenth answer comes behind the next.
    Swapped,
    /// Every tenth answer comes twice.
    Twice,
    /// Of every connection, so many messages are answered; then it is closed.
    Few(u64),
}

/// A server of repod, which serves until the test ends.
pub(crate) struct Liar {
    pub(crate) url: String,
    messages: Arc<AtomicU64>,
    lies: Arc<AtomicU64>,
}

impl Liar {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("repod://{}", listener.local_addr().unwrap());
        let this = Self { url, messages: Arc::default(), lies: Arc::default() };
        let (messages, lies) = (this.messages.clone(), this.lies.clone());
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (messages, lies) = (messages.clone(), lies.clone());
                // The end of the connection is an error to it, too.
                thread::spawn(move || serve(&socket.unwrap(), answers, &messages, &lies));
            }
        });
        this
    }

    /// Wrong answers so far.
    pub(crate) fn lies(&self) -> u64 {
        self.lies.load(Ordering::SeqCst)
    }

    /// Waits until so many messages have come.
    pub(crate) fn wait_for(&self, messages: u64) {
        let start = Instant::now();
        while self.messages.load(Ordering::SeqCst) < messages {
            assert!(start.elapsed() < Duration::from_secs(60), "no messages come");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn serve(
    mut socket: &TcpStream,
    answers: Answers,
    messages: &AtomicU64,
    lies: &AtomicU64,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut held = None;
    for number in 0_u64.. {
        let mut frame = read(socket)?;
        messages.fetch_add(1, Ordering::SeqCst);
        let lie = || lies.fetch_add(1, Ordering::SeqCst);
        // The first message tries whether there are answers at all.
        let tenth = number > 0 && number % 10 == 0;
        match answers {
            Answers::Missing if tenth => {
                lie();
                continue;
            }
            Answers::Changed if tenth => {
                lie();
                *frame.last_mut().unwrap() ^= 1;
            }
            Answers::Twice if tenth => {
                lie();
                frame.extend_from_within(..);
            }
            Answers::Swapped if tenth => {
                held = Some(frame);
                continue;
            }
            Answers::Few(few) if number == few => return Ok(()),
            _ => {}
        }
        if let Some(held) = held.take() {
            lie();
            frame.extend(held);
        }
        socket.write_all(&frame)?;
    }
    Ok(())
}

/// Reads a frame, with its length.
fn read(mut socket: &TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut frame = length.to_vec();
    frame.resize(4 + u32::from_be_bytes(length) as usize, 0);
    socket.read_exact(&mut frame[4..])?;
    Ok(frame)
}
