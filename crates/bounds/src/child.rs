//! The server's process, as the clients' process sees it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::serve::{Config, Usage};

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says which program `bounds` is, once.
pub fn set_program(path: impl Into<PathBuf>) {
    let _ = PROGRAM.set(path.into());
}

/// A server in a process of its own. It ends with this.
pub struct Child {
    process: Process,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub addr: SocketAddr,
    pub repod: SocketAddr,
}

impl Child {
    pub fn start(config: &Config) -> Self {
        let program = PROGRAM.get().expect("the program was said");
        let json = serde_json::to_string(config).unwrap();
        let mut command = match config.descriptors {
            None => Command::new(program),
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(program);
                shell
            }
        };
        let mut process = command
            .args(["serve", &json])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let [addr, repod]: [SocketAddr; 2] = read(&mut answers);
        Self { process, orders, answers, addr, repod }
    }

    pub fn order<T: DeserializeOwned>(&mut self, line: &str) -> T {
        writeln!(self.orders, "{line}").unwrap();
        read(&mut self.answers)
    }

    pub fn usage(&mut self) -> Usage {
        self.order("usage")
    }

    /// What the process holds once nothing has changed for a while.
    pub fn settled(&mut self) -> Usage {
        let start = Instant::now();
        let mut before = self.usage();
        let mut quiet = 0;
        loop {
            std::thread::sleep(Duration::from_millis(30));
            let now = self.usage();
            let same = now.heap.abs_diff(before.heap) < 1024 && now.tasks == before.tasks;
            quiet = if same { quiet + 1 } else { 0 };
            // On a busy machine, nothing changes for a moment while there is more to do.
            if quiet == 3 || start.elapsed() > WATCHDOG {
                return now;
            }
            before = now;
        }
    }

    /// Waits until something holds. Says how long that took, and what the process holds then.
    #[track_caller]
    pub fn wait_until(&mut self, holds: impl Fn(&Usage) -> bool) -> (Duration, Usage) {
        let start = Instant::now();
        loop {
            let usage = self.usage();
            if holds(&usage) {
                return (start.elapsed(), usage);
            }
            assert!(start.elapsed() < WATCHDOG, "it never is the case: {usage:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the process has not ended.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read<T: DeserializeOwned>(answers: &mut BufReader<ChildStdout>) -> T {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// Far longer than anything takes: it only ends what hangs.
pub const WATCHDOG: Duration = Duration::from_secs(120);
