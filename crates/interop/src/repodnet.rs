//! repodnet, the other implementation of repod.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{find_python, install, is_installed, run, target};

/// repodnet, which does not run on every Python that the other packages run on.
#[derive(Debug)]
pub struct Repodnet {
    /// A Python interpreter with the packages of `peers/requirements-repod.txt`.
    pub python: PathBuf,
    /// The folder with its example programs.
    pub examples: PathBuf,
}

/// repodnet; `None`, after a notice, where no Python is new enough for it.
///
/// # Panics
///
/// If it cannot be set up.
pub fn repodnet() -> Option<Repodnet> {
    let home = target().join("peers/repod");
    let python = home.join("bin/python");
    let source = home.join("source");
    if !is_installed(&home, LIST) {
        let names = ["python3.14", "python3.13", "python3.12", "python3", "python"];
        let new_enough = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))";
        let Some(base) = find_python(&names, new_enough) else {
            eprintln!("NOTICE: no Python 3.12 or newer: nothing is tested against repodnet");
            return None;
        };
        install(&home, LIST, |list| {
            run(Command::new(base).args(["-m", "venv", "--clear"]).arg(&home));
            let pip = |verb| {
                let mut command = Command::new(&python);
                command.args(["-m", "pip", verb, "--quiet", "--disable-pip-version-check", "-r"]);
                command.arg(list);
                command
            };
            run(&mut pip("install"));
            // Its examples are in its source alone.
            let only_source = ["--no-deps", "--no-binary", "repodnet", "--dest"];
            run(pip("download").args(only_source).arg(&source));
            let archive = entry(&source, |name| name.starts_with("repodnet-"));
            run(Command::new(&python).args(["-m", "tarfile", "-e"]).arg(archive).arg(&source));
        });
    }
    let extracted =
        entry(&source, |name| name.starts_with("repodnet-") && !name.ends_with(".tar.gz"));
    Some(Repodnet { python, examples: extracted.join("examples") })
}

/// What is installed.
const LIST: &str = "requirements-repod.txt";

/// The entry of a folder whose name is `wanted`.
fn entry(folder: &Path, wanted: impl Fn(&str) -> bool) -> PathBuf {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .find(|path| path.file_name().and_then(OsStr::to_str).is_some_and(&wanted))
        .unwrap_or_else(|| panic!("{}: it is not there", folder.display()))
}
