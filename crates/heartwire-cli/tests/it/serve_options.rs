//! What `heartwire serve` can be told for public places: TLS, limits, proxies, numbers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::program::{Program, run, text};

#[test]
fn a_renewed_certificate_is_read_on_sighup() {
    let folder = std::env::temp_dir().join(format!("heartwire-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (cert, key, first, second) =
        (file("cert.pem"), file("key.pem"), file("first.pem"), file("second.pem"));
    renew(&cert, &key);
    std::fs::copy(&cert, &first).unwrap();

    let (mut server, url) = Program::serve(&["--tls-cert", &cert, "--tls-key", &key]);
    let url = url.replace("http://127.0.0.1", "https://localhost");
    let mut old = Program::start(&["connect", &url, "--cacert", &first, "--json"]);
    assert_eq!(old.json()["event"], "connected");

    // What cannot be used changes nothing.
    std::fs::write(&cert, "no certificate").unwrap();
    server.signal(Signal::HUP);
    let event = server.json();
    assert_eq!((&event["event"], &event["reloaded"]), (&"certificate".into(), &false.into()));
    assert!(event["error"].as_str().unwrap().contains("PEM"), "{event}");

    renew(&cert, &key);
    std::fs::copy(&cert, &second).unwrap();
    server.signal(Signal::HUP);
    let event = server.json();
    assert_eq!((&event["event"], &event["reloaded"]), (&"certificate".into(), &true.into()));
    let refused = run(&["connect", &url, "--cacert", &first], "");
    assert_eq!(refused.status.code(), Some(3));
    let answered = run(&["connect", &url, "--cacert", &second, "--json"], "new\n");
    assert!(text(&answered.stdout).contains(r#""text":"new""#), "{}", text(&answered.stdout));

    // Who was connected still is.
    old.type_line("old");
    while old.json()["text"] != "old" {}
    server.signal(Signal::TERM);
    assert_eq!(server.end().0, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Writes a new certificate for this machine, and its key.
fn renew(cert: impl AsRef<Path>, key: impl AsRef<Path>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(cert, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn prometheus_is_told_the_numbers() {
    let mut program = Program::start(&[
        "serve",
        "--engineio",
        "127.0.0.1:0",
        "--repod",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
        "--json",
    ]);
    let url = format!("http://{}", program.json()["addr"].as_str().unwrap());
    assert_eq!(program.json()["protocol"], "repod");
    let metrics = program.json();
    assert_eq!(metrics["event"], "metrics");
    let metrics = metrics["url"].as_str().unwrap().to_owned();
    let addr = metrics.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();

    let mut client = Program::start(&["connect", &url, "--transports", "websocket", "--json"]);
    assert_eq!(client.json()["event"], "connected");
    for line in ["one", "two"] {
        client.type_line(line);
        assert_eq!(client.json()["text"], line);
    }
    assert_eq!(get(url.strip_prefix("http://").unwrap(), "/engine.io/").0, 400);
    let (status, numbers) = get(addr, "/metrics");
    assert_eq!(status, 200);
    for line in [
        r#"heartwire_engineio_connections{transport="websocket"} 1"#,
        r#"heartwire_engineio_connections{transport="polling"} 0"#,
        "heartwire_engineio_connected_total 1",
        r#"heartwire_engineio_messages_total{direction="in"} 2"#,
        r#"heartwire_engineio_messages_total{direction="out"} 2"#,
        r#"heartwire_engineio_refused_total{reason="unknown transport"} 1"#,
        r#"heartwire_engineio_disconnected_total{reason="ping timeout"} 0"#,
        "heartwire_repod_connections 0",
        "# TYPE heartwire_engineio_bytes_total counter",
    ] {
        assert!(numbers.lines().any(|known| known == line), "{line} is not in\n{numbers}");
    }
    drop(client);
    let start = Instant::now();
    let gone = r#"heartwire_engineio_connections{transport="websocket"} 0"#;
    while !get(addr, "/metrics").1.contains(gone) {
        assert!(start.elapsed() < Duration::from_secs(60), "it still counts");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(get(addr, "/").0, 404);
}

#[test]
fn limits_cookies_and_compression_reach_the_server() {
    let (_server, url) = Program::serve(&[
        "--max-connections",
        "3",
        "--max-connections-per-address",
        "1",
        "--trusted-proxy",
        "127.0.0.0/8",
        "--forwarded-header",
        "forwarded",
        "--cookie",
        "--http-compression",
        "10",
        "--origin",
        "https://app.example",
    ]);
    let addr = url.strip_prefix("http://").unwrap();
    let open = |headers: &str| {
        request(addr, &format!("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n{headers}"))
    };
    let first = open("Forwarded: for=203.0.113.1;proto=https\r\nAccept-Encoding: gzip\r\n");
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert!(first.contains("set-cookie: io="), "{first}");
    assert!(first.contains("; HttpOnly; Secure; SameSite=Lax"), "{first}");
    assert!(first.contains("content-encoding: gzip"), "{first}");
    assert!(open("Forwarded: for=203.0.113.1\r\n").starts_with("HTTP/1.1 429"));
    assert!(open("Origin: https://evil.example\r\n").starts_with("HTTP/1.1 403"));
    let page = "Origin: https://app.example\r\nForwarded: for=203.0.113.2\r\n";
    assert!(open(page).starts_with("HTTP/1.1 200"));
    assert!(open("").starts_with("HTTP/1.1 200"));
    assert!(open("Forwarded: for=203.0.113.3\r\n").starts_with("HTTP/1.1 503"));
}

#[test]
fn web_pages_are_let_in_as_told() {
    let (_server, url) =
        Program::serve(&["--cors", "https://app.example", "--cors", "https://b.example"]);
    let (_open, open) = Program::serve(&["--cors", "*"]);
    let answer = |url: &str, method: &str, origin: &str| {
        let start = format!("{method} /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n");
        let addr = url.strip_prefix("http://").unwrap();
        request(addr, &format!("{start}Origin: {origin}\r\n"))
    };
    for origin in ["https://app.example", "https://b.example"] {
        let allowed = format!("access-control-allow-origin: {origin}\r\n");
        for (method, status) in [("OPTIONS", "204"), ("GET", "200")] {
            let answer = answer(&url, method, origin);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            assert!(answer.contains(&allowed), "{answer}");
        }
    }
    let evil = answer(&url, "GET", "https://evil.example");
    assert!(evil.starts_with("HTTP/1.1 403"), "{evil}");
    assert!(!evil.contains("access-control-allow-origin"), "{evil}");
    let anybody = answer(&open, "GET", "https://evil.example");
    assert!(anybody.starts_with("HTTP/1.1 200"), "{anybody}");
    assert!(anybody.contains("access-control-allow-origin: *\r\n"), "{anybody}");
}

#[test]
fn options_that_cannot_be_used_are_told() {
    for (args, code, words) in [
        (&["--tls-cert", "x.pem"][..], 2, "--tls-key"),
        (
            &["--tls-cert", "/no/such.pem", "--tls-key", "/no/such.key"],
            1,
            "cannot read /no/such.pem",
        ),
        (&["--trusted-proxy", "example.com"], 2, "no network such as 10.0.0.0/8"),
        (&["--cookie", "a b"], 2, "cookie"),
        (&["--forwarded-header", "forwarded"], 2, "--trusted-proxy"),
        (&["--metrics", "nowhere"], 2, "nowhere"),
    ] {
        let mut all = vec!["serve", "--engineio", "127.0.0.1:0"];
        all.extend_from_slice(args);
        let output = run(&all, "");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(words), "{args:?}: {error}");
    }
}

fn get(addr: &str, path: &str) -> (u16, String) {
    let answer = request(addr, &format!("GET {path} HTTP/1.1\r\n"));
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, body.to_owned())
}

/// The whole answer to a request, which is given without its last lines.
fn request(addr: &str, start: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "{start}Host: {addr}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
