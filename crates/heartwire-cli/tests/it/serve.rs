//! `heartwire serve`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::program::{Program, run, text};

#[test]
fn says_where_it_listens() {
    let mut program = Program::start(&["serve", "--engineio", "127.0.0.1:0"]);
    let line = program.line();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    assert!(line.ends_with("/engine.io/ (Engine.IO, echo)"), "{line}");
    assert!(!line.contains(":0/"), "the port that it has taken: {line}");
    program.signal(Signal::TERM);
    let (code, out, _) = program.end();
    assert_eq!((code, &*out), (Some(0), "stopped\n"));
}

#[test]
fn drains_on_both_signals() {
    for signal in [Signal::TERM, Signal::INT] {
        let (server, url) = Program::serve(&[]);
        let mut client = Program::start(&["connect", &url, "--json"]);
        assert_eq!(client.json()["event"], "connected");
        client.type_line("there?");
        while client.json()["text"] != "there?" {}
        server.signal(signal);
        loop {
            let event = client.json();
            if event["event"] == "disconnected" {
                assert_eq!(event["reason"], "server disconnect");
                break;
            }
        }
        assert_eq!(client.end().0, Some(4));
        let (code, out, _) = server.end();
        assert_eq!(code, Some(0));
        assert_eq!(out, "{\"connections\":1,\"event\":\"stopped\"}\n");
    }
}

#[test]
fn broadcasts_to_every_other() {
    let (_server, url) = Program::serve(&["--behaviour", "broadcast"]);
    let mut clients: Vec<_> =
        (0..3).map(|_| Program::start(&["connect", &url, "--json"])).collect();
    for client in &mut clients {
        while client.json()["event"] != "upgraded" {}
    }
    clients[0].type_line("to the others");
    for client in &mut clients[1..] {
        assert_eq!(client.json()["text"], "to the others");
    }
    clients[1].type_line("and back");
    assert_eq!(clients[0].json()["text"], "and back", "its own message did not come back to it");
}

#[test]
fn echoes_and_broadcasts_by_prefix() {
    let (_server, url) = Program::serve(&["--broadcast-prefix", "B"]);
    let mut clients: Vec<_> =
        (0..2).map(|_| Program::start(&["connect", &url, "--json"])).collect();
    for client in &mut clients {
        while client.json()["event"] != "upgraded" {}
    }
    clients[0].type_line("for me");
    assert_eq!(clients[0].json()["text"], "for me");
    clients[0].type_line("Ball");
    for client in &mut clients {
        assert_eq!(client.json()["text"], "Ball");
    }
}

#[test]
fn options_reach_the_handshake() {
    let (_server, url) = Program::serve(&[
        "--ping-interval-ms",
        "300",
        "--ping-timeout-ms",
        "200",
        "--max-payload",
        "1234",
        "--transports",
        "polling",
        "--path",
        "/game/",
    ]);
    let mut client = Program::start(&["connect", &url, "--path", "game", "--json"]);
    let connected = client.json();
    assert_eq!(connected["ping_interval_ms"], 300);
    assert_eq!(connected["ping_timeout_ms"], 200);
    assert_eq!(connected["max_payload"], 1234);
    assert_eq!(connected["transport"], "polling");
    let refused = run(&["connect", &url], "");
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("404 Not Found"), "{}", text(&refused.stderr));
}

#[test]
fn websockets_are_compressed_with_clients_that_want_it() {
    let (_server, url) = Program::serve(&["--websocket-compression", "1"]);
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\
        Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let answer = BufReader::new(stream).lines().map(Result::unwrap);
    let mut head = answer.take_while(|line| !line.is_empty());
    assert!(head.any(|line| {
        line.to_lowercase().starts_with("sec-websocket-extensions: permessage-deflate")
    }));
    let connect = ["connect", &url, "--transports", "websocket", "--websocket-compression"];
    let output = run(&connect, &"x".repeat(2000));
    assert!(text(&output.stdout).contains(&"x".repeat(2000)), "{}", text(&output.stdout));
}

#[test]
fn an_address_in_use_is_told() {
    let (_server, url) = Program::serve(&[]);
    let addr = url.strip_prefix("http://").unwrap();
    let output = run(&["serve", "--engineio", addr], "");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.starts_with(&format!("error: cannot listen on {addr}: ")), "{error}");
}

#[test]
fn arguments_that_cannot_be_used_are_told() {
    for args in [
        &["serve", "--engineio", "nowhere"][..],
        &["serve", "--ping-interval-ms", "0"],
        &["serve", "--transports", "pigeons"],
        &["serve", "--path", "no-slash"],
        &["serve", "--behaviour", "sulk"],
        &["serve", "--repod", "nowhere"],
        &["serve", "--repod", "127.0.0.1:0", "--path", "/game/"],
        &["connect", "repod://localhost", "--header", "A: b"],
        &["frobnicate"],
    ] {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{args:?}");
    }
}
