//! Where it is measured, and with which versions.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::place::Place;

/// The machine and the versions of everything.
pub(crate) fn describe(place: &Place) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.insert(name.to_owned(), value);
        }
    };
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    add("processors", model.map(|(_, model)| format!("{count} × {}", model.trim())));
    add("kernel", first_line(Command::new("uname").arg("-sr")));
    add("rustc", first_line(Command::new("rustc").arg("--version")));
    add("node", first_line(Command::new("node").arg("--version")));
    add("python", first_line(Command::new(place.python().join("bin/python")).arg("--version")));
    let lock = fs::read_to_string(place.programs().join("Cargo.lock")).unwrap_or_default();
    for name in RUST_PEERS {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let version = lock.rsplit_once(&entry).and_then(|(_, rest)| rest.split('"').next());
        add(name, version.map(str::to_owned));
    }
    let packages = fs::read_to_string(place.programs().join("node/package.json"));
    let packages: serde_json::Value =
        packages.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    for (name, version) in packages["dependencies"].as_object().into_iter().flatten() {
        add(name, version.as_str().map(str::to_owned));
    }
    let requirements = fs::read_to_string(place.programs().join("python/requirements.txt"));
    for line in requirements.unwrap_or_default().lines() {
        if let Some((name, version)) = line.split_once("==") {
            add(name, version.split(';').next().map(str::to_owned));
        }
    }
    facts
}

/// The commit of the library, with a plus if its sources differ from that.
pub(crate) fn commit(place: &Place) -> String {
    let git = |args: &[&str]| {
        first_line(Command::new("git").args(args).current_dir(place.root())).unwrap_or_default()
    };
    let sources = ["status", "--porcelain", "--", "crates", "python"];
    let changed = if git(&sources).is_empty() { "" } else { "+" };
    format!("{}{changed}", git(&["rev-parse", "--short=10", "HEAD"]))
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

const RUST_PEERS: &[&str] =
    &["engineioxide", "fastwebsockets", "hyper", "rust_engineio", "tokio", "tokio-tungstenite"];
