//! Clients that take their time: with what they send, and with what they are sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::child::{Child, WATCHDOG};
use super::honest::Honest;
use super::peer::{
    OPEN, ask, connect_from, connect_with, echo, frame, request, session, websocket, websocket_on,
};
use super::row::{Row, Size};
use super::serve::{Application, Config};

/// Heads, bodies and frames that arrive byte by byte, while honest clients are served.
pub fn loris(size: Size) -> Vec<Row> {
    let each = size.pick(40, 1667);
    let deadline = Duration::from_millis(size.pick(1000, 10_000));
    let ms = deadline.as_millis() as u64;
    let config = Config { header_ms: ms, body_ms: ms, message_ms: ms, ..Config::default() };
    let (mut child, untouched) = (Child::start(&config), Child::start(&config));
    let mut honest = Honest { here: websocket(child.addr), elsewhere: websocket(untouched.addr) };
    let before = child.settled();
    let ((), alone) = honest.beside(|| std::thread::sleep(deadline / 4));

    let (mut attackers, connecting) = honest.beside(|| attackers(each, child.addr));
    let ((), sending) = honest.beside(|| {
        let start = Instant::now();
        for round in 0.. {
            // They send for as long as they are let, and then wait to be told off.
            let length = deadline / if round < PIECES { PIECES } else { 10 * PIECES };
            let (begin, count) = (Instant::now(), attackers.len() as u32);
            for (turn, attacker) in (0..).zip(&mut attackers) {
                std::thread::sleep((length * turn / count).saturating_sub(begin.elapsed()));
                if round < PIECES {
                    attacker.send();
                }
                attacker.listen();
            }
            let all_gone = attackers.iter().all(|attacker| attacker.gone.is_some());
            if all_gone || start.elapsed() > WATCHDOG {
                break;
            }
        }
    });
    let left = attackers.iter().filter(|attacker| attacker.gone.is_none()).count();
    let last = attackers.iter().filter_map(|attacker| attacker.gone).max().unwrap_or_default();
    drop(attackers);
    child.wait_until(|usage| usage.descriptors <= before.descriptors);
    echo(&mut honest.here, "4still here").unwrap();
    vec![
        Row::new(format!("{} attackers, left at the end", 3 * each), left, 0, left == 0),
        Row::told("nobody lasts longer than", format!("{last:.1?} of {deadline:?}")),
        alone.row("alone"),
        connecting.row("while they connect"),
        sending.row("while they send"),
    ]
}

/// Who sends what the server waits for, byte by byte.
struct Attacker {
    stream: TcpStream,
    rest: std::vec::IntoIter<u8>,
    /// When it has begun.
    since: Option<Instant>,
    /// How long the server has put up with it.
    gone: Option<Duration>,
}

impl Attacker {
    fn new(stream: TcpStream, rest: Vec<u8>, since: Option<Instant>) -> Self {
        stream.set_nonblocking(true).unwrap();
        Self { stream, rest: rest.into_iter(), since, gone: None }
    }

    fn send(&mut self) {
        if self.gone.is_none()
            && let Some(byte) = self.rest.next()
        {
            self.since.get_or_insert_with(Instant::now);
            // Whether the server has had enough is heard.
            let _ = self.stream.write(&[byte]);
        }
    }

    /// Hears whether the server has ended the connection.
    fn listen(&mut self) {
        while self.gone.is_none() {
            match self.stream.read(&mut [0; 512]) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => self.gone = self.since.map(|since| since.elapsed()),
            }
        }
    }
}

/// Three times as many: who sends a head, a body, and a frame.
fn attackers(each: usize, addr: SocketAddr) -> Vec<Attacker> {
    // All at once: nobody waits for an answer before everybody is connected.
    let connected: Vec<_> = (0..3 * each).map(|n| connect_from(n, addr).unwrap()).collect();
    let mut connected = connected.into_iter();
    let mut attackers = vec![];
    while let (Some(heading), Some(mut posting), Some(framing)) =
        (connected.next(), connected.next(), connected.next())
    {
        let head = request("GET", OPEN, &[&"x".repeat(1000)], b"");
        attackers.push(Attacker::new(heading, head, Some(Instant::now())));
        let target = session(&ask(&mut posting, &request("GET", OPEN, &[], b"")).unwrap().1);
        let slow = request("POST", &target, &[], &[b'4'; 1000]);
        let (head, body) = slow.split_at(slow.len() - 1000);
        posting.write_all(head).unwrap();
        attackers.push(Attacker::new(posting, body.to_vec(), Some(Instant::now())));
        let framing = websocket_on(framing, OPEN, false);
        attackers.push(Attacker::new(framing, frame(0x82, &[7; 1000]), None));
    }
    attackers
}

/// Bytes that an attacker has sent when its time is up.
const PIECES: u32 = 10;

/// Readers that take nothing, among readers that do, of the same broadcast.
pub fn readers(size: Size) -> Vec<Row> {
    let (each, count) = size.pick((10, 600), (1000, 1000));
    let stall = Duration::from_millis(size.pick(500, 10_000));
    let config = Config {
        application: Application::Deaf,
        stall_ms: stall.as_millis() as u64,
        ..Config::default()
    };
    let mut child = Child::start(&config);
    child.settled();
    let slow: Vec<_> = (0..each)
        .map(|number| {
            let stream = connect_with(number, child.addr, Some(4096)).unwrap();
            websocket_on(stream, &format!("{OPEN}&fault=slow"), false)
        })
        .collect();
    let received = Arc::new(AtomicUsize::new(0));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for number in 0..each {
        let stream = websocket_on(connect_from(number, child.addr).unwrap(), OPEN, false);
        stream.set_nonblocking(true).unwrap();
        let received = received.clone();
        runtime.spawn(async move {
            let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let mut buffer = vec![0; 65_536];
            let mut bytes = 0;
            while let Ok(count @ 1..) =
                tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await
            {
                bytes += count;
                let whole = bytes / (BYTES + 4); // the header of a frame has four bytes
                received.fetch_add(whole, Ordering::Relaxed);
                bytes %= BYTES + 4;
            }
        });
    }
    child.wait_until(|usage| usage.sessions == 2 * each);
    child.order::<()>("reset");
    let refused: usize = child.order(&format!("broadcast {BYTES} {count}"));
    let start = Instant::now();
    while received.load(Ordering::Relaxed) < each * count && start.elapsed() < WATCHDOG {
        std::thread::sleep(Duration::from_millis(5));
    }
    let healthy = received.load(Ordering::Relaxed);
    let (closed_after, usage) = child.wait_until(|usage| usage.sessions == each);
    drop(slow);
    let peak = usage.growth as i64 / each as i64;
    vec![
        Row::new(
            format!("{each} healthy readers, beside {each} that read nothing"),
            format!("{healthy} messages"),
            format!("{} messages", each * count),
            healthy == each * count,
        ),
        Row::told("messages refused to the others", refused),
        Row::at_most("heap for each of them, at the peak", peak, 1_300_000, "B"),
        Row::told("they are closed", format!("{closed_after:.1?} later, limit {stall:?}")),
    ]
}

const BYTES: usize = 10_000;
