//! Clients that take their time: with what they send, and with what they are sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::child::{Child, WATCHDOG};
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
    let mut child = Child::start(&config);
    let mut honest = websocket(child.addr);
    let before = child.settled();
    let (quiet, _) = latency(&mut honest, deadline / 2);

    let mut attackers: Vec<(TcpStream, Vec<u8>)> = vec![];
    for number in 0..each {
        let connect = || connect_from(number, child.addr).unwrap();
        attackers.push((connect(), request("GET", OPEN, &[&"x".repeat(1000)], b"")));
        let mut posting = connect();
        let target = session(&ask(&mut posting, &request("GET", OPEN, &[], b"")).unwrap().1);
        let slow = request("POST", &target, &[], &[b'4'; 1000]);
        posting.write_all(&slow[..slow.len() - 1000]).unwrap();
        attackers.push((posting, slow[slow.len() - 1000..].to_vec()));
        attackers.push((websocket_on(connect(), OPEN, false), frame(0x82, &[7; 1000])));
    }

    let start = Instant::now();
    let mut gone = vec![None; attackers.len()];
    let over = Arc::new(AtomicBool::new(false));
    let measuring = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut samples = vec![];
            while !over.load(Ordering::Relaxed) {
                samples.extend(samples_of(&mut honest, Duration::from_millis(100)));
            }
            (percentile(&mut samples, 0.99), samples.len(), honest)
        }
    });
    for (stream, _) in &attackers {
        stream.set_nonblocking(true).unwrap();
    }
    let mut round = 0;
    while gone.iter().any(Option::is_none) && start.elapsed() < WATCHDOG {
        for ((stream, bytes), gone) in attackers.iter_mut().zip(&mut gone) {
            if gone.is_some() {
                continue;
            }
            let sent = bytes.get(round).map_or(Ok(1), |byte| stream.write(&[*byte]));
            // What it is told at the end is read, too.
            let mut buffer = [0; 512];
            let read = stream.read(&mut buffer);
            let ended = matches!(read, Ok(0))
                || [sent, read]
                    .into_iter()
                    .filter_map(Result::err)
                    .any(|error| error.kind() != std::io::ErrorKind::WouldBlock);
            if ended {
                *gone = Some(start.elapsed());
            }
        }
        round += 1;
        std::thread::sleep(deadline / 50);
    }
    over.store(true, Ordering::Relaxed);
    let (busy, echoes, mut honest) = measuring.join().unwrap();
    let left = gone.iter().filter(|gone| gone.is_none()).count();
    let last = gone.iter().flatten().max().copied().unwrap_or_default();
    drop(attackers);
    child.wait_until(|usage| usage.descriptors <= before.descriptors);
    echo(&mut honest, "4still here").unwrap();
    vec![
        Row::new(format!("{} attackers, left at the end", 3 * each), left, 0, left == 0),
        Row::told("the last is gone after", format!("{last:.1?} of {deadline:?}")),
        Row::told(
            format!("an honest echo, p99 of {echoes}"),
            format!("{busy:.1?} (alone: {quiet:.1?})"),
        ),
    ]
}

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
    let before = child.settled();
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
    let peak = (usage.peak as i64 - before.heap as i64) / each as i64;
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

/// The 99th percentile of echoes for a while, and how many there were.
pub fn latency(honest: &mut TcpStream, time: Duration) -> (Duration, usize) {
    let mut samples = samples_of(honest, time);
    (percentile(&mut samples, 0.99), samples.len())
}

pub fn samples_of(honest: &mut TcpStream, time: Duration) -> Vec<Duration> {
    let begin = Instant::now();
    let mut samples = vec![];
    while begin.elapsed() < time {
        let start = Instant::now();
        echo(honest, "4how are you").unwrap();
        samples.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
    samples
}

pub fn percentile(samples: &mut [Duration], part: f64) -> Duration {
    samples.sort_unstable();
    let index = (samples.len() as f64 * part) as usize;
    samples.get(index.min(samples.len().saturating_sub(1))).copied().unwrap_or_default()
}

const BYTES: usize = 10_000;
