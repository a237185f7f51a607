//! `heartwire serve --repod`.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::program::{Program, run, text};

/// What a server sends first, captured from repodnet 0.1.2.
const GREETING: &[u8] = b"\x00\x00\x00\x12\x81\xa6action\xa9connected";

#[test]
fn says_where_it_listens() {
    let mut program = Program::start(&["serve", "--repod", "127.0.0.1:0"]);
    let line = program.line();
    assert!(line.starts_with("listening on repod://127.0.0.1:"), "{line}");
    assert!(line.ends_with(" (repod, echo)"), "{line}");
    assert!(!line.contains(":0 "), "the port that it has taken: {line}");
    program.signal(Signal::TERM);
    let (code, out, error) = program.end();
    assert_eq!((code, &*out), (Some(0), "stopped\n"));
    assert_eq!(error, "terminated: closing 0 connections\n");
}

#[test]
fn serves_both_protocols() {
    let mut server = Program::start(&[
        "serve",
        "--engineio",
        "127.0.0.1:0",
        "--repod",
        "127.0.0.1:0",
        "--json",
        "--behaviour",
        "broadcast",
    ]);
    let [engineio, repod] = [server.json(), server.json()];
    assert_eq!((&engineio["protocol"], &repod["protocol"]), (&"engineio".into(), &"repod".into()));
    assert_eq!(repod["behaviour"], "broadcast");
    let engineio = format!("http://{}", engineio["addr"].as_str().unwrap());
    let repod = format!("repod://{}", repod["addr"].as_str().unwrap());

    let mut clients: Vec<_> = [&engineio, &engineio, &repod, &repod]
        .into_iter()
        .map(|url| Program::start(&["connect", url, "--json"]))
        .collect();
    for client in &mut clients[..2] {
        while client.json()["event"] != "upgraded" {}
    }
    for client in &mut clients[2..] {
        assert_eq!(client.json()["event"], "connected");
        assert_eq!(client.json()["message"]["action"], "connected");
    }
    clients[0].type_line("web");
    clients[2].type_line("game");
    assert_eq!(clients[1].json()["text"], "web");
    assert_eq!(clients[3].json()["message"]["data"], "game");

    server.signal(Signal::TERM);
    let (code, out, _) = server.end();
    assert_eq!((code, &*out), (Some(0), "{\"connections\":4,\"event\":\"stopped\"}\n"));
    for client in clients {
        assert_eq!(client.end().0, Some(4));
    }
}

#[test]
fn drains_on_both_signals() {
    for signal in [Signal::TERM, Signal::INT] {
        let (server, url) = Program::serve_repod(&[]);
        let mut client = Program::start(&["connect", &url, "--json"]);
        client.type_line("there?");
        while client.json()["message"]["data"] != "there?" {}
        server.signal(signal);
        let end = client.json();
        assert_eq!(
            (&end["event"], &end["reason"]),
            (&"disconnected".into(), &"closed by peer".into())
        );
        assert_eq!(client.end().0, Some(4));
        let (code, out, _) = server.end();
        assert_eq!((code, &*out), (Some(0), "{\"connections\":1,\"event\":\"stopped\"}\n"));
    }
}

#[test]
fn echoes_and_broadcasts_by_prefix_of_the_action() {
    let (_server, url) = Program::serve_repod(&["--broadcast-prefix", "all"]);
    let mut clients: Vec<_> =
        (0..2).map(|_| Program::start(&["connect", &url, "--json"])).collect();
    for client in &mut clients {
        while client.json()["message"]["action"] != "connected" {}
    }
    clients[0].type_line(r#"{"action":"one","to":"me"}"#);
    assert_eq!(clients[0].json()["message"]["to"], "me");
    clients[0].type_line(r#"{"action":"all_of_us"}"#);
    for client in &mut clients {
        assert_eq!(client.json()["message"]["action"], "all_of_us");
    }
}

#[test]
fn is_silent() {
    let (_server, url) = Program::serve_repod(&["--behaviour", "silent"]);
    let output = run(&["connect", &url], "anybody?\n");
    assert_eq!(text(&output.stdout), "{\"action\":\"connected\"}\n");
}

#[test]
fn accepts_no_more_than_the_limit_of_each_protocol() {
    for (args, limit) in [(&[][..], 16 << 20), (&["--max-payload", "1234"], 1234)] {
        let (_server, url) = Program::serve_repod(args);
        let mut socket = TcpStream::connect(url.strip_prefix("repod://").unwrap()).unwrap();
        let mut greeting = [0; GREETING.len()];
        socket.read_exact(&mut greeting).unwrap();
        assert_eq!(greeting, GREETING);
        // The text has as many bytes as fit below the limit.
        let mut frame = u32::to_be_bytes(limit).to_vec();
        frame.extend_from_slice(b"\x82\xa6action\xa1a\xa1t");
        let head: usize = if limit > 65536 { 5 } else { 3 };
        let length = limit as usize - (frame.len() - 4) - head;
        match head {
            5 => {
                frame.push(0xdb);
                frame.extend_from_slice(&u32::to_be_bytes(length as u32));
            }
            _ => {
                frame.push(0xda);
                frame.extend_from_slice(&u16::to_be_bytes(length as u16));
            }
        }
        frame.resize(limit as usize + 4, b'x');
        let mut reader = socket.try_clone().unwrap();
        let echo = std::thread::spawn(move || {
            let mut echo = vec![0; limit as usize + 4];
            reader.read_exact(&mut echo).unwrap();
            (echo, reader)
        });
        socket.write_all(&frame).unwrap();
        let (echo, mut reader) = echo.join().unwrap();
        assert!(echo == frame, "a message of {limit} bytes comes back");
        socket.write_all(&u32::to_be_bytes(limit + 1)).unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "one byte more is refused");
    }
    // Engine.IO keeps its own.
    let (_server, url) = Program::serve(&[]);
    let mut client = Program::start(&["connect", &url, "--json"]);
    assert_eq!(client.json()["max_payload"], 1_000_000);
}

#[test]
fn an_address_in_use_is_told_before_anything_is_served() {
    let (_server, url) = Program::serve_repod(&[]);
    let addr = url.strip_prefix("repod://").unwrap();
    let output = run(&["serve", "--engineio", "127.0.0.1:0", "--repod", addr], "");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let error = text(&output.stderr);
    assert!(error.starts_with(&format!("error: cannot listen on {addr}: ")), "{error}");
}
