//! The tests of the core and of heartwire under a sanitizer of the compiler.
//!
//! `cargo xtask sanitize address` finds memory that is used wrongly or never given back, `cargo xtask
//! sanitize thread` data races; words behind that choose tests, as for `cargo xtask test`. A nightly compiler
//! is taken where rustup has one; with its rust-src, the standard library is watched too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Failed, step};

pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let sanitizer = match args.split_first() {
        Some((name, _)) if name == "address" || name == "thread" => name.as_str(),
        _ => {
            println!("cargo xtask sanitize address|thread [WORD…]");
            return Err(Failed);
        }
    };
    let nightly = output(&["rustup", "run", "nightly", "rustc", "-vV"]);
    let Some(version) = nightly.clone().or_else(|| output(&["rustc", "-vV"])) else {
        println!("there is no rustc");
        return Err(Failed);
    };
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let watches_std = sanitizer == "thread" && nightly.is_some() && has_source_of_std();
    let mut flags = format!("-Zsanitizer={sanitizer}");
    if sanitizer == "thread" && !watches_std {
        flags.push_str(" -Cunsafe-allow-abi-mismatch=sanitizer");
    }

    let mut command = match nightly {
        Some(_) => {
            let mut command = Command::new("rustup");
            command.args(["run", "nightly", "cargo"]);
            command
        }
        // What the stable compiler can do and does not promise.
        None => {
            let mut command = Command::new("cargo");
            command.env("RUSTC_BOOTSTRAP", "1");
            command
        }
    };
    // The compiler that runs this verb must not be the one of that.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    // The runner that gives each test a process tells whose a leak is.
    if output(&["cargo", "nextest", "--version"]).is_some() {
        command.args(["nextest", "run", "--profile", "sanitized"]);
        if sanitizer == "thread" {
            command.args(["--filterset", IN_TIME]);
        }
    } else {
        command.args(["test", "--lib", "--bins", "--examples", "--tests"]);
    }
    command.args(["--no-fail-fast", "--target", host, "--all-features"]);
    command.args(["--package", "heartwire-proto", "--package", "heartwire"]);
    command.args(["--package", "heartwire-sys"]);
    if watches_std {
        command.arg("-Zbuild-std");
    }
    // Tests start in other folders than this one, and ask for it.
    let target = root().join("target/sanitize").join(sanitizer);
    command.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", flags);
    let reports = root().join("target/sanitize/reports");
    let _ = fs::remove_dir_all(&reports);
    fs::create_dir_all(&reports).expect("target/ can be written");
    let suppressions = root().join("xtask/thread-sanitizer.txt");
    // A race ends the test that it was found in. It counts, too, where the test is tried again.
    let options = format!(
        "halt_on_error=1 log_path={} suppressions={}",
        reports.join("race").display(),
        suppressions.display()
    );
    command.env("TSAN_OPTIONS", options);
    let tested = step(&format!("{sanitizer} sanitizer"), command.args(&args[1..]));
    let races: Vec<_> = fs::read_dir(&reports).expect("it was made").flatten().collect();
    for race in &races {
        println!("── {}", race.path().display());
    }
    if races.is_empty() { tested } else { Err(Failed) }
}

/// What a server that takes ten times as long can pass.
const IN_TIME: &str = "not (test(conformance) or binary(hygiene) or test(a_round_trip_takes))";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn has_source_of_std() -> bool {
    output(&["rustup", "run", "nightly", "rustc", "--print", "sysroot"]).is_some_and(|sysroot| {
        Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").exists()
    })
}

/// What a program prints, if it is there and succeeds.
fn output(words: &[&str]) -> Option<String> {
    let output = Command::new(words[0]).args(&words[1..]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
