//! What developers do with this repository: `cargo xtask` lists the verbs.

mod ledger;

mod fuzzing;

mod comparison;
mod outside;
mod python;
mod sanitizing;

mod package;
mod suite;

use std::process::{Command, ExitCode};
use std::time::Instant;

/// A verb, what it does, and how.
struct Verb {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<(), Failed>,
}

/// A step has failed and has said why.
struct Failed;

const VERBS: &[Verb] = &[
    Verb {
        name: "test",
        about: "everything that must hold; with a word, only the tests whose name has it",
        run: test,
    },
    Verb { name: "format", about: "format the Rust code in place", run: format },
    Verb { name: "lint", about: "formatting and clippy, on every crate and feature", run: lint },
    Verb { name: "doc", about: "the documentation, private items included", run: doc },
    Verb {
        name: "python",
        about: "the Python package, whole, on every Python; with arguments, pytest's, on the newest",
        run: python,
    },
    Verb {
        name: "package",
        about: "the Python package, installed in every way; needs what the verb before has built",
        run: |_| package::test(),
    },
    Verb {
        name: "conformance",
        about: "the public suite of Engine.IO v4, from a folder where it is installed, ten times",
        run: suite::run,
    },
    Verb {
        name: "compare",
        about: "how many points of `heartwire check` ours and the peers fail, into docs/comparison.md",
        run: comparison::compare,
    },
    Verb {
        name: "autobahn",
        about: "what Autobahn|Testsuite says of compressed messages; takes half an hour",
        run: autobahn,
    },
    Verb {
        name: "bench",
        about: "measure ours, the floors and the peers; --help tells more",
        run: bench,
    },
    Verb {
        name: "fuzz",
        about: "every target of crates/fuzz with libFuzzer, 30 s each; with names, only those",
        run: fuzzing::fuzz,
    },
    Verb {
        name: "simulate",
        about: "sessions under a virtual clock, optimised: --seeds COUNT, --first SEED, --minutes COUNT",
        run: simulate,
    },
    Verb {
        name: "schedules",
        about: "what threads share, a million orders of events a model, optimised; with names, only those",
        run: schedules,
    },
    Verb {
        name: "sanitize",
        about: "the tests under the sanitizer for `address` or `thread`, which takes a nightly compiler",
        run: sanitizing::run,
    },
    Verb {
        name: "bounds",
        about: "what hostile clients cost a server, at length; with a word, only the rows that have it",
        run: bounds,
    },
    Verb {
        name: "chaos",
        about: "bad networks, as root; `chaos help` lists what else there is. All eighty take a while",
        run: chaos,
    },
    Verb {
        name: "counts",
        about: "instructions of the hot paths, against what is written down; `counts record` does so",
        run: counts,
    },
    Verb {
        name: "audit",
        about: "what `cargo audit` says of every lock; with a folder, by the database that is there",
        run: outside::audit,
    },
    Verb {
        name: "tls",
        about: "what sslscan and testssl.sh say of a server with TLS",
        run: outside::tls,
    },
    Verb {
        name: "peers",
        about: "install the programs of other projects that tests talk to",
        run: peers,
    },
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let verb = args.first().and_then(|name| VERBS.iter().find(|verb| verb.name == *name));
    let Some(verb) = verb else {
        println!("cargo xtask VERB, where VERB is one of:");
        for verb in VERBS {
            println!("  {:11} {}", verb.name, verb.about);
        }
        return if args.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    match (verb.run)(&args[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed) => ExitCode::FAILURE,
    }
}

fn test(args: &[String]) -> Result<(), Failed> {
    if args.is_empty() {
        lint(&[])?;
        doc(&[])?;
    }
    peers(&[])?;
    // The runner that gives each test a process, where it is installed.
    let nextest = Command::new("cargo").args(["nextest", "--version"]).output();
    let mut tests = if nextest.is_ok_and(|output| output.status.success()) {
        cargo(&["nextest", "run", "--workspace"])
    } else {
        cargo(&["test", "--workspace", "--lib", "--bins", "--examples", "--tests"])
    };
    step("tests", tests.args(args))?;
    if args.is_empty() {
        // The core with mistakes is the core, whose examples are run already.
        let examples = ["test", "--workspace", "--exclude", "mutants", "--doc"];
        step("examples in the documentation", &mut cargo(&examples))?;
        counts(&[])?;
        python::test_quickly()?;
        package::test()?;
    }
    Ok(())
}

fn python(args: &[String]) -> Result<(), Failed> {
    python::test(args)?;
    if args.is_empty() { package::test() } else { Ok(()) }
}

fn format(_: &[String]) -> Result<(), Failed> {
    step("format", &mut cargo(&["fmt", "--all"]))
}

fn lint(_: &[String]) -> Result<(), Failed> {
    step("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    let programs = ["fmt", "--all", "--check", "--manifest-path", "bench/programs/Cargo.toml"];
    step("formatting of what is measured", &mut cargo(&programs))?;
    let clippy = ["clippy", "--workspace", "--all-targets"];
    let deny = ["--", "--deny", "warnings"];
    step("clippy", cargo(&clippy).args(deny))?;
    for features in FEATURES {
        let only = ["clippy", "--package", "heartwire", "--no-default-features", "--features"];
        step(&format!("clippy, features [{features}]"), cargo(&only).arg(features).args(deny))?;
    }
    Ok(())
}

/// Sets of features that users pick.
const FEATURES: &[&str] = &[
    "",
    "engineio-server",
    "engineio-server,http-compression",
    "engineio-server,metrics",
    "engineio-client",
    "engineio-client,blocking",
    "engineio-client,deflate",
    "engineio-server,deflate",
    "engineio-server,tls",
    "engineio-client,tls",
    "repod",
    "repod,blocking",
    "repod,tls",
];

fn doc(_: &[String]) -> Result<(), Failed> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    step("documentation", doc.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// The rest of Autobahn's cases is part of the tests.
fn autobahn(_: &[String]) -> Result<(), Failed> {
    let compressed = ["test", "--package", "heartwire", "--features", "deflate"];
    let ignored = ["--lib", "autobahn", "--", "--ignored", "--test-threads", "2"];
    step("Autobahn", cargo(&compressed).args(ignored))
}

/// A crate of its own, so that building the rest does not wait for it.
fn bench(args: &[String]) -> Result<(), Failed> {
    step("bench", cargo(&["run", "--quiet", "--package", "bench", "--"]).args(args))
}

/// Twenty thousand seeds are part of the tests.
fn simulate(args: &[String]) -> Result<(), Failed> {
    let mut simulate = cargo(&["run", "--release", "--package", "simulator", "--", "both"]);
    step("simulator", simulate.args(args))
}

/// Some thousand orders of each model are part of the tests.
fn schedules(args: &[String]) -> Result<(), Failed> {
    let mut schedules = cargo(&["run", "--release", "--package", "schedules", "--"]);
    step("schedules", schedules.args(args))
}

/// The short forms are part of the tests.
fn bounds(args: &[String]) -> Result<(), Failed> {
    let mut bounds = cargo(&["run", "--package", "bounds", "--"]);
    step("bounds", bounds.args(args))
}

/// Twelve of the networks, and short forms of the faults, are part of the tests.
fn chaos(args: &[String]) -> Result<(), Failed> {
    const FAULTS: [&str; 6] = ["kill-servers", "kill-clients", "freeze", "clock", "drain", "help"];
    let names_fault = args.first().is_some_and(|first| FAULTS.contains(&first.as_str()));
    let what: &[&str] = if names_fault { &[] } else { &["network"] };
    step("chaos", cargo(&["run", "--quiet", "--package", "chaos", "--"]).args(what).args(args))
}

/// Optimised, as users have it: what is counted is what they run.
fn counts(args: &[String]) -> Result<(), Failed> {
    if !cfg!(target_arch = "x86_64") {
        println!("NOTICE: what is written down was counted on x86-64: no instructions are counted");
        return Ok(());
    }
    let Some(valgrind) = interop::valgrind() else { return Ok(()) };
    let args = if args.is_empty() { &["check".to_owned()][..] } else { args };
    let mut counts = cargo(&["run", "--quiet", "--release", "--package", "counts", "--"]);
    valgrind.give(&mut counts);
    step("instructions", counts.args(args))
}

fn peers(_: &[String]) -> Result<(), Failed> {
    println!("── peers: Python and npm packages below target/peers");
    let start = Instant::now();
    let python = interop::python();
    let node = interop::node_modules();
    let autobahn = interop::autobahn::environment();
    let repodnet = interop::repodnet().map(|repodnet| repodnet.python);
    let proxies = [interop::Software::Nginx, interop::Software::Haproxy];
    let proxies = proxies.into_iter().filter_map(interop::Software::program);
    let places = [python, node, autobahn].into_iter().chain(repodnet);
    for place in places.chain(interop::faketime()).chain(proxies) {
        println!("   {}", place.display());
    }
    println!("── peers: {:.0?}", start.elapsed());
    Ok(())
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args);
    command
}

fn step(name: &str, command: &mut Command) -> Result<(), Failed> {
    println!("── {name}");
    let start = Instant::now();
    let status = command.status();
    let elapsed = start.elapsed();
    match status {
        Ok(status) if status.success() => {
            println!("── {name}: {elapsed:.0?}");
            Ok(())
        }
        Ok(status) => {
            println!("── {name} FAILED: {status}, {elapsed:.0?}");
            Err(Failed)
        }
        Err(error) => {
            println!("── {name} FAILED: {error}");
            Err(Failed)
        }
    }
}
