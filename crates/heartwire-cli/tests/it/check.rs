//! `heartwire check`.

use serde_json::Value;

use crate::program::{Certificate, Program, run, text};

#[test]
fn a_server_of_ours_is_right() {
    let (_server, url) =
        Program::serve(&["--ping-interval-ms", "1000", "--ping-timeout-ms", "1000"]);
    let output = run(&["check", &url, "--only", "handshake/", "--only", "upgrade/"], "");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    let groups: Vec<_> = out.lines().filter(|line| line.contains(" of ")).collect();
    assert_eq!(groups.len(), 2, "{out}");
    assert!(out.ends_with(" pass, 0 fail\n"), "{out}");
}

#[test]
fn a_server_with_tls_is_right_for_who_trusts_it() {
    let certificate = Certificate::new("check");
    let (cert, key) = (&*certificate.cert, &*certificate.key);
    let (_server, url) = Program::serve(&["--tls-cert", cert, "--tls-key", key]);
    let url = url.replace("http://127.0.0.1", "https://localhost");
    let check = |more: &[&str]| {
        let output = run(&[&["check", &url, "--only", "handshake/"], more].concat(), "");
        (output.status.code(), text(&output.stdout).to_owned() + text(&output.stderr))
    };
    for trusting in [&["--cacert", cert][..], &["--insecure"]] {
        let (code, said) = check(trusting);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.ends_with(" pass, 0 fail\n"), "{said}");
    }
    let (code, said) = check(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn a_server_of_repod_is_right() {
    let (_server, url) = Program::serve_repod(&[]);
    let output = run(&["check", &url, "--only", "repod-greeting/", "--only", "repod-action/"], "");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    let groups: Vec<_> = out.lines().filter(|line| line.contains(" of ")).collect();
    assert_eq!(groups.len(), 2, "{out}");
    assert!(out.ends_with(" pass, 0 fail\n"), "{out}");
}

#[test]
fn a_server_of_repod_that_is_silent_is_checked_too() {
    let (_server, url) = Program::serve_repod(&["--behaviour", "silent"]);
    let output = run(&["check", &url, "--only", "repod-value/", "--json"], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let outcome = |case: &str| {
        let reports = text(&output.stdout).lines();
        let mut reports = reports.map(|line| serde_json::from_str::<Value>(line).unwrap());
        reports.find(|report| report["case"] == case).unwrap()["outcome"].clone()
    };
    assert_eq!(outcome("repod-value/every-type"), "skipped");
    assert_eq!(outcome("repod-value/nil"), "pass");
    assert_eq!(outcome("repod-value/list-bomb"), "pass");
}

#[test]
fn a_server_of_repod_that_is_wrong_is_told_so() {
    // One that greets, and takes whatever comes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("repod://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let greeting = b"\0\0\0\x12\x81\xa6action\xa9connected";
                std::io::Write::write_all(&mut stream, greeting).unwrap();
                std::io::copy(&mut stream, &mut std::io::sink())
            });
        }
    });
    let only = ["--only", "repod-frame/length-2-32", "--patience-ms", "300"];
    let output = run(&[&["check", &url], &only[..]].concat(), "");
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(out.contains("fails repod-frame/length-2-32: a frame of 2^32 - 1 bytes is"), "{out}");
    assert!(out.contains("expected  the connection to be closed"), "{out}");
    assert_eq!(text(&output.stderr), "error: the server fails 1 of 1 points\n");
}

#[test]
fn what_is_wrong_is_told_in_words() {
    // It cannot be right where it is not.
    let (_server, url) = Program::serve(&["--transports", "polling"]);
    let output = run(&["check", &url, "--only", "opening/granted"], "");
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(out.contains("fails opening/granted: a request for a WebSocket is granted"), "{out}");
    assert!(out.contains("expected  status 101"), "{out}");
    assert!(out.contains("got       400 with "), "{out}");
    assert!(out.contains("Transport unknown"), "{out}");
    assert!(out.contains("source    RFC 6455, § 4.2.2"), "{out}");
    assert_eq!(text(&output.stderr), "error: the server fails 1 of 1 points\n");
}

#[test]
fn what_cannot_be_tried_is_told() {
    let (_server, url) = Program::serve(&["--behaviour", "silent"]);
    let output = run(&["check", &url, "--only", "message/text", "--json"], "");
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["case"], "message/text");
    assert_eq!(report["outcome"], "skipped");
    assert_eq!(report["why"], "the server does not echo messages");
}

#[test]
fn every_point_is_listed_with_its_source() {
    let output = run(&["check", "--list", "--json"], "");
    let points: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(points.len() >= 150, "{}", points.len());
    assert!(points.iter().filter(|point| is_repod(point)).count() >= 40);
    for point in points {
        assert!(point["title"].as_str().is_some_and(|title| !title.is_empty()), "{point}");
        assert!(point["reference"].as_str().is_some_and(|source| !source.is_empty()), "{point}");
    }
}

fn is_repod(point: &Value) -> bool {
    point["case"].as_str().is_some_and(|case| case.starts_with("repod-"))
}

#[test]
fn what_cannot_be_checked_is_told() {
    for (args, code) in [
        (&["check"][..], 2),
        (&["check", "localhost"], 2),
        (&["check", "ftp://localhost"], 2),
        (&["check", "https://localhost", "--cacert", "/no/such/file"], 2),
        (&["check", "https://127.0.0.1:1", "--insecure"], 3),
        (&["check", "http://127.0.0.1:1", "--only", "no such thing"], 2),
        (&["check", "http://127.0.0.1:1"], 3),
        (&["check", "repod://127.0.0.1:1"], 3),
        (&["check", "repod://127.0.0.1:1/path"], 2),
        (&["check", "repod://127.0.0.1:1", "--insecure"], 2),
        (&["check", "repod://127.0.0.1:1", "--only", "framing/"], 2),
    ] {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{args:?}");
    }
}
