//! Runs cases, several at a time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::case::Case;
use super::deviations::Deviation;
use super::finding::{Finding, Verdict};
use super::server::Server;
use super::target::Target;

/// How to run cases.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long to wait for what has to come. Default: 5 s.
    pub patience: Duration,
    /// Cases that run at the same time. Default: 16; most of them wait most of the time.
    pub parallel: usize,
    /// What is known to be different at this server. Default: nothing.
    pub known: &'static [Deviation],
}

impl Default for Options {
    fn default() -> Self {
        Self { patience: Duration::from_secs(5), parallel: 16, known: &[] }
    }
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Report {
    /// The case.
    pub case: &'static Case,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The server is right.
    Pass,
    /// The server is wrong.
    Fail {
        /// What it should have done.
        expected: String,
        /// What it did.
        got: String,
    },
    /// The server is different, as is known.
    KnownDeviation {
        /// What is known about it.
        why: &'static str,
        /// What it did.
        got: String,
    },
    /// The case says nothing about this server.
    Skipped {
        /// Why not.
        why: String,
    },
}

/// Runs `cases` against the server at `target`, and shows each report to `progress` as it comes.
/// Returns the reports in the order of the cases.
///
/// # Errors
///
/// Nothing there speaks Engine.IO v4 over polling.
pub fn check(
    target: &Target,
    cases: &[&'static Case],
    options: &Options,
    mut progress: impl FnMut(&Report),
) -> Result<Vec<Report>, NotChecked> {
    let server = Server::learn(target, options.patience).map_err(|finding| match finding {
        Finding::Fail { expected, got } => NotChecked { expected, got },
        Finding::Skip(why) => NotChecked { expected: "a server to check".to_owned(), got: why },
    })?;
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    let mut reports: Vec<Option<Report>> = vec![None; cases.len()];
    std::thread::scope(|scope| {
        for _ in 0..options.parallel.clamp(1, cases.len().max(1)) {
            let (next, server, sender) = (&next, &server, sender.clone());
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody listens any more when the caller has panicked.
                    let _ = sender.send((case.id, run(case, server, options)));
                }
            });
        }
        drop(sender);
        for (id, outcome) in results {
            let index = cases.iter().position(|case| case.id == id).expect("it was among them");
            let report = Report { case: cases[index], outcome };
            progress(&report);
            reports[index] = Some(report);
        }
    });
    Ok(reports.into_iter().flatten().collect())
}

/// Runs a case. When it has taken so long that its sessions may have died of old age, a failure says
/// nothing, and it is run again.
fn run(case: &Case, server: &Server, options: &Options) -> Outcome {
    let mut verdict = Ok(());
    for _ in 0..ATTEMPTS {
        let start = Instant::now();
        verdict = (case.run)(server);
        let in_time = start.elapsed() < server.ping_interval;
        if in_time || !matches!(verdict, Err(Finding::Fail { .. })) {
            break;
        }
    }
    outcome(case, verdict, options)
}

fn outcome(case: &Case, verdict: Verdict, options: &Options) -> Outcome {
    match verdict {
        Ok(()) => Outcome::Pass,
        Err(Finding::Skip(why)) => Outcome::Skipped { why },
        Err(Finding::Fail { expected, got }) => {
            match options.known.iter().find(|deviation| deviation.case == case.id) {
                Some(deviation) => Outcome::KnownDeviation { why: deviation.why, got },
                None => Outcome::Fail { expected, got },
            }
        }
    }
}

/// Nothing there speaks Engine.IO v4 over polling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotChecked {
    expected: String,
    got: String,
}

impl fmt::Display for NotChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no Engine.IO v4 server: expected {}, got {}", self.expected, self.got)
    }
}

impl std::error::Error for NotChecked {}

const ATTEMPTS: usize = 4;
