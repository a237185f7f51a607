//! The public suite of Engine.IO v4 against our server, from a folder where somebody has installed it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Failed, cargo, step};

/// Runs the suite ten times: a race shows in one of a few runs.
pub(crate) fn run(args: &[String]) -> Result<(), Failed> {
    let [folder] = args else {
        println!("cargo xtask conformance FOLDER, where `npm test` runs the suite");
        return Err(Failed);
    };
    step("the server", cargo(&["build", "--package", "heartwire-cli"]).stdout(Stdio::null()))?;
    let server = Server::start()?;
    for run in 1..=RUNS {
        let passed = passing(Path::new(folder))?;
        println!("── run {run} of {RUNS}: {passed} pass");
    }
    drop(server);
    Ok(())
}

/// How many cases pass; all of them have to, and some must be there.
fn passing(folder: &Path) -> Result<usize, Failed> {
    let output = Command::new("npm").args(["test", "--silent"]).current_dir(folder).output();
    let output = output.map_err(|error| {
        println!("── npm test in {}: {error}", folder.display());
        Failed
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = said.lines().find_map(|line| {
        let (count, _) = line.trim().split_once(" passing")?;
        count.parse().ok()
    });
    match passed {
        Some(passed) if output.status.success() && passed > 0 => Ok(passed),
        _ => {
            println!("{said}{}", String::from_utf8_lossy(&output.stderr));
            println!("── npm test in {}: {}", folder.display(), output.status);
            Err(Failed)
        }
    }
}

/// A server with the options that the suite expects.
struct Server(Child);

impl Server {
    fn start() -> Result<Self, Failed> {
        let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
        let child = Command::new(Path::new(&target).join("debug/heartwire"))
            .args(["serve", "--engineio", "127.0.0.1:3000", "--behaviour", "echo"])
            .args(["--ping-interval-ms", "300", "--ping-timeout-ms", "200"])
            .args(["--max-payload", "1000000"])
            .stdout(Stdio::piped())
            .spawn();
        let mut server = Self(child.map_err(|error| {
            println!("── the server: {error}");
            Failed
        })?);
        let mut line = String::new();
        let output = server.0.stdout.take().map(BufReader::new);
        let heard = output.map(|mut output| output.read_line(&mut line));
        match heard {
            Some(Ok(1..)) => Ok(server),
            _ => Err(Failed), // it has said why
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended already, that was told.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const RUNS: usize = 10;
