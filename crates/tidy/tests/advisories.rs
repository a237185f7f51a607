//! Rules of `spec/advisories.md`: what is said to hold an advisory off is there, and no lock has a crate
//! below its floor.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every lock of the repository.
const LOCKS: [&str; 3] =
    ["Cargo.lock", "bench/programs/Cargo.lock", "crates/fuzz/libfuzzer/Cargo.lock"];

#[test]
fn what_holds_an_advisory_off_is_there() {
    let mut points = String::new();
    for file in files(&root().join("crates/conformance/src/cases")) {
        points.push_str(&read(&file));
    }
    let rows = table("advisory");
    assert!(rows.len() >= 30, "{}", rows.len());
    let mut missing = vec![];
    for row in rows {
        let [advisory, _, _, held] = &row[..] else { panic!("{row:?}") };
        let names: Vec<_> = held.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{advisory} is held off by nothing");
        for name in names {
            let there = match name.split_once(": ") {
                Some((file, test)) => {
                    let test = [format!("fn {test}("), format!(" {test}:"), format!(" {test},")];
                    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
                    test.iter().any(|form| text.contains(form))
                }
                None => points.contains(&format!("\"{name}\"")),
            };
            if !there {
                missing.push(format!("{advisory}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn no_lock_has_a_crate_below_its_floor() {
    let floors = table("crate");
    assert!(floors.len() >= 15, "{}", floors.len());
    let mut below = vec![];
    for lock in LOCKS {
        let packages = packages(&read(&root().join(lock)));
        for row in &floors {
            let [name, floor, advisories] = &row[..] else { panic!("{row:?}") };
            for (_, locked) in packages.iter().filter(|(known, _)| known == name) {
                if !is_above(locked, floor) {
                    below.push(format!("{lock}: {name} {locked}, below {floor}: {advisories}"));
                }
            }
        }
    }
    assert!(below.is_empty(), "\n{}", below.join("\n"));
}

#[test]
fn floors_are_read() {
    let packages = packages(&read(&root().join("Cargo.lock")));
    for name in ["tokio", "hyper", "rustls", "rustls-webpki", "bytes", "pyo3"] {
        assert!(packages.iter().any(|(known, _)| known == name), "{name} is not locked");
    }
    assert!(version("0.103.2") < version("0.103.13"));
    assert!(version("1.9.0") < version("1.10.0"));
    assert!(version("2.0.0") > version("1.99.99"));
    assert!(is_above("0.8.6", "0.8.6, 0.9.3") && is_above("0.9.3", "0.8.6, 0.9.3"));
    assert!(!is_above("0.8.5", "0.8.6, 0.9.3") && !is_above("0.9.2", "0.8.6, 0.9.3"));
    assert!(is_above("1.0.0", "0.8.6, 0.9.3") && !is_above("0.7.9", "0.8.6, 0.9.3"));
    assert!(is_above("1.44.2", "1.44.2") && !is_above("1.9.9", "1.44.2"));
}

/// Who does not have it cannot be flooded over it.
#[test]
fn http_2_is_not_there() {
    let packages = packages(&read(&root().join("Cargo.lock")));
    assert!(!packages.iter().any(|(name, _)| name == "h2"));
}

/// Nothing that turns bytes into behaviour is part of the Python package.
#[test]
fn nothing_that_arrives_is_run() {
    let mut found = vec![];
    let python = root().join("python/heartwire");
    let sources: Vec<_> = files(&python)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "py"))
        .collect();
    assert!(sources.len() >= 10, "{}", sources.len());
    for file in sources {
        for (number, line) in read(&file).lines().enumerate() {
            let words = ["pickle", "marshal", "shelve", "eval(", "exec(", "__import__("];
            for word in words {
                let own = line.split(word).next().unwrap();
                let is_name =
                    own.ends_with(|char: char| char.is_alphanumeric() || "_.".contains(char));
                if line.contains(word) && !is_name && !line.trim_start().starts_with('#') {
                    found.push(format!("{}:{}: {word}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The rows of the table whose first column has this name.
fn table(first: &str) -> Vec<Vec<String>> {
    let text = read(&root().join("spec/advisories.md"));
    let head = format!("| {first} |");
    let lines = text.lines().skip_while(|line| !line.starts_with(&head)).skip(2);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// Name and version of everything in a lock.
fn packages(lock: &str) -> Vec<(String, String)> {
    let value = |line: &str, key: &str| {
        Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.trim_end_matches('"').to_owned())
    };
    let mut packages = vec![];
    let mut name = None;
    for line in lock.lines() {
        if let Some(found) = value(line, "name") {
            name = Some(found);
        } else if let (Some(version), Some(name)) = (value(line, "version"), name.take()) {
            packages.push((name, version));
        }
    }
    packages
}

/// Whether a version is not below the floor of its line, or above all floors.
fn is_above(locked: &str, floors: &str) -> bool {
    let locked = version(locked);
    let line = |version: &[u64]| match version {
        [0, minor, ..] => (0, *minor),
        [major, ..] => (*major, 0),
        [] => (0, 0),
    };
    let floors: Vec<_> = floors.split(", ").map(version).collect();
    let highest = floors.iter().max().unwrap();
    locked >= *highest
        || floors.iter().any(|floor| line(floor) == line(&locked) && locked >= *floor)
}

/// A version's numbers. What is behind them does not matter for a floor.
fn version(text: &str) -> Vec<u64> {
    let numbers = text.split(['-', '+']).next().unwrap();
    numbers.split('.').map(|number| number.parse().unwrap()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}
