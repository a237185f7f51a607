//! How many points of `heartwire check` servers fail, ours and those of others, as a document.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use conformance::{Case, Options, Outcome, Protocol, Target};
use interop::{Peer, repodnet};

use super::{Failed, cargo, step};

/// Checks everybody, and writes what came of it into the document.
pub(crate) fn compare(_: &[String]) -> Result<(), Failed> {
    step("the server", cargo(&["build", "--package", "heartwire-cli"]).stdout(Stdio::null()))?;
    let mut text = String::new();
    for protocol in [Protocol::EngineIo, Protocol::Repod] {
        let mut columns = vec![];
        for contestant in contestants(protocol) {
            let failing = failing(&contestant)?;
            println!("   {}: fails {}", contestant.name, failing.len());
            columns.push((contestant, failing));
        }
        section(&mut text, protocol, &columns);
    }
    let document = root().join("docs/comparison.md");
    let written = fs::read_to_string(&document).and_then(|old| {
        let (before, _) = old.split_once(MARK).unwrap_or((&old, ""));
        fs::write(&document, format!("{before}{MARK}\n{text}"))
    });
    written.map_err(|error| {
        println!("── {}: {error}", document.display());
        Failed
    })
}

/// A server that is checked.
struct Contestant {
    name: String,
    /// Starts it, and returns its address.
    start: fn() -> (Running, String),
}

/// It ends with this.
#[expect(dead_code, reason = "dropping it ends the server")]
enum Running {
    Ours(Ours),
    Peer(Peer),
}

fn contestants(protocol: Protocol) -> Vec<Contestant> {
    let ours = |start| Contestant { name: "heartwire".to_owned(), start };
    let named = |package: &str, more: &str| {
        format!("{package} {}{more}", interop::version(package).unwrap_or_default())
    };
    match protocol {
        Protocol::EngineIo => vec![
            ours(|| {
                let pings = ["--ping-interval-ms", PINGS[0], "--ping-timeout-ms", PINGS[1]];
                Ours::start(&[&["--engineio", "127.0.0.1:0"], &pings[..]].concat())
            }),
            Contestant {
                name: named("engine.io", ""),
                start: || engineio("engineio_echo.cjs", &PINGS),
            },
            Contestant {
                name: named("python-engineio", ", threads"),
                start: || engineio("engineio_echo.py", &["threading", PINGS[0], PINGS[1]]),
            },
            Contestant {
                name: named("python-engineio", ", asyncio"),
                start: || engineio("engineio_echo.py", &["asgi", PINGS[0], PINGS[1]]),
            },
        ],
        Protocol::Repod => {
            let mut contestants = vec![ours(|| Ours::start(&["--repod", "127.0.0.1:0"]))];
            if repodnet().is_some() {
                contestants.push(Contestant {
                    name: named("repodnet", ""),
                    start: || {
                        let repodnet = repodnet().expect("it was there a moment ago");
                        let mut peer = Peer::start_repod(&repodnet, "repod_echo.py", [""; 0]);
                        let url = format!("repod://127.0.0.1:{}", peer.report()["port"]);
                        (Running::Peer(peer), url)
                    },
                });
            }
            contestants
        }
    }
}

fn engineio(script: &str, args: &[&str]) -> (Running, String) {
    let mut peer = Peer::start(script, args);
    let url = format!("http://127.0.0.1:{}", peer.report()["port"]);
    (Running::Peer(peer), url)
}

/// The points that a server fails, twice: the second time, one that was started anew.
fn failing(contestant: &Contestant) -> Result<BTreeSet<&'static str>, Failed> {
    println!("── {}", contestant.name);
    let mut failing = None;
    for _ in 0..2 {
        let (_running, url) = (contestant.start)();
        let target: Target = url.parse().map_err(|error| {
            println!("── {error}");
            Failed
        })?;
        let mut cases = conformance::cases(target.protocol());
        if let Some(failing) = &failing {
            let failing: &BTreeSet<&str> = failing;
            cases.retain(|case| failing.contains(case.id));
        }
        let options = Options { patience: PATIENCE, ..Options::default() };
        let reports = conformance::check(&target, &cases, &options, |_| {}).map_err(|error| {
            println!("── {}: {error}", contestant.name);
            Failed
        })?;
        let skipped =
            reports.iter().find(|report| matches!(report.outcome, Outcome::Skipped { .. }));
        if let Some(report) = skipped {
            println!("   {}: {:?}", report.case.id, report.outcome);
        }
        let failed = reports.iter().filter(|report| matches!(report.outcome, Outcome::Fail { .. }));
        failing = Some(failed.map(|report| report.case.id).collect());
    }
    Ok(failing.unwrap_or_default())
}

/// A table of numbers, and one of the points that somebody fails.
fn section(
    text: &mut String,
    protocol: Protocol,
    columns: &[(Contestant, BTreeSet<&'static str>)],
) {
    let cases = conformance::cases(protocol);
    let name = match protocol {
        Protocol::EngineIo => "Engine.IO",
        Protocol::Repod => "repod",
    };
    let names: Vec<_> = columns.iter().map(|(contestant, _)| &*contestant.name).collect();
    let rule = "---:|".repeat(columns.len() + 1);
    put(text, format!("\n## {name}\n\nPoints that fail, by group:\n"));
    put(text, format!("| | points | {} |\n|---|{rule}", names.join(" | ")));
    let mut groups: Vec<_> = cases.iter().map(|case| case.group()).collect();
    groups.dedup();
    for group in groups {
        let of_group = |case: &&&Case| case.group() == group;
        let count = cases.iter().filter(of_group).count();
        let failed = columns.iter().map(|(_, failing)| {
            let failed = cases.iter().filter(of_group).filter(|case| failing.contains(case.id));
            failed.count().to_string()
        });
        put(text, format!("| {group} | {count} | {} |", failed.collect::<Vec<_>>().join(" | ")));
    }
    let all = columns.iter().map(|(_, failing)| format!("**{}**", failing.len()));
    put(text, format!("| all | {} | {} |", cases.len(), all.collect::<Vec<_>>().join(" | ")));
    put(text, "\nWhich those are; ✗ fails:\n".to_owned());
    let rule = "|:---:".repeat(columns.len());
    put(
        text,
        format!("| point | what is right | source | {} |\n|---|---|---{rule}|", names.join(" | ")),
    );
    for case in cases {
        let marks: Vec<_> = columns
            .iter()
            .map(|(_, failing)| if failing.contains(case.id) { "✗" } else { "" })
            .collect();
        if marks.iter().any(|mark| !mark.is_empty()) {
            let Case { id, title, reference, .. } = case;
            put(text, format!("| `{id}` | {title} | {reference} | {} |", marks.join(" | ")));
        }
    }
}

fn put(text: &mut String, line: String) {
    writeln!(text, "{line}").expect("strings grow");
}

/// A server of ours, as it comes.
struct Ours(Child);

impl Ours {
    fn start(args: &[&str]) -> (Running, String) {
        let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
        let child = Command::new(Path::new(&target).join("debug/heartwire"))
            .args(["serve", "--json"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("the server was built: {error}"));
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it prints text");
        let ours = Self(child);
        let (_, rest) = line.split_once("\"addr\":\"").expect("it says where it listens");
        let addr = rest.split('"').next().unwrap_or_default();
        let scheme = if args.contains(&"--repod") { "repod" } else { "http" };
        (Running::Ours(ours), format!("{scheme}://{addr}"))
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // If it has ended already, that shows in what it fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where the figures begin.
const MARK: &str = "<!-- figures -->";

/// Interval and timeout, in milliseconds: nobody wants to wait for those that servers come with.
const PINGS: [&str; 2] = ["1000", "1000"];

/// What is waited for what has to come.
const PATIENCE: Duration = Duration::from_secs(3);
