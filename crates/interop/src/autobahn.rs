//! Autobahn|Testsuite: what the field asks of a WebSocket, in numbered cases.
//!
//! It needs Python 2.7. Its log and its report are kept below `target/autobahn`. It ends with success whatever it has found: only its report counts.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{find_python, install, run, target};

/// Cases of the suite, by their numbers, and how many there must be.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    names: &'static [&'static str],
    count: usize,
}

/// Everything but compression.
pub const PLAIN: Cases =
    Cases { names: &["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"], count: 301 };

/// Compression with the suite's own choice of parameters.
pub const COMPRESSED_MESSAGES: Cases = Cases { names: &["12.*"], count: 90 };

/// Compression with all kinds of parameters.
pub const COMPRESSION_PARAMETERS: Cases = Cases { names: &["13.*"], count: 126 };

/// Runs the suite as a client of the echo server at `url`; the report is kept as `name`.
///
/// # Panics
///
/// If the suite cannot be run, runs other cases than `cases`, or is not content with one of them.
pub fn test_server(name: &str, url: &str, cases: Cases) {
    let home = home(name);
    let spec = spec(&home, cases, json!({"servers": [{"agent": AGENT, "url": url}]}));
    let mut client = wstest("fuzzingclient", &home, &spec);
    let status = client.wait().expect("it was started");
    assert!(status.success(), "wstest: {status}, see {}", home.display());
    check(&home, cases);
}

/// The suite as a server. It ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    home: PathBuf,
    cases: Cases,
    url: String,
}

impl Server {
    /// Starts it; the report is kept as `name`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(name: &str, cases: Cases) -> Self {
        let home = home(name);
        // The suite cannot choose a port by itself, and one that was free may be taken meanwhile.
        let (child, addr) = (0..5)
            .find_map(|_| Self::try_start(&home, cases))
            .unwrap_or_else(|| panic!("wstest ends early, see {}", home.display()));
        Self { child, home, cases, url: format!("http://{addr}") }
    }

    /// Starts the suite at a port that is free now; `None` if it ends at once.
    fn try_start(home: &Path, cases: Cases) -> Option<(Child, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let addr = listener.local_addr().expect("it is bound");
        drop(listener);
        let spec = spec(home, cases, json!({"url": format!("ws://{addr}")}));
        let mut child = wstest("fuzzingserver", home, &spec);
        loop {
            if child.try_wait().expect("it was started").is_some() {
                return None;
            }
            if TcpStream::connect(addr).is_ok() {
                return Some((child, addr));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where to be tested, with HTTP's scheme, by the number of a case from 1 on.
    pub fn case_url(&self, case: usize) -> String {
        format!("{}/runCase?case={case}&agent={AGENT}", self.url)
    }

    /// Where to have the report written.
    pub fn report_url(&self) -> String {
        format!("{}/updateReports?agent={AGENT}", self.url)
    }

    /// Cases that there are.
    pub fn cases(&self) -> usize {
        self.cases.count
    }

    /// Reads the report.
    ///
    /// # Panics
    ///
    /// If the suite has run other cases than it should, or is not content with one of them.
    pub fn check(&self) {
        check(&self.home, self.cases);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs the suite, once. The folder has a `python` that finds it.
///
/// # Panics
///
/// If that is not possible.
pub fn environment() -> PathBuf {
    let home = target().join("peers/autobahn");
    install(&home, "autobahn.txt", |list| {
        let base = find_python(&["python2.7"], "import ensurepip")
            .expect("Autobahn|Testsuite needs Python 2.7");
        let boot = target().join("peers/virtualenv");
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(&base)
            .args(quiet)
            .arg(VIRTUALENV)
            .arg("--upgrade")
            .arg("--target")
            .arg(&boot));
        run(Command::new(&base)
            .args(["-m", "virtualenv", "--quiet", "--clear"])
            .arg(&home)
            .env("PYTHONPATH", &boot));
        run(Command::new(home.join("bin/python")).args(quiet).arg("-r").arg(list));
    });
    home
}

fn wstest(mode: &str, home: &Path, spec: &Path) -> Child {
    let log = fs::File::create(home.join("log")).expect("target/ can be written");
    let errors = log.try_clone().expect("it was just opened");
    Command::new(environment().join("bin/wstest"))
        .args(["--mode", mode, "--webport", "0", "--spec"])
        .arg(spec)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|error| panic!("wstest cannot be started: {error}"))
}

/// Writes down what to test, and removes what an earlier run has left.
fn spec(home: &Path, cases: Cases, what: Value) -> PathBuf {
    let mut spec = json!({
        "outdir": home.join("reports"),
        // Seconds, for a machine that is busy with other tests; the suite's own are five and one.
        "options": {"failByDrop": false, "openHandshakeTimeout": 60, "closeHandshakeTimeout": 60},
        "cases": cases.names,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let object = spec.as_object_mut().expect("it was just written");
    object.extend(what.as_object().expect("it is one").clone());
    let path = home.join("spec.json");
    fs::write(&path, spec.to_string()).expect("target/ can be written");
    path
}

fn home(name: &str) -> PathBuf {
    let home = target().join("autobahn").join(name);
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).expect("target/ can be written");
    home
}

/// Reads the report: all cases, and contentment with all.
fn check(home: &Path, cases: Cases) {
    let path = home.join("reports/index.json");
    let report = fs::read_to_string(&path).expect("the suite has written its report");
    let report: Value = serde_json::from_str(&report).expect("the report is JSON");
    let results = report[AGENT].as_object().expect("the report names what was tested");
    let content = |verdict: &Value| ["OK", "INFORMATIONAL"].iter().any(|word| verdict == word);
    let bad: Vec<_> = results
        .iter()
        .filter(|(_, result)| !content(&result["behavior"]) || !content(&result["behaviorClose"]))
        .map(|(case, result)| {
            format!("case {case}: {}, close {}", result["behavior"], result["behaviorClose"])
        })
        .collect();
    assert!(bad.is_empty(), "{}:\n{}", path.display(), bad.join("\n"));
    assert_eq!(results.len(), cases.count, "cases in {}", path.display());
}

const AGENT: &str = "heartwire";

/// The last that runs on Python 2.7.
const VIRTUALENV: &str = "virtualenv==20.15.1";
