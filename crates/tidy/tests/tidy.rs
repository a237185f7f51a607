//! Rules about the source tree that the compiler does not check.
//!
//! It reads text, not Rust: a macro could fool it, a colleague will not.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// (folder, word that must not stand in it, why)
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("crates/heartwire-proto/src/shared", "crate::", "shared code knows no protocol"),
    ("crates/heartwire-proto/src/websocket", "crate::", "the codec knows no protocol above it"),
    ("crates/heartwire-proto/src/engineio", "crate::engineio", "write `super::`: the order shows"),
    ("crates/heartwire-proto/src/engineio", "crate::repod", "protocols do not know each other"),
    ("crates/heartwire-proto/src/repod", "crate::engineio", "protocols do not know each other"),
    ("crates/heartwire-proto/src/repod", "crate::repod", "write `super::`: the order shows"),
    ("crates/heartwire-proto/src", "tokio", "the core does no I/O"),
    ("crates/heartwire/src/engineio", "crate::repod", "protocols do not know each other"),
    ("crates/heartwire/src/engineio", "crate::blocking", "the async clients know no others"),
    ("crates/heartwire/src/repod", "crate::engineio", "protocols do not know each other"),
    ("crates/heartwire/src/repod", "crate::blocking", "the async clients know no others"),
];

#[test]
fn lower_layers_do_not_know_upper_ones() {
    let mut found = vec![];
    for (folder, word, why) in FORBIDDEN {
        for file in rust_files(&root().join(folder)) {
            for (number, line) in code(&file).lines().enumerate() {
                if line.contains(word) && !line.trim_start().starts_with("//") {
                    found.push(format!("{}:{}: {word}: {why}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// `mod.rs` declares its files from bottom to top; `super::x` may only name one declared above.
#[test]
fn files_use_only_files_declared_above_them() {
    let mut found = vec![];
    let folders = ["crates/heartwire-proto/src", "crates/heartwire/src"];
    for contents in folders.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        if !contents.ends_with("mod.rs") {
            continue;
        }
        let names = declared(&contents);
        for (position, name) in names.iter().enumerate() {
            let file = contents.with_file_name(format!("{name}.rs"));
            let files = if file.exists() {
                vec![(file, "super::")]
            } else {
                // Files of a folder see this one's neighbours through one more `super`.
                let folder = contents.with_file_name(name);
                rust_files(&folder)
                    .into_iter()
                    .map(|file| {
                        let own = file.ends_with("mod.rs");
                        (file, if own { "super::" } else { "super::super::" })
                    })
                    .collect()
            };
            for (file, prefix) in files {
                for line in code(&file).lines().filter(|line| !is_comment(line)) {
                    for used in line.split(prefix).skip(1) {
                        let word = |c: char| c.is_alphanumeric() || c == '_';
                        let used = used.split(|c| !word(c)).next().unwrap();
                        let above = names[..position].iter().any(|name| name == used);
                        if names.iter().any(|name| name == used) && !above {
                            found.push(format!(
                                "{}: {prefix}{used} is not above {name}",
                                file.display()
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn documents_name_only_files_that_exist() {
    let documents = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "README.md",
        "docs/reliability.md",
        "spec/README.md",
    ];
    for document in documents {
        let text = read(&root().join(document));
        let missing: Vec<_> = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| {
                let tops = ["crates/", "python/", "spec/", "xtask/", "bench/", "fuzz/", "docs/"];
                tops.iter().any(|top| word.starts_with(top)) && !word.contains(' ')
            })
            .filter(|path| !root().join(path).exists())
            .collect();
        assert!(missing.is_empty(), "{document} names {missing:?}");
    }
}

/// A command that is named to be tried has to do something: its verb, and what it is to run, are there.
#[test]
fn reliability_names_only_commands_that_exist() {
    let text = read(&root().join("docs/reliability.md"));
    let commands: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.starts_with("cargo ") && !code.contains("WORD"))
        .collect();
    assert!(commands.len() > 42, "every promise has one");
    let wrong: Vec<_> = commands.into_iter().filter(|command| !exists(command)).collect();
    assert!(wrong.is_empty(), "docs/reliability.md names {wrong:?}");
}

fn exists(command: &str) -> bool {
    let words: Vec<_> = command.split(' ').collect();
    let has = |path: &str, text: &str| read(&root().join(path)).contains(text);
    let package = |name: &str| root().join("crates").join(name).exists();
    match words[1..] {
        ["xtask", "test", word] => is_tested(word),
        ["xtask", "bounds", row] => has("crates/bounds/src/row.rs", &format!("(\"{row} ")),
        ["xtask", "chaos", fault] | ["xtask", "chaos", fault, _] => {
            has("xtask/src/main.rs", &format!("\"{fault}\"")) && fault != "chaos"
        }
        ["xtask", "fuzz", target] => {
            root().join(format!("crates/fuzz/src/targets/{target}.rs")).exists()
        }
        ["xtask", "python", "-k", word] => is_tested_in_python(word),
        ["xtask", verb] | ["xtask", verb @ ("conformance" | "sanitize"), _] => {
            has("xtask/src/main.rs", &format!("name: \"{verb}\""))
        }
        ["nextest", "run", "-p", name] | ["run", "-p", name] => package(name),
        ["run", "-p", name, "--", protocol, _] => {
            package(name) && has(&format!("crates/{name}/src/main.rs"), &format!("\"{protocol}\""))
        }
        ["run", "--", command] => {
            let commands = root().join("crates/heartwire-cli/src/commands");
            commands.join(command).exists() || commands.join(format!("{command}.rs")).exists()
        }
        ["test", "-p", name, "--lib", word, "--", "--ignored"]
        | ["test", "-p", name, "--test", "it", word, "--", "--ignored"] => {
            package(name) && is_tested(word)
        }
        _ => false,
    }
}

/// Whether a test, or a file of tests, has the word in its name.
fn is_tested(word: &str) -> bool {
    rust_files(&root().join("crates")).iter().any(|file| {
        let is_test = |line: &str| {
            let line = line.trim_start();
            let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "));
            // A macro may make tests of a list of names.
            let name = name.or_else(|| line.contains(": \"").then_some(line));
            name.and_then(|name| name.split(['(', ':']).next())
                .is_some_and(|name| name.contains(word))
        };
        let tests = file.to_str().unwrap().contains("/tests/");
        tests && file.file_stem().unwrap().to_str().unwrap().contains(word)
            || read(file).lines().any(is_test)
    })
}

fn is_tested_in_python(word: &str) -> bool {
    fs::read_dir(root().join("python/tests")).unwrap().any(|entry| {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let is_test = |line: &str| line.starts_with("def test_") && line.contains(word);
        name.starts_with("test_") && (name.contains(word) || read(&file).lines().any(is_test))
    })
}

#[test]
fn architecture_names_every_module() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let mut missing = vec![];
    let folders = [
        "crates/heartwire-proto/src",
        "crates/heartwire/src",
        "crates/heartwire-cli/src",
        "crates/conformance/src",
        "bench/src",
    ];
    for folder in folders {
        for file in rust_files(&root().join(folder)) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            if !["mod", "lib", "main"].contains(&name) && !text.contains(&format!("`{name}`")) {
                missing.push(file.display().to_string());
            }
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name:\n{}", missing.join("\n"));
}

#[test]
fn changelog_has_the_current_version_once() {
    let header = format!("## {}", env!("CARGO_PKG_VERSION"));
    let changelog = read(&root().join("CHANGELOG.md"));
    let count = changelog.lines().filter(|line| line.starts_with(&header)).count();
    assert_eq!(count, 1, "{header} in CHANGELOG.md");
}

/// Names that tell a reader nothing.
#[test]
fn files_are_nouns() {
    let vague = ["utils", "util", "helpers", "helper", "common", "misc", "types"];
    let found: Vec<_> = rust_files(&root().join("crates"))
        .into_iter()
        .filter(|file| vague.contains(&file.file_stem().unwrap().to_str().unwrap()))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The modules that a `mod.rs` declares, in its order.
fn declared(contents: &Path) -> Vec<String> {
    code(contents)
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "))
        .map(|line| line.trim_end_matches(';').to_owned())
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The file without its tests.
fn code(path: &Path) -> String {
    read(path).split("\n#[cfg(test)]\nmod tests").next().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}
