//! Pings, pongs, and the end of who is silent.

use std::time::Instant;

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, fail};
use super::super::frame::Frame;
use super::super::socket::{Incoming, Socket};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "heartbeat/polling",
        "a GET that waits brings a ping and nothing else, again and again",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let session = server.open()?;
            for _ in 0..3 {
                session.get()?.brings("2")?;
                session.post("3")?.taken()?;
            }
            Ok(())
        },
    ),
    Case::new(
        "heartbeat/websocket",
        "pings come over WebSocket, again and again",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let (mut socket, _) = server.open_websocket()?;
            pings(&mut socket, 3)
        },
    ),
    Case::new(
        "heartbeat/not-early",
        "the first ping does not come before its time",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let start = Instant::now();
            let (mut socket, _) = server.open_websocket()?;
            ping(&mut socket)?;
            let elapsed = start.elapsed();
            ensure(elapsed >= server.ping_interval, "a ping after the interval", || {
                format!("one after {elapsed:?}")
            })
        },
    ),
    Case::new(
        "heartbeat/interval-after-pong",
        "after a pong, the next ping takes its time again",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let (mut socket, _) = server.open_websocket()?;
            ping(&mut socket)?;
            let start = Instant::now();
            socket.text("3");
            ping(&mut socket)?;
            let elapsed = start.elapsed();
            ensure(elapsed >= server.ping_interval, "a ping after the interval", || {
                format!("one after {elapsed:?}")
            })
        },
    ),
    Case::new(
        "heartbeat/silent-polling",
        "a session that polls and is silent ends after interval and timeout",
        HEARTBEAT,
        |server| {
            let lifetime = server.needs_quick_pings()?;
            let session = server.open()?;
            std::thread::sleep(lifetime);
            session.is_gone()
        },
    ),
    Case::new(
        "heartbeat/silent-get",
        "a client that polls and does not answer the ping is told the end",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let session = server.open()?;
            session.get()?.brings("2")?;
            let mut rest = session.start_get()?;
            let response = rest.response()?;
            // The GET may come so late that nobody knows the session any more.
            match response.status {
                200 => response.brings("1")?,
                _ => response.refused(1)?,
            }
            session.is_gone()
        },
    ),
    Case::new("heartbeat/silent-websocket", "a silent WebSocket is closed", HEARTBEAT, |server| {
        server.needs_quick_pings()?;
        let (mut socket, sid) = server.open_websocket()?;
        loop {
            match socket.next()? {
                Incoming::Text(text) if text == "2" || text == "1" => {}
                Incoming::Close(_) | Incoming::End => break,
                other => return fail("pings and the end", other.words()),
            }
        }
        server.refuses("GET", &format!("EIO=4&transport=polling&sid={sid}"), 1)
    }),
    Case::new(
        "heartbeat/one-ping-at-a-time",
        "while a pong is awaited, no second ping is sent",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let (mut socket, _) = server.open_websocket()?;
            let mut count = 0;
            loop {
                match socket.next()? {
                    Incoming::Text(text) if text == "2" => count += 1,
                    Incoming::Close(_) | Incoming::End => break,
                    Incoming::Nothing => return fail("the end", "nothing"),
                    _ => {}
                }
            }
            ensure(count == 1, "one ping", || format!("{count}"))
        },
    ),
    Case::new(
        "heartbeat/ping-of-a-client",
        "a client that pings is let go: only servers do",
        HEARTBEAT,
        |server| {
            let (mut socket, _) = server.open_websocket()?;
            socket.text("2");
            socket.ends()
        },
    ),
    Case::new(
        "heartbeat/probe-on-primary",
        "a probe on the session's own WebSocket ends it",
        HEARTBEAT,
        |server| {
            let (mut socket, _) = server.open_websocket()?;
            socket.text("2probe");
            socket.ends()
        },
    ),
    Case::new(
        "heartbeat/unasked-pongs",
        "a thousand pongs that nobody asked for do no harm",
        "CVE-2026-48802",
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            socket.write(Frame::text("3").to_bytes().repeat(1000));
            socket.echoes("4still there?")
        },
    ),
    Case::new("heartbeat/after-upgrade", "pings go on after an upgrade", HEARTBEAT, |server| {
        server.needs_quick_pings()?;
        let session = server.open()?;
        let mut socket = session.upgrade()?;
        pings(&mut socket, 3)
    }),
    Case::new(
        "heartbeat/upgrade-before-pong",
        "an upgrade between ping and pong does not make the silent immortal",
        HEARTBEAT,
        |server| {
            server.needs_quick_pings()?;
            let session = server.open()?;
            session.get()?.brings("2")?;
            let mut socket = session.upgrade()?;
            loop {
                match socket.next()? {
                    Incoming::Close(_) | Incoming::End => return Ok(()),
                    Incoming::Nothing => {
                        return fail("the end of who never answers", "a session that lives");
                    }
                    _ => {}
                }
            }
        },
    ),
    Case::new(
        "heartbeat/get-is-not-pong",
        "a client that only polls, and never answers pings, does not live for ever",
        HEARTBEAT,
        |server| {
            let lifetime = server.needs_quick_pings()?;
            let session = server.open()?;
            let start = Instant::now();
            session.get()?.brings("2")?;
            loop {
                let response = session.get()?;
                if response.status != 200 || response.body == b"1" {
                    return Ok(());
                }
                ensure(start.elapsed() < lifetime * 10, "the end of who never answers", || {
                    response.words()
                })?;
            }
        },
    ),
];

const HEARTBEAT: &str = "EIO § Heartbeat";

fn ping(socket: &mut Socket) -> Verdict {
    match socket.next()? {
        Incoming::Text(text) if text == "2" => Ok(()),
        other => fail("a ping", other.words()),
    }
}

fn pings(socket: &mut Socket, count: usize) -> Verdict {
    for _ in 0..count {
        ping(socket)?;
        socket.text("3");
    }
    Ok(())
}
