//! A peer as a child process: what it was told, and its journal so far.

use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinHandle;

use crate::journal::{Entry, Line};
use crate::peer::{Orders, Phase};

/// A peer as a child process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: ChildStdin,
    journal: Arc<Mutex<Vec<Line>>>,
    reading: JoinHandle<()>,
}

impl Program {
    /// Starts a peer: `command` runs this program, with whatever is needed before it. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(mut command: Command, orders: &Orders) -> io::Result<Self> {
        let orders = serde_json::to_string(orders).expect("orders are JSON");
        command.args(["peer", &orders]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let input = child.stdin.take().expect("it is piped");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let journal = Arc::<Mutex<Vec<Line>>>::default();
        let written = journal.clone();
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // A line that a kill has cut off says nothing.
                if let Ok(line) = serde_json::from_str(&line) {
                    written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        Ok(Self { child, input, journal, reading })
    }

    /// Tells it what is wanted now. Of one that has ended already, its end says so.
    pub async fn tell(&mut self, phase: Phase) {
        let _ = self.input.write_all(format!("{}\n", phase.name()).as_bytes()).await;
    }

    /// Its journal so far.
    pub fn journal(&self) -> Vec<Line> {
        self.look(<[Line]>::to_vec)
    }

    /// Looks at its journal so far.
    pub fn look<R>(&self, what: impl FnOnce(&[Line]) -> R) -> R {
        what(&self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The port that a server listens on.
    ///
    /// # Errors
    ///
    /// It does not.
    pub async fn port(&self) -> Result<u16, String> {
        let port = |lines: &[Line]| {
            lines.iter().find_map(|line| match line.entry {
                Entry::Listening { port } => Some(port),
                _ => None,
            })
        };
        wait_for("the server listens", || self.look(port)).await
    }

    /// Sends a signal to it.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let id = id.ok_or_else(|| io::Error::other("it has ended"))?;
        Ok(kill_process(id, signal)?)
    }

    /// Waits for its end, and returns its whole journal.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub async fn end(mut self) -> Result<(ExitStatus, Vec<Line>), String> {
        let ending = async { (self.child.wait().await, (&mut self.reading).await) };
        let ended = tokio::time::timeout(WATCHDOG, ending).await;
        let (status, _) = ended.map_err(|_| "the program does not end".to_owned())?;
        let status = status.map_err(|error| error.to_string())?;
        Ok((status, self.journal()))
    }
}

/// Waits until `what` says something.
///
/// # Errors
///
/// It never does, although nobody is in a hurry.
pub async fn wait_for<R>(goal: &str, mut what: impl FnMut() -> Option<R>) -> Result<R, String> {
    let waiting = async {
        loop {
            if let Some(result) = what() {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(WATCHDOG, waiting).await;
    waited.map_err(|_| format!("waited in vain until {goal}"))
}

/// After this nothing is late any more, it does not come.
const WATCHDOG: Duration = Duration::from_secs(90);
