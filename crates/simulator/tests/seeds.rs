//! Many seeds, and mistakes that must be noticed.

use std::process::Command;

use simulator::{Report, engineio, repod};

/// Seeds of each protocol that are run with every change.
const SEEDS: u64 = 10_000;

fn check(protocol: &str, seeds: std::ops::Range<u64>, run: impl Fn(u64, bool) -> Report) {
    for seed in seeds {
        if run(seed, false).violation.is_some() {
            panic!("simulate {protocol} {seed}\n{}", run(seed, true));
        }
    }
}

#[test]
fn engineio_sessions_keep_what_is_promised() {
    check("engineio", 0..SEEDS / 2, engineio::run);
}

#[test]
fn engineio_sessions_keep_what_is_promised_on() {
    check("engineio", SEEDS / 2..SEEDS, engineio::run);
}

/// Seeds among millions that have told something: neither side of a session reads, and the client closes it.
#[test]
fn rare_seeds_keep_what_is_promised() {
    check("engineio", 465_897..465_898, engineio::run);
}

#[test]
fn repod_connections_keep_what_is_promised() {
    check("repod", 0..SEEDS, repod::run);
}

/// A trace that could not be told again would be of no use.
#[test]
fn a_seed_always_tells_the_same() {
    for seed in 0..300 {
        assert_eq!(engineio::run(seed, true), engineio::run(seed, true));
        assert_eq!(repod::run(seed, true), repod::run(seed, true));
    }
}

/// What differs from process to process, as the order of hash maps, must not show either.
#[test]
fn another_process_tells_the_same() {
    for (protocol, run) in
        [("engineio", engineio::run as fn(u64, bool) -> Report), ("repod", repod::run)]
    {
        for seed in 0..20 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
            let output = command.args([protocol, &seed.to_string()]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), run(seed, true).to_string());
        }
    }
}

/// Whoever has a session at the same server, whatever he does with it.
#[test]
fn an_intruder_changes_nothing_for_others() {
    let mut noticed = 0;
    for seed in 0..1000 {
        let mut report = engineio::run(seed, true);
        let before = report.trace.len();
        report.trace.retain(|line| !line.contains(" intruder: "));
        noticed += usize::from(report.trace.len() < before);
        assert_eq!(report, engineio::run_alone(seed, true), "engineio {seed}");
    }
    assert!(noticed > 100, "an intruder came along with {noticed} seeds");
}
