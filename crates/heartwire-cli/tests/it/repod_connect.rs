//! `heartwire connect repod://…`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use rexpect::session::{PtySession, spawn_command};
use rustix::process::Signal;

use crate::program::{Program, command, run, text};

const GREETING: &str = "{\"action\":\"connected\"}\n";

#[test]
fn objects_are_messages_and_other_lines_their_data() {
    let (_server, url) = Program::serve_repod(&[]);
    let input = "{\"action\":\"move\",\"y\":1.0,\"x\":[2,-3,null],\"name\":\"żółw\"}\n\
        hello \"you\"\n\n[1]\nlast";
    let output = run(&["connect", &url], input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = [
        r#"{"action":"connected"}"#,
        r#"{"action":"move","y":1.0,"x":[2,-3,null],"name":"żółw"}"#,
        r#"{"action":"message","data":"hello \"you\""}"#,
        r#"{"action":"message","data":""}"#,
        r#"{"action":"message","data":"[1]"}"#,
        r#"{"action":"message","data":"last"}"#,
    ];
    assert_eq!(text(&output.stdout).lines().collect::<Vec<_>>(), expected);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn objects_that_go_astray_are_remarked_on() {
    let (_server, url) = Program::serve_repod(&[]);
    let output = run(&["connect", &url], "{\"text\":\"no action\"}\n{action: 1}\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        format!("{GREETING}{{\"action\":\"message\",\"data\":\"{{action: 1}}\"}}\n")
    );
    let remarks: Vec<_> = text(&output.stderr).lines().collect();
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    assert_eq!(remarks[0], "a message without \"action\" is ignored by who gets it");
    assert!(remarks[1].starts_with("sent as text, since it is no JSON object: "), "{remarks:?}");
}

/// Frames that were captured from repodnet 0.1.2, or written by hand after the msgpack specification.
#[test]
fn what_json_cannot_hold_is_shown_as_python_does() {
    for (payload, words, json) in [
        (
            &b"\x82\xa6action\xa1a\xa1b\xc4\x02\x00\xff"[..],
            r"{'action': 'a', 'b': b'\x00\xff'}",
            r#"{"event":"message","msgpack":"gqZhY3Rpb26hYaFixAIA/w=="}"#,
        ),
        (
            b"\x82\xa6action\xa1a\x05\x06",
            "{'action': 'a', 5: 6}",
            r#"{"event":"message","msgpack":"gqZhY3Rpb26hYQUG"}"#,
        ),
        (
            b"\x82\xa6action\xa1a\xa1f\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
            "{'action': 'a', 'f': inf}",
            r#"{"event":"message","msgpack":"gqZhY3Rpb26hYaFmy3/wAAAAAAAA"}"#,
        ),
        (
            b"\x81\xa6action\xa2\x1b\x7f",
            r#"{"action":"\u001b\u007f"}"#,
            r#"{"event":"message","message":{"action":"\u001b\u007f"}}"#,
        ),
    ] {
        for (args, expected) in [(&[][..], words), (&["--json"], json)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("repod://{}", listener.local_addr().unwrap());
            let client = Program::start(&[&["connect", &url][..], args].concat());
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(&u32::to_be_bytes(payload.len() as u32)).unwrap();
            socket.write_all(payload).unwrap();
            drop(socket);
            let (code, out, _) = client.end();
            assert_eq!(code, Some(4));
            assert!(out.lines().any(|line| line == expected), "{expected} in {out}");
        }
    }
}

#[test]
fn lines_that_are_no_text_are_sent_as_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("repod://{}", listener.local_addr().unwrap());
    let mut child = command(&["connect", &url]).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\xfe\n").unwrap();
    let mut frames = vec![];
    listener.accept().unwrap().0.read_to_end(&mut frames).unwrap();
    assert_eq!(frames, b"\x00\x00\x00\x19\x82\xa6action\xa7message\xa4data\xc4\x02\xff\xfe");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_long_pipe_loses_nothing() {
    let (_server, url) = Program::serve_repod(&[]);
    let input: String =
        (0..20_000).map(|number| format!("{{\"action\":\"n\",\"n\":{number}}}\n")).collect();
    let output = run(&["connect", &url], &input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = format!("{GREETING}{input}");
    assert!(text(&output.stdout) == expected, "every line came back, in order");
}

/// The end of the input is no reason to hurry while the server takes its time.
#[test]
fn a_server_that_takes_its_time_gets_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("repod://{}", listener.local_addr().unwrap());
    let mut child = command(&["connect", &url, "--linger-ms", "1"]).spawn().unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let line = "x".repeat(1 << 20);
    for _ in 0..32 {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    // Nothing tells when the client has come to its end of the input; this is about when.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let mut received = vec![];
    socket.read_to_end(&mut received).unwrap();
    let frame = 4 + b"\x82\xa6action\xa7message\xa4data\xdb....".len() + line.len();
    assert_eq!(received.len(), 32 * frame);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn json_tells_everything() {
    let (_server, url) = Program::serve_repod(&[]);
    let output = run(&["connect", &url, "--json"], "hi\n");
    let events: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let addr = url.strip_prefix("repod://").unwrap();
    assert_eq!(events[0], serde_json::json!({"event": "connected", "addr": addr}));
    assert_eq!(events[1]["message"], serde_json::json!({"action": "connected"}));
    assert_eq!(events[2]["message"], serde_json::json!({"action": "message", "data": "hi"}));
    assert_eq!(events[3]["event"], "disconnected");
    assert_eq!((&events[3]["reason"], &events[3]["unsent"]), (&"closed".into(), &0.into()));
    assert_eq!(events.len(), 4);
}

#[test]
fn who_cannot_be_reached_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    for (url, words) in [
        (&*format!("repod://{addr}"), &*format!("cannot connect to {addr}: Connection refused")),
        ("repod://name.invalid", "cannot connect to name.invalid:5071: "),
        ("repod://localhost:port", "is not the URL of a repod server, expected repod://HOST or "),
        ("repod://localhost/room", "is not the URL of a repod server"),
    ] {
        let output = run(&["connect", url], "");
        assert_eq!(output.status.code(), Some(3), "{url}");
        let error = text(&output.stderr);
        assert!(error.starts_with("error: ") && error.contains(words), "{url}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_server_that_dies_is_told() {
    let (server, url) = Program::serve_repod(&[]);
    let mut client = Program::start(&["connect", &url, "--json"]);
    while client.json()["event"] != "message" {}
    server.signal(Signal::KILL);
    let event = client.json();
    assert_eq!(event["event"], "disconnected");
    let (code, _, error) = client.end();
    assert_eq!(code, Some(4));
    assert!(error.starts_with("error: connection lost: "), "{error}");
}

#[test]
fn a_lost_connection_comes_back() {
    let (server, url) = Program::serve_repod(&[]);
    let mut client = Program::start(&["connect", &url, "--json", "--reconnect"]);
    while client.json()["event"] != "message" {}
    server.signal(Signal::KILL);
    assert_eq!(client.json()["event"], "disconnected");
    assert_eq!(client.json()["event"], "reconnecting");
    client.type_line("sent between two connections");
    drop(server);
    let addr = url.strip_prefix("repod://").unwrap();
    let _server = Program::start(&["serve", "--repod", addr]);
    while client.json()["message"]["data"] != "sent between two connections" {}
}

#[test]
fn a_server_that_comes_later_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let url = format!("repod://{addr}");
    // Neither the end of the input nor silence is a reason to leave before.
    let waiting = ["connect", &url, "--reconnect", "--json", "--linger-ms", "1"];
    let mut client = Program::start(&waiting);
    client.close_input();
    assert_eq!(client.json()["event"], "reconnect failed");
    assert_eq!(client.json()["event"], "reconnecting");
    let _server = Program::start(&["serve", "--repod", &addr]);
    while client.json()["event"] != "connected" {}
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn a_server_of_another_kind_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("repod://{}", listener.local_addr().unwrap());
    let client = Program::start(&["connect", &url]);
    let (mut socket, _) = listener.accept().unwrap();
    socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let (code, _, error) = client.end();
    assert_eq!(code, Some(4));
    assert!(error.starts_with("error: connection lost: frame too large: "), "{error}");
    assert!(error.ends_with("; it speaks HTTP: try http://\n"), "{error}");
}

#[test]
fn an_interrupt_says_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("repod://{}", listener.local_addr().unwrap());
    let mut client = Program::start(&["connect", &url, "--json"]);
    assert_eq!(client.json()["event"], "connected");
    client.signal(Signal::INT);
    let (mut socket, _) = listener.accept().unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0, "an end, not a reset");
    let (code, _, error) = client.end();
    assert_eq!((code, &*error), (Some(130), ""));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let (_server, url) = Program::serve_repod(&[]);
    let mut child = command(&["connect", &url]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), &*error), (Some(0), ""));
}

#[test]
fn a_terminal_gets_a_prompt() {
    let (_server, url) = Program::serve_repod(&[]);
    let mut terminal = on_terminal(&url);
    terminal.exp_string("Ctrl-D to leave").unwrap();
    terminal.exp_string("connected to 127.0.0.1:").unwrap();
    terminal.exp_string("{\"action\":\"connected\"}").unwrap();
    terminal.send_line("hello there").unwrap();
    terminal.exp_string("{\"action\":\"message\",\"data\":\"hello there\"}").unwrap();
    terminal.send_line("{\"text\":1}").unwrap();
    terminal.exp_string("a message without \"action\" is ignored").unwrap();
    terminal.send_control('d').unwrap();
    ends_with(terminal, 0);
}

#[test]
fn a_terminal_is_left_by_an_interrupt() {
    let (_server, url) = Program::serve_repod(&[]);
    let mut terminal = on_terminal(&url);
    terminal.exp_string("{\"action\":\"connected\"}").unwrap();
    terminal.send_control('c').unwrap();
    ends_with(terminal, 130);
}

#[test]
fn a_terminal_is_told_that_the_server_has_gone() {
    let (server, url) = Program::serve_repod(&[]);
    let mut terminal = on_terminal(&url);
    terminal.exp_string("{\"action\":\"connected\"}").unwrap();
    server.signal(Signal::TERM);
    terminal.exp_string("connection lost: closed by peer").unwrap();
    ends_with(terminal, 4);
}

#[test]
fn a_terminal_shows_what_came_right_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut terminal = on_terminal(&format!("repod://{}", listener.local_addr().unwrap()));
    terminal.exp_string("connected to").unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let frame = |n| [&b"\x00\x00\x00\x0f\x82\xa6action\xa3bye\xa1n"[..], &[n]].concat();
    socket.write_all(&(0..100).flat_map(frame).collect::<Vec<_>>()).unwrap();
    drop(socket);
    for n in 0..100 {
        terminal.exp_string(&format!("{{\"action\":\"bye\",\"n\":{n}}}")).unwrap();
    }
    terminal.exp_string("connection lost: closed by peer").unwrap();
    ends_with(terminal, 4);
}

#[test]
fn a_terminal_is_left_as_it_was() {
    let (server, url) = Program::serve_repod(&[]);
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_heartwire");
    shell.args(["-c", "\"$0\" connect \"$1\"; stty -a", program, &url]).env("TERM", "xterm");
    let mut terminal = spawn_command(shell, Some(30_000)).unwrap();
    terminal.exp_string("{\"action\":\"connected\"}").unwrap();
    terminal.send("half a li").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("half a li").unwrap();
    server.signal(Signal::TERM);
    terminal.exp_string("error").unwrap();
    terminal.exp_string(" icanon").unwrap();
    terminal.exp_string(" echo").unwrap();
    terminal.exp_eof().unwrap();
}

#[track_caller]
fn ends_with(mut terminal: PtySession, code: i32) {
    terminal.exp_eof().unwrap();
    let status = terminal.process.wait().unwrap();
    assert_eq!(
        format!("{status:?}").split(',').nth(1).unwrap().trim(),
        format!("{code})"),
        "{status:?}"
    );
}

fn on_terminal(url: &str) -> PtySession {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heartwire"));
    command.args(["connect", url]).env("TERM", "xterm");
    spawn_command(command, Some(30_000)).unwrap()
}
