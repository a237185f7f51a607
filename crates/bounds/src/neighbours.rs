//! One bad client, and the others: they are told the same, in the same order, and not much later.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::child::Child;
use super::honest::{Echoes, Honest};
use super::peer::{frame, text, websocket};
use super::row::{Row, Size};
use super::serve::Config;

pub fn rows(size: Size) -> Vec<Row> {
    let echoes = size.pick(1000, 20_000);
    let attacks: [(&str, Vec<u8>); 4] = [
        ("messages", text("4x").repeat(10_000)),
        ("large messages", frame(0x82, &vec![7; 500_000])),
        ("pings", frame(0x89, b"").repeat(10_000)),
        (
            "fragments",
            [frame(0x02, b"x"), frame(0x00, b"x").repeat(10_000), frame(0x80, b"")].concat(),
        ),
    ];
    let mut rows = vec![];
    for (name, flood) in attacks {
        let (child, untouched) =
            (Child::start(&Config::default()), Child::start(&Config::default()));
        let mut honest =
            Honest { here: websocket(child.addr), elsewhere: websocket(untouched.addr) };
        let (alone, _) = trace(&mut honest, echoes);
        let attacker = websocket(child.addr);
        let over = Arc::new(AtomicBool::new(false));
        let flooding = flood_with(attacker, flood, over.clone());
        let (beside, wrong) = trace(&mut honest, echoes);
        over.store(true, Ordering::Relaxed);
        let sent = flooding.join().unwrap();
        rows.push(Row::at_most(
            format!("echoes that are not as they should be, beside {name}"),
            wrong,
            0,
            &format!("of {echoes}"),
        ));
        rows.push(alone.row("alone"));
        rows.push(beside.row(&format!("beside {} MB of {name}", sent >> 20)));
    }
    rows
}

/// Numbered echoes, and how many came back as something else.
fn trace(honest: &mut Honest, count: usize) -> (Echoes, i64) {
    let (mut echoes, mut wrong) = (Echoes::default(), 0);
    for number in 0..count {
        wrong += i64::from(honest.ask(&format!("4{number}"), &mut echoes).is_err());
    }
    (echoes, wrong)
}

/// Sends the same for as long as it may, and reads what comes back. Says how many bytes were sent.
fn flood_with(
    mut attacker: TcpStream,
    bytes: Vec<u8>,
    over: Arc<AtomicBool>,
) -> std::thread::JoinHandle<usize> {
    let mut reading = attacker.try_clone().unwrap();
    std::thread::spawn(move || {
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(1..) = reading.read(&mut buffer) {}
        });
        let mut sent = 0;
        while !over.load(Ordering::Relaxed) && attacker.write_all(&bytes).is_ok() {
            sent += bytes.len();
        }
        let _ = attacker.shutdown(std::net::Shutdown::Both);
        reader.join().unwrap();
        sent
    })
}
