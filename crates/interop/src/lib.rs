//! Programs of other projects that tests talk to. They are installed below `target/`, once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

pub mod autobahn;

mod debian;

mod faketime;
pub use faketime::faketime;

mod valgrind;
pub use valgrind::{Valgrind, valgrind};

mod proxy;
pub use proxy::{Proxy, Software};

mod repodnet;
pub use repodnet::{Repodnet, repodnet};

/// A Python interpreter with the packages of `peers/requirements.txt`.
///
/// # Panics
///
/// If it cannot be set up.
pub fn python() -> PathBuf {
    let home = target().join("peers/python");
    let python = home.join("bin/python");
    install(&home, "requirements.txt", |list| {
        run(Command::new(base_python()).args(["-m", "venv", "--clear"]).arg(&home));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(list));
    });
    python
}

/// The folder with the packages of `peers/package.json`, for `NODE_PATH`.
///
/// # Panics
///
/// If they cannot be installed.
pub fn node_modules() -> PathBuf {
    let home = target().join("peers/node");
    install(&home, "package.json", |list| {
        fs::create_dir_all(&home).expect("target/ can be written");
        fs::copy(list, home.join("package.json")).expect("target/ can be written");
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&home));
    });
    home.join("node_modules")
}

/// The version of a package that is installed, as the lists of `peers/` name it.
pub fn version(package: &str) -> Option<String> {
    let lists = ["requirements.txt", "requirements-repod.txt", "package.json"];
    lists.into_iter().find_map(|list| {
        wanted(list).lines().find_map(|line| {
            let rest = line.trim().trim_start_matches('"').strip_prefix(package)?;
            let version = rest.strip_prefix("==").or_else(|| rest.strip_prefix("\": \""))?;
            Some(version.trim_end_matches([',', '"']).to_owned())
        })
    })
}

/// A program of another project, or one of `peers/` that uses it. It ends with this value.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a script of `peers/`: `*.py` with Python, `*.cjs` with Node.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start<S: AsRef<OsStr>>(script: &str, args: impl IntoIterator<Item = S>) -> Self {
        let path = peers().join(script);
        let mut command = if script.ends_with(".py") {
            Command::new(python())
        } else {
            let mut command = Command::new("node");
            command.env("NODE_PATH", node_modules());
            command
        };
        Self::spawn(command.arg(path).args(args))
    }

    /// Starts a script of `peers/` that uses repodnet.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_repod<S: AsRef<OsStr>>(
        repodnet: &Repodnet,
        script: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::spawn(Command::new(&repodnet.python).arg(peers().join(script)).args(args))
    }

    /// Starts an example program of repodnet, as it is.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_example<S: AsRef<OsStr>>(
        repodnet: &Repodnet,
        program: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        let path = repodnet.examples.join(program);
        Self::spawn(Command::new(&repodnet.python).arg("-u").arg(path).args(args))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped()) // closed when this process ends, which ends the script
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// The next line that the program prints.
    ///
    /// # Panics
    ///
    /// If it prints nothing more.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).expect("the program prints UTF-8");
        assert!(count > 0, "the program ended early: {:?}", self.child.wait());
        line.trim_end().to_owned()
    }

    /// Types a line.
    ///
    /// # Panics
    ///
    /// If the program does not read any more.
    pub fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{line}").expect("the program reads");
    }

    /// Closes the program's input and waits for its end: whether it ended well, and what it still
    /// printed.
    ///
    /// # Panics
    ///
    /// If it prints something else than text.
    pub fn end(mut self) -> (bool, String) {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("the program prints UTF-8");
        (self.child.wait().expect("it was started").success(), rest)
    }

    /// The next line that the script prints, as JSON.
    ///
    /// # Panics
    ///
    /// If it prints nothing more, or something else.
    pub fn report(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The script's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `install` with the list of packages, unless that was done for this very list.
fn install(home: &Path, list: &str, install: impl FnOnce(&Path)) {
    let peers = target().join("peers");
    fs::create_dir_all(&peers).expect("target/ can be written");
    // Tests run side by side, in processes of their own.
    let lock = File::create(peers.join("lock")).expect("target/ can be written");
    lock.lock().expect("the file system has locks");
    if is_installed(home, list) {
        return;
    }
    install(&self::peers().join(list));
    fs::write(home.join("installed"), wanted(list)).expect("target/ can be written");
}

/// Whether that was done already.
fn is_installed(home: &Path, list: &str) -> bool {
    fs::read_to_string(home.join("installed")).is_ok_and(|installed| installed == wanted(list))
}

fn wanted(list: &str) -> String {
    fs::read_to_string(peers().join(list)).expect("it is part of this crate")
}

/// The newest Python that the packages run on.
fn base_python() -> PathBuf {
    let names = ["python3.13", "python3.12", "python3.11", "python3.10", "python3"];
    find_python(&names, "import venv, ensurepip").expect("the tests need Python 3.10 or newer")
}

/// A Python interpreter.
#[derive(Clone, Debug)]
pub struct Python {
    /// Its name, with the version: `python3.12`.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// Every Python that the package supports and that is there, the newest first.
pub fn pythons() -> Vec<Python> {
    let names = ["python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
    let find = |name: &'static str| {
        find_python(&[name], "import venv, ensurepip").map(|path| Python { name, path })
    };
    names.into_iter().filter_map(find).collect()
}

/// The first of some interpreters that is there and can run `code`.
fn find_python(names: &[&str], code: &str) -> Option<PathBuf> {
    let versions = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")))
        .and_then(|root| fs::read_dir(root.join("versions")).ok());
    let installed: Vec<_> =
        versions.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let on_path = names.iter().map(PathBuf::from);
    let in_pyenv = names.iter().flat_map(|name| {
        installed.iter().map(|version| version.join("bin").join(name)).collect::<Vec<_>>()
    });
    on_path.chain(in_pyenv).find(|python| {
        let check = Command::new(python).args(["-c", code]).output();
        check.is_ok_and(|output| output.status.success())
    })
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => target.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}
