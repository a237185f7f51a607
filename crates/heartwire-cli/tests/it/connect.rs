//! `heartwire connect`.

use std::io::Read;
use std::process::Stdio;

use rexpect::session::{PtySession, spawn_command};
use rustix::process::Signal;

use crate::peer;
use crate::program::{Certificate, Program, command, run, text};

#[test]
fn lines_in_and_out() {
    let (_server, url) = Program::serve(&[]);
    for transports in ["polling", "websocket", "polling,websocket"] {
        let output = run(&["connect", &url, "--transports", transports], "hello\n\nżółw\nlast");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "hello\n\nżółw\nlast\n", "{transports}");
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn a_long_pipe_loses_nothing() {
    let (_server, url) = Program::serve(&[]);
    let input: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    let output = run(&["connect", &url], &input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout) == input, "every line came back, in order");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let (_server, url) = Program::serve(&[]);
    let output = run(&["connect", &url], "\u{1b}[2Jbad\u{7}\n");
    assert_eq!(text(&output.stdout), "\\u{1b}[2Jbad\\u{7}\n");
}

#[test]
fn json_tells_everything() {
    let (_server, url) = Program::serve(&[]);
    let output = run(&["connect", &url, "--json"], "hi\n");
    let events: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[0], "connected");
    assert!(names.contains(&"upgraded") && names.contains(&"message"), "{names:?}");
    assert_eq!(*names.last().unwrap(), "disconnected");
    assert_eq!(events.last().unwrap()["reason"], "client disconnect");
}

#[test]
fn who_cannot_be_reached_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let nobody = format!("http://{addr}");
    for (url, code, words) in [
        (&*nobody, 3, "Connection refused"),
        ("http://name.invalid", 3, "cannot connect to http://name.invalid/engine.io/: "),
        ("tcp://localhost:5000", 3, "expected http, https, ws, wss or repod"),
        ("localhost:5000", 3, "is not a URL, expected one with http://, "),
        ("http://", 3, "is not a URL"),
    ] {
        let output = run(&["connect", url], "");
        assert_eq!(output.status.code(), Some(code), "{url}");
        let error = text(&output.stderr);
        assert!(error.starts_with("error: ") && error.contains(words), "{url}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    for wrong in [
        &["--header", "no colon"][..],
        &["--cookie", "no value"],
        &["--cacert", "/no/such/file"],
        &["--cert", "/no/such/file"],
        &["--key", "key-without-certificate.pem"],
        &["--proxy", "http://localhost:1", "--no-proxy"],
    ] {
        let output = run(&[&["connect", &nobody], wrong].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", text(&output.stderr));
    }
}

#[test]
fn headers_and_cookies_reach_the_server() {
    let (addr, heard) = peer::listener();
    let url = format!("http://{addr}");
    let more = ["--header", "X-Mine: yes, mine", "--cookie", "a=b", "--cookie", "c=d"];
    let output = run(&[&["connect", &url, "--transports", "polling"], &more[..]].concat(), "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let request = heard.recv().unwrap().to_lowercase();
    assert!(request.contains("\r\nx-mine: yes, mine\r\n"), "{request}");
    assert!(request.contains("\r\ncookie: a=b; c=d\r\n"), "{request}");
}

#[test]
fn a_proxy_is_used_unless_it_is_not_wanted() {
    let (_server, url) = Program::serve(&[]);
    let (addr, wanted) = peer::proxy();
    let through = format!("http://{addr}");
    let connect = |more: &[&str], environment: &str| {
        let args = [&["connect", &url, "--transports", "websocket"], more].concat();
        let mut command = command(&args);
        for name in ["NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        let output = command.stdin(Stdio::null()).env("HTTP_PROXY", environment).output().unwrap();
        output.status.code()
    };
    let expected = format!("CONNECT {} ", url.strip_prefix("http://").unwrap());
    assert_eq!(connect(&["--proxy", &through], "http://127.0.0.1:1"), Some(0));
    assert!(wanted.recv().unwrap().starts_with(&expected));
    assert_eq!(connect(&[], &through), Some(0));
    assert!(wanted.recv().unwrap().starts_with(&expected));
    assert_eq!(connect(&["--no-proxy"], "http://127.0.0.1:1"), Some(0));
    assert_eq!(connect(&[], "http://127.0.0.1:1"), Some(3), "nobody is there");
    assert!(wanted.try_recv().is_err());
}

#[test]
fn a_certificate_is_shown_to_servers_that_want_one() {
    let certificate = Certificate::new("identity");
    let (addr, heard) = peer::strict(&certificate);
    let url = format!("https://localhost:{}", addr.port());
    let (cert, key) = (&*certificate.cert, &*certificate.key);
    let both = std::path::Path::new(cert).with_file_name("both.pem");
    let pem = [std::fs::read(cert).unwrap(), std::fs::read(key).unwrap()].concat();
    std::fs::write(&both, pem).unwrap();
    for (identity, known) in [
        (&["--cert", cert, "--key", key][..], true),
        (&["--cert", both.to_str().unwrap()], true),
        (&[], false),
    ] {
        let args = ["connect", &url, "--transports", "polling", "--cacert", cert];
        let output = run(&[&args[..], identity].concat(), "");
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        let request = heard.recv().unwrap();
        assert_eq!(request.starts_with("GET /engine.io/?"), known, "{identity:?}: {request}");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_talked_to_if_that_is_wanted() {
    let certificate = Certificate::new("insecure");
    let tls = ["--tls-cert", &certificate.cert, "--tls-key", &certificate.key];
    let (_server, url) = Program::serve(&tls);
    let url = url.replace("http://", "https://");
    for (more, code) in [(&["--insecure"][..], 0), (&["-k"], 0), (&[], 3)] {
        let output = run(&[&["connect", &url], more].concat(), "hello\n");
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{more:?}: {error}");
        assert_eq!(out, if code == 0 { "hello\n" } else { "" }, "{more:?}");
    }
}

#[test]
fn a_lost_connection_comes_back() {
    let (server, url) = Program::serve(&[]);
    let mut client = Program::start(&["connect", &url, "--json", "--reconnect"]);
    while client.json()["event"] != "upgraded" {}
    server.signal(Signal::KILL);
    assert_eq!(client.json()["event"], "disconnected");
    assert_eq!(client.json()["event"], "reconnecting");
    drop(server);
    let addr = url.strip_prefix("http://").unwrap();
    let _server = Program::start(&["serve", "--engineio", addr]);
    while client.json()["event"] != "upgraded" {}
    client.type_line("again");
    assert_eq!(client.json()["text"], "again");
}

#[test]
fn a_server_that_dies_is_told() {
    let (server, url) = Program::serve(&[]);
    let mut client = Program::start(&["connect", &url, "--json"]);
    while client.json()["event"] != "upgraded" {}
    server.signal(Signal::KILL);
    let event = client.json();
    assert_eq!(event["event"], "disconnected");
    let (code, _, error) = client.end();
    assert_eq!(code, Some(4));
    assert!(error.starts_with("error: connection lost: transport "), "{error}");
}

#[test]
fn an_interrupt_says_goodbye() {
    let (_server, url) = Program::serve(&[]);
    let mut client = Program::start(&["connect", &url, "--json"]);
    while client.json()["event"] != "upgraded" {}
    client.signal(Signal::INT);
    let (code, _, error) = client.end();
    assert_eq!((code, &*error), (Some(130), ""));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let (_server, url) = Program::serve(&[]);
    let mut child = command(&["connect", &url]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    use std::io::Write;
    writeln!(child.stdin.take().unwrap(), "into the void").unwrap();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), &*error), (Some(0), ""));
}

#[test]
fn a_terminal_gets_a_prompt() {
    let (_server, url) = Program::serve(&[]);
    let mut terminal = on_terminal(&url);
    terminal.exp_string("Ctrl-D to leave").unwrap();
    terminal.exp_string("connected over polling").unwrap();
    terminal.exp_string("upgraded to websocket").unwrap();
    terminal.send_line("hello there").unwrap();
    terminal.exp_string("hello there").unwrap(); // as it is typed
    terminal.exp_string("hello there").unwrap(); // as it comes back
    terminal.send_control('d').unwrap();
    terminal.exp_eof().unwrap();
    let status = terminal.process.wait().unwrap();
    assert_eq!(format!("{status:?}").split(',').nth(1).unwrap().trim(), "0)");
}

#[test]
fn a_terminal_is_left_by_an_interrupt() {
    let (_server, url) = Program::serve(&[]);
    let mut terminal = on_terminal(&url);
    terminal.exp_string("upgraded to websocket").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_eof().unwrap();
    let status = terminal.process.wait().unwrap();
    assert_eq!(format!("{status:?}").split(',').nth(1).unwrap().trim(), "130)");
}

fn on_terminal(url: &str) -> PtySession {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heartwire"));
    command.args(["connect", url]).env("TERM", "xterm");
    spawn_command(command, Some(30_000)).unwrap()
}
