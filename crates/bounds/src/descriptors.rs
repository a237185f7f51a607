//! As many connections as there can be, and more.

use std::time::{Duration, Instant};

use super::child::{Child, WATCHDOG};
use super::peer::{OPEN, connect_from, echo, websocket, websocket_on};
use super::row::{Row, Size};
use super::serve::Config;

/// A server that has no descriptor left goes on with those it has.
pub fn exhausted(size: Size) -> Vec<Row> {
    let rest = Duration::from_secs(size.pick(1, 20));
    let mut child = Child::start(&Config { descriptors: Some(64), ..Config::default() });
    let mut honest = websocket(child.addr);
    let before = child.settled();
    // Fewer than the kernel lets wait to be accepted.
    let strangers: Vec<_> =
        (0..120).map(|number| connect_from(number, child.addr).unwrap()).collect();
    // It cannot count its own descriptors then: that takes one.
    let (start, begin) = (child.usage(), Instant::now());
    let mut echoes = 0;
    while begin.elapsed() < rest {
        echo(&mut honest, "4still here").unwrap();
        echoes += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    let busy =
        (child.usage().processor - start.processor) as f64 / begin.elapsed().as_millis() as f64;
    let alive = child.is_alive();
    drop(strangers);
    let begin = Instant::now();
    let recovered = loop {
        let newcomer = connect_from(0, child.addr);
        let works = newcomer.and_then(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            let mut stream = stream;
            super::peer::ask(&mut stream, &super::peer::upgrade(OPEN, false))
        });
        if works.is_ok_and(|(status, _)| status == 101) {
            break Some(begin.elapsed());
        }
        if begin.elapsed() > WATCHDOG {
            break None;
        }
    };
    child.wait_until(|usage| usage.sessions == 1 && usage.descriptors <= before.descriptors);
    vec![
        Row::new("120 connections, 64 descriptors: alive", alive, true, alive),
        Row::told("echoes of who was there before", echoes),
        Row::told("time on processors meanwhile", format!("{:.1} %", 100.0 * busy)),
        Row::new(
            "a newcomer is served again after",
            recovered.map_or("never".to_owned(), |after| format!("{after:.1?}")),
            "",
            recovered.is_some(),
        ),
    ]
}

/// As many clients as one process of this machine can have.
pub fn many(size: Size) -> Vec<Row> {
    let (count, hold) = size.pick((500, 0), (15_000, 600));
    let config = Config { ping_ms: size.pick(600_000, 25_000), ..Config::default() };
    let mut child = Child::start(&config);
    let before = child.settled();
    let start = Instant::now();
    let mut clients = vec![];
    for number in 0..count {
        match connect_from(number, child.addr) {
            Ok(stream) => clients.push(websocket_on(stream, OPEN, false)),
            Err(error) => {
                let limit = format!("{count}: {error}");
                return vec![Row::new("WebSockets", clients.len(), limit, false)];
            }
        }
    }
    let connected = start.elapsed();
    let start = Instant::now();
    let mut dropped = 0;
    loop {
        // A pong is not asked for: an echo is a sign of life, too.
        for client in &mut clients {
            dropped += usize::from(beat(client).is_err());
        }
        if start.elapsed() >= Duration::from_secs(hold) {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let usage = child.settled();
    let each = (usage.heap as i64 - before.heap as i64) / count as i64;
    let resident = (usage.resident as i64 - before.resident as i64) / count as i64;
    drop(clients);
    child.wait_until(|usage| usage.sessions == 0);
    vec![
        Row::new(
            format!("WebSockets, held for {hold} s"),
            usage.sessions,
            count,
            usage.sessions == count,
        ),
        Row::at_most("dropped", dropped as i64, 0, ""),
        Row::at_most("heap", each, 8192, "B each"),
        Row::told("resident", format!("{resident} B each")),
        Row::told("connected in", format!("{connected:.1?}")),
    ]
}

/// Sends a message and takes it back, past pings, which are answered.
fn beat(client: &mut std::net::TcpStream) -> std::io::Result<()> {
    use std::io::Write;
    client.write_all(&super::peer::text("4x"))?;
    loop {
        match super::peer::read_frame(client)? {
            (0x81, payload) if payload == b"2" => client.write_all(&super::peer::text("3"))?,
            (0x81, payload) if payload == b"4x" => return Ok(()),
            other => panic!("{other:?}"),
        }
    }
}
