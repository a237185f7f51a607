//! Runs cases, several at a time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::case::{Case, Run};
use super::deviations::Deviation;
use super::finding::{Finding, Verdict};
use super::repod::Repod;
use super::server::Server;
use super::target::{Protocol, Target};

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

/// The server, as it was learnt to be.
enum Subject {
    EngineIo(Server),
    Repod(Repod),
}

/// Runs `cases` against the server at `target`, and shows each report to `progress` as it comes. Cases
/// about servers of the other protocol are skipped. Returns the reports in the order of the cases.
///
/// # Errors
///
/// Nothing there speaks Engine.IO v4 over polling, or repod, as the address says.
pub fn check(
    target: &Target,
    cases: &[&'static Case],
    options: &Options,
    mut progress: impl FnMut(&Report),
) -> Result<Vec<Report>, NotChecked> {
    let server = Subject::learn(target, options.patience).map_err(|finding| {
        let (expected, got) = match finding {
            Finding::Fail { expected, got } => (expected, got),
            Finding::Skip(why) => ("a server to check".to_owned(), why),
        };
        NotChecked { protocol: target.protocol(), expected, got }
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
fn run(case: &Case, server: &Subject, options: &Options) -> Outcome {
    let mut verdict = Ok(());
    for _ in 0..ATTEMPTS {
        let start = Instant::now();
        verdict = server.run(case);
        let in_time = start.elapsed() < server.old_age();
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

impl Subject {
    fn learn(target: &Target, patience: Duration) -> Verdict<Self> {
        match target.protocol() {
            Protocol::EngineIo => Server::learn(target, patience).map(Self::EngineIo),
            Protocol::Repod => Repod::learn(target, patience).map(Self::Repod),
        }
    }

    fn run(&self, case: &Case) -> Verdict {
        match (self, case.run) {
            (Self::EngineIo(server), Run::EngineIo(run)) => run(server),
            (Self::Repod(server), Run::Repod(run)) => run(server),
            _ => Err(Finding::Skip("it is about another protocol".to_owned())),
        }
    }

    /// How long its sessions live, whatever happens.
    fn old_age(&self) -> Duration {
        match self {
            Self::EngineIo(server) => server.ping_interval,
            Self::Repod(_) => Duration::MAX,
        }
    }
}

/// Nothing there speaks the protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NotChecked {
    protocol: Protocol,
    expected: String,
    got: String,
}

impl fmt::Display for NotChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::EngineIo => "Engine.IO v4",
            Protocol::Repod => "repod",
        };
        write!(f, "no {protocol} server: expected {}, got {}", self.expected, self.got)
    }
}

impl std::error::Error for NotChecked {}

const ATTEMPTS: usize = 4;
