//! What `send` says, against what arrives: with full queues, and racing the end.

use std::io::Write;
use std::time::Duration;

use super::child::Child;
use super::peer::{OPEN, connect, read_frame, text, websocket_on};
use super::row::{Row, Size};
use super::serve::{Application, Config};

pub fn rows(size: Size) -> Vec<Row> {
    let rounds = size.pick(60, 3000);
    let mut child =
        Child::start(&Config { application: Application::Counting, ..Config::default() });
    let mut lies = vec![];
    let (mut messages, mut told) = (0, 0);
    for round in 0..rounds {
        let end = ["close", "cut", "leave"][round % 3];
        let mut stream = websocket_on(connect(child.addr), OPEN, false);
        // At a different moment each time: some while the queue is full, some before.
        std::thread::sleep(Duration::from_micros((round * 37 % 3000) as u64));
        let mut received = 0_u64;
        let mut next = |payload: &[u8]| {
            let number =
                payload.strip_prefix(b"4").map(|text| String::from_utf8_lossy(text).into_owned());
            if let Some(number) = number {
                if number != received.to_string() {
                    lies.push(format!("{number} in place of {received}"));
                }
                received += 1;
            }
        };
        match end {
            "leave" => {
                for _ in 0..round % 50 {
                    next(&read_frame(&mut stream).unwrap().1);
                }
                drop(stream);
            }
            _ => {
                stream.write_all(&text(&format!("4{end}"))).unwrap();
                while let Ok((first, payload)) = read_frame(&mut stream)
                    && first != 0x88
                {
                    next(&payload);
                }
            }
        }
        let (accepted, unsent): (u64, u64) = loop {
            let accounts: Vec<(u64, u64)> = child.order("accounts");
            match accounts.get(round) {
                Some(account) => break *account,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let right = match end {
            "close" => received == accepted && unsent == 0,
            "cut" => received <= accepted && received + unsent >= accepted,
            _ => received <= accepted,
        };
        if !right {
            lies.push(format!("{end}: {accepted} accepted, {received} received, {unsent} unsent"));
        }
        messages += accepted;
        told += unsent;
    }
    let figure = lies.first().cloned().unwrap_or_else(|| "none".to_owned());
    vec![
        Row::new(format!("lies in {rounds} ends"), figure, "none", lies.is_empty()),
        Row::told("messages accepted, and told as unsent", format!("{messages}, {told}")),
    ]
}
