//! Handlers that panic or hang, in each callback: the next message is handled, or the client is told that
//! its connection is over, and nobody else notices.

use std::io::Write;

use super::child::Child;
use super::peer::{
    OPEN, close_code, connect, echo, get, open, post, read_frame, text, websocket, websocket_on,
};
use super::row::{Row, Size};
use super::serve::{Application, Config};

pub fn rows(size: Size) -> Vec<Row> {
    let count = size.pick(20, 1000);
    let mut rows = vec![];
    for (name, application) in
        [("callbacks", Application::Faulty), ("futures", Application::FaultyFutures)]
    {
        let config = Config { application, hook: true, hook_ms: 10, ..Config::default() };
        let mut child = Child::start(&config);
        let mut honest = websocket(child.addr);
        let mut wrong: Vec<&str> = vec![];
        let mut check = |what, right: bool| {
            if !right {
                wrong.push(what);
            }
        };
        for _ in 0..count {
            check("hook panics", get(child.addr, &format!("{OPEN}&hook=panic")).0 == 500);
            check("hook hangs", get(child.addr, &format!("{OPEN}&hook=hang")).0 == 503);
            match application {
                Application::Faulty => {
                    let mut stream = websocket(child.addr);
                    stream.write_all(&text("4panic")).unwrap();
                    check("message", echo(&mut stream, "4next").is_ok());
                    drop(stream);
                    let target = open(child.addr);
                    check("message by POST", post(child.addr, &target, b"4panic").0 == 200);
                    check("POST after that", post(child.addr, &target, b"4next").0 == 200);
                    check("its answer", get(child.addr, &target).1 == b"4next");
                    check("close by POST", post(child.addr, &target, b"1").0 == 200);
                    let faulty = |fault: &str| {
                        websocket_on(connect(child.addr), &format!("{OPEN}&fault={fault}"), false)
                    };
                    check("connect", echo(&mut faulty("connect"), "4next").is_ok());
                    check("disconnect", echo(&mut faulty("disconnect"), "4next").is_ok());
                }
                _ => {
                    let mut stream = websocket(child.addr);
                    stream.write_all(&text("4panic")).unwrap();
                    let (_, payload) = read_frame(&mut stream).unwrap();
                    check("future", payload == b"1" && close_code(&mut stream).is_none());
                    let mut stream =
                        websocket_on(connect(child.addr), &format!("{OPEN}&fault=connect"), false);
                    let (_, payload) = read_frame(&mut stream).unwrap();
                    check("future that is not made", payload == b"1");
                    let mut stream = websocket(child.addr);
                    stream.write_all(&text("4hang")).unwrap();
                    // The client goes, and a future that waits for ever is no session.
                    drop(stream);
                }
            }
            check("others", echo(&mut honest, "4still here").is_ok());
        }
        let (_, usage) = child.wait_until(|usage| usage.sessions == 1);
        let figure =
            wrong.first().map_or("none".to_owned(), |what| format!("{what}, {}", wrong.len()));
        rows.push(Row::new(
            format!("{name} that fail, {count} rounds: wrong"),
            figure,
            "none",
            wrong.is_empty(),
        ));
        rows.push(Row::at_most(format!("{name}: sessions left"), usage.sessions as i64 - 1, 0, ""));
    }
    rows
}
