//! `heartwire bench`.

use std::process::Stdio;

use rexpect::session::{PtySession, spawn_command};
use rustix::process::Signal;
use serde_json::Value;

use crate::liar::{Answers, Liar};
use crate::program::{Program, run, text};

/// As short as a load can be that shows something.
const SHORT: [&str; 5] = ["--duration", "0.3", "--warm-up", "0.1", "--json"];

/// Runs a load: the exit code, what it tells as JSON, and its error.
fn bench(url: &str, args: &[&str]) -> (Option<i32>, Value, String) {
    let output = run(&[&["bench", url][..], &SHORT, args].concat(), "");
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), report, text(&output.stderr).to_owned())
}

fn number(report: &Value, pointer: &str) -> u64 {
    let value = report.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {report}"));
    value.as_u64().unwrap_or_else(|| panic!("{pointer}: {value}"))
}

/// That a load went well, and everything that can be counted was.
fn assert_right(report: &Value, connections: u64) {
    assert_eq!(number(report, "/connections/opened"), connections);
    let sent = number(report, "/messages/sent");
    assert!(sent > 0, "{report}");
    assert_eq!(number(report, "/messages/answered"), sent);
    for wrong in ["unanswered", "corrupted", "reordered", "repeated", "misdirected", "unsent"] {
        assert_eq!(number(report, &format!("/messages/{wrong}")), 0, "{wrong}");
    }
    assert_eq!(report["errors"], serde_json::json!({"not_opened": {}, "lost": {}}));
    let sum = |pointer: &str| -> u64 {
        let slices = report.pointer(pointer).unwrap().as_array().unwrap();
        slices.iter().map(|slice| slice.as_u64().unwrap()).sum()
    };
    assert_eq!(sum("/slices/sent"), sent);
    assert_eq!(sum("/slices/answered"), sent);
}

#[test]
fn every_way_to_a_server_can_be_loaded() {
    let (_server, engineio) = Program::serve(&[]);
    let (_server, repod) = Program::serve_repod(&[]);
    for (url, args) in [
        (&engineio, &["--transport", "polling"][..]),
        (&engineio, &["--transport", "upgrade", "--binary"]),
        (&engineio, &["--depth", "8", "--size", "20000", "--threads", "2"]),
        (&repod, &["--depth", "8", "--threads", "3"]),
        (&repod, &["--binary", "--size", "16", "--action", "ping"]),
    ] {
        let (code, report, error) = bench(url, &[args, &["--connections", "5"]].concat());
        assert_eq!((code, &*error), (Some(0), ""), "{args:?}");
        assert_right(&report, 5);
        let floor = &report["overhead"]["floor"];
        assert!(floor["per_second"].as_f64().unwrap() > 0.0, "{args:?}: {report}");
        assert_eq!(number(floor, "/connections"), 5);
    }
}

#[test]
fn the_settings_are_told() {
    let (_server, url) = Program::serve(&[]);
    let args = ["-c", "3", "-s", "100", "-d", "2", "-b", "--no-self-check", "--connect-rate", "50"];
    let (code, report, error) = bench(&url, &args);
    assert_eq!((code, &*error), (Some(0), ""));
    let expected = serde_json::json!({
        "protocol": "Engine.IO", "transport": "websocket", "connections": 3, "depth": 2, "size": 100,
        "binary": true, "rate": null, "warm_up_s": 0.1, "duration_s": 0.3, "connect_rate": 50.0,
        "replies": true, "threads": report["settings"]["threads"],
    });
    assert_eq!(report["settings"], expected);
    assert_eq!(report["heartwire"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["url"], *url);
    assert_eq!(report["overhead"]["floor"], Value::Null);
    assert!(report["measured"]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
}

/// 500 messages a second for 0.4 s are 200; of those, 150 are due in the last 0.3 s.
#[test]
fn a_rate_says_how_many_messages_there_are() {
    let (_server, url) = Program::serve(&[]);
    let (code, report, error) = bench(&url, &["--rate", "500", "-c", "7", "--no-self-check"]);
    assert_eq!((code, &*error), (Some(0), ""));
    assert_right(&report, 7);
    assert_eq!(number(&report, "/messages/sent") + number(&report, "/messages/behind"), 200);
    let measured = number(&report, "/latency_us/count");
    assert!(measured <= 150 && measured + number(&report, "/messages/behind") >= 149, "{report}");
}

#[test]
fn wrong_answers_are_found() {
    for (answers, field, words) in [
        (Answers::Missing, "unanswered", "unanswered"),
        (Answers::Changed, "corrupted", "corrupted"),
        (Answers::Swapped, "reordered", "out of order"),
        (Answers::Twice, "repeated", "answered twice"),
    ] {
        let liar = Liar::start(answers);
        let args = ["-c", "2", "--depth", "4", "--no-self-check", "--timeout-ms", "1000"];
        let (code, report, error) = bench(&liar.url, &args);
        assert_eq!(code, Some(1), "{field}: {error}");
        assert!(error.starts_with("error: ") && error.contains(words), "{field}: {error}");
        let lies = number(&report, &format!("/messages/{field}"));
        assert!(lies > 0, "{field}");
        // What was held back for an answer that did not come any more is missing.
        let missing = number(&report, "/messages/unanswered");
        if field == "unanswered" {
            assert_eq!(missing, liar.lies());
        } else {
            assert_eq!(lies, liar.lies(), "{field}");
            assert!(field == "reordered" || missing == 0, "{field}: {missing}");
            assert!(report["messages"]["example"].is_string(), "{field}");
        }
        assert_eq!(
            number(&report, "/messages/sent"),
            number(&report, "/messages/answered")
                + missing
                + number(&report, "/messages/corrupted"),
        );
    }
}

#[test]
fn answers_to_somebody_else_are_found() {
    let (_server, url) = Program::serve(&["--broadcast-prefix", ""]);
    let (code, report, error) = bench(&url, &["-c", "2", "--no-self-check"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("answered to somebody else"), "{error}");
    assert!(number(&report, "/messages/misdirected") > 0);
    assert_eq!(number(&report, "/messages/answered"), number(&report, "/messages/sent"));
}

#[test]
fn a_server_that_dies_is_told_with_what_it_did() {
    // One message of each connection tries whether there are answers.
    let liar = Liar::start(Answers::Few(21));
    let args = ["bench", &liar.url, "-c", "3", "--no-self-check", "--json", "-t", "60"];
    let output = run(&args, "");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.starts_with("error: 3 of 3 connections were lost: "), "{error}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(number(&report, "/messages/answered"), 60);
    assert_eq!(number(&report, "/messages/unanswered"), 3);
    let lost = report["errors"]["lost"].as_object().unwrap();
    assert_eq!(lost.values().map(|kind| number(kind, "/count")).sum::<u64>(), 3);
    assert_eq!(report["interrupted"], false);
}

#[test]
fn an_interrupt_ends_early_and_reports() {
    let liar = Liar::start(Answers::Right);
    let args = ["bench", &liar.url, "-c", "2", "--no-self-check", "--json", "-t", "600"];
    let mut program = Program::start(&args);
    liar.wait_for(100);
    program.signal(Signal::INT);
    let report = program.json();
    let (code, _, error) = program.end();
    assert_eq!((code, &*error), (Some(130), ""));
    assert_eq!(report["interrupted"], true);
    assert_right(&report, 2);
}

#[test]
fn one_way_needs_no_answers() {
    let (_silent, url) = Program::serve(&["--behaviour", "silent"]);
    let (_echo, echo) = Program::serve_repod(&[]);
    let args = ["--no-reply", "-c", "3", "--no-self-check"];
    let (code, report, error) = bench(&url, &args);
    assert_eq!((code, &*error), (Some(0), ""));
    assert!(number(&report, "/messages/sent") > 0);
    assert_eq!(number(&report, "/messages/unsent"), 0);
    assert_eq!(report["latency_us"], Value::Null);
    assert_eq!(number(&report, "/messages/unexpected"), 0);

    let (code, report, error) = bench(&echo, &[&args[..], &["--rate", "200"]].concat());
    assert_eq!((code, &*error), (Some(0), ""));
    assert_eq!(number(&report, "/messages/sent") + number(&report, "/messages/behind"), 80);
    assert!(report["warnings"].to_string().contains("although --no-reply expects none"));
}

#[test]
fn who_cannot_be_loaded_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let (nobody, no_repod) = (format!("http://{addr}"), format!("repod://{addr}"));
    let (_silent, silent) = Program::serve(&["--behaviour", "silent"]);
    let (_polling, polling) = Program::serve(&["--transports", "polling"]);
    let (_small, small) = Program::serve(&["--max-payload", "1000"]);
    for (url, args, code, words) in [
        (&*nobody, &[][..], 3, "Connection refused"),
        (&no_repod, &[], 3, "Connection refused"),
        ("http://name.invalid", &[], 3, "cannot connect to http://name.invalid/engine.io/: "),
        ("tcp://localhost:5000", &[], 3, "expected http, https, ws, wss or repod"),
        ("localhost:5000", &[], 3, "is not a URL, expected one with http://, "),
        (&silent, &["--timeout-ms", "300"], 1, "--no-reply"),
        (&polling, &[], 3, "Transport unknown"),
        (&polling, &["--transport", "upgrade"], 1, "offers no upgrade"),
        (&small, &["--size", "5000"], 1, "the peer accepts at most 1000"),
        (&small, &["--size", "15"], 2, "15"),
        (&small, &["--rate", "0"], 2, "expected 0.001"),
        (&small, &["--duration", "0"], 2, "must not be zero"),
        (&small, &["--action", "a"], 2, "--action is for repod"),
        (&no_repod, &["--transport", "polling"], 2, "--transport is for Engine.IO"),
        (&small, &["--html", "/no/such/folder/report.html"], 2, "cannot write"),
    ] {
        let output = run(&[&["bench", url][..], args].concat(), "");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{url} {args:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains(words), "{url} {args:?}: {error}");
        assert_eq!(text(&output.stdout), "", "{url} {args:?}");
    }
}

#[test]
fn the_limit_of_open_files_is_raised_and_told() {
    let (_server, url) = Program::serve(&[]);
    let limited = |limit: &str, connections: &str| {
        let program = env!("CARGO_BIN_EXE_heartwire");
        let script = format!("{limit}; exec \"$0\" \"$@\"");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, program, "bench", &url, "-c", connections, "--no-self-check"]);
        command.args(SHORT).stdin(Stdio::null()).output().unwrap()
    };
    let output = limited("ulimit -Sn 64", "80");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = limited("ulimit -n 300", "101");
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("may have 300 files open, enough for 100 connections"), "{error}");
}

#[test]
fn connections_that_are_refused_are_counted() {
    let (_server, url) = Program::serve(&["--max-connections", "4"]);
    let (code, report, error) = bench(&url, &["-c", "6", "--no-self-check"]);
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("2 of 6 connections could not be opened: "), "{error}");
    assert_eq!(number(&report, "/connections/opened"), 4);
    assert_eq!(number(&report, "/messages/answered"), number(&report, "/messages/sent"));
    assert_eq!(number(&report, "/errors/not_opened/refused/count"), 2);
}

#[test]
fn the_page_shows_what_the_figures_say() {
    let (_server, url) = Program::serve(&[]);
    let file = std::env::temp_dir().join(format!("heartwire-bench-{}.html", std::process::id()));
    let html = ["--html", file.to_str().unwrap(), "--rate", "1000", "-c", "4"];
    // A name that would be markup, were it not escaped.
    let url = format!("{url}/?a=<b>&c=\"");
    let (code, report, error) = bench(&url, &html);
    let page = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!((code, &*error), (Some(0), ""));

    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(&page, options).unwrap();
    let all =
        |name: &'static str| page.descendants().filter(move |node| node.tag_name().name() == name);
    let named = |name: &'static str| all(name).map(|node| node.text().unwrap_or_default());

    assert_eq!(named("h1").next(), Some(&*url));
    let embedded: Value = serde_json::from_str(named("script").next().unwrap()).unwrap();
    assert_eq!(embedded, report, "the page has it all, and for programs");
    let charts: Vec<_> = all("svg").map(|node| node.attribute("aria-label").unwrap()).collect();
    assert_eq!(
        charts,
        ["Latency by percentile", "Answers by latency", "Messages a second by time"]
    );
    let sent = number(&report, "/messages/sent");
    let messages = format!("{sent} sent, {sent} answered rightly");
    assert!(named("td").any(|cell| cell == messages), "{messages}");
    // "31.6 µs to 35.5 µs: 12 answers"
    let drawn: u64 = named("title")
        .filter_map(|title| title.rsplit_once(": ")?.1.split_once(" answer"))
        .map(|(count, _)| count.replace(',', "").parse::<u64>().unwrap())
        .sum();
    assert_eq!(drawn, number(&report, "/latency_us/count"), "every answer is in a bar");
    let curves = all("path").filter(|node| node.attribute("class") == Some("curve")).count();
    let floors = all("path").filter(|node| node.attribute("class") == Some("floor")).count();
    assert_eq!((curves, floors), (1, 2), "the latency; the floor, and the wanted rate");
    for tag in ["link", "img", "iframe"] {
        assert_eq!(all(tag).count(), 0, "nothing is loaded from elsewhere");
    }
}

#[test]
fn words_are_for_people() {
    let (_server, url) = Program::serve_repod(&[]);
    let args = ["bench", &url, "-c", "2", "-t", "0.2", "--warm-up", "0.1"];
    let output = run(&args, "");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let out = text(&output.stdout);
    let title =
        format!("{url}  repod, 2 connections, text messages of 64 bytes, 1 under way on each");
    assert_eq!(out.lines().next(), Some(&*title));
    for name in ["connections", "messages", "rate", "latency", "p50", "p99.9", "floor", "generator"]
    {
        assert!(out.lines().any(|line| line.starts_with(&format!("{name:12} "))), "{name}: {out}");
    }
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let (_server, url) = Program::serve(&[]);
    let mut terminal = on_terminal(&["bench", &url, "-c", "2", "-t", "1", "--warm-up", "0.3"]);
    terminal.exp_regex("self-check: (warm-up|running)  ").unwrap();
    terminal.exp_regex("running  0\\.[0-9] of 1 s  [0-9,]+ messages/s  mean [0-9.]+ ").unwrap();
    terminal.exp_string("answered rightly").unwrap();
    terminal.exp_string("p99.99").unwrap();
    terminal.exp_eof().unwrap();
    assert_eq!(code(&terminal), "0)");
}

#[test]
fn a_terminal_can_interrupt() {
    let (_server, url) = Program::serve(&[]);
    let args = ["bench", &url, "-c", "2", "-t", "600", "--warm-up", "0", "--no-self-check"];
    let mut terminal = on_terminal(&args);
    terminal.exp_regex("running  [0-9.]+ of 600 s  [0-9,]+ messages/s").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("then interrupted").unwrap();
    terminal.exp_eof().unwrap();
    assert_eq!(code(&terminal), "130)");
}

fn on_terminal(args: &[&str]) -> PtySession {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heartwire"));
    command.args(args).env("TERM", "xterm").env("NO_COLOR", "1");
    spawn_command(command, Some(60_000)).unwrap()
}

fn code(terminal: &PtySession) -> String {
    let status = terminal.process.wait().unwrap();
    format!("{status:?}").split(',').nth(1).unwrap().trim().to_owned()
}
