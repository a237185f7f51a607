//! Rounds: each contestant has its turn in each, so that what changes on the machine meanwhile meets all.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine;
use crate::measures::{Measure, Step, Trial};
use crate::place::Place;
use crate::program::Program;
use crate::results::{Measured, Results, Turn};
use crate::server::Server;

/// How much is done for a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    rounds: usize,
    seconds: &'static str,
    crowd: &'static str,
    is_quick: bool,
}

impl Effort {
    pub(crate) fn thorough(rounds: usize) -> Self {
        Self { rounds, seconds: "1.5", crowd: "9900", is_quick: false }
    }

    /// Enough to see that everything works.
    pub(crate) fn quick() -> Self {
        Self { rounds: 1, seconds: "0.3", crowd: "1000", is_quick: true }
    }
}

/// Runs measures and stores their results, one measure after the other.
///
/// # Errors
///
/// The results cannot be stored, or a turn of ours has failed. What peers cannot do is a result.
pub(crate) fn run(
    place: &Place,
    measures: &[Measure],
    effort: &Effort,
    results: &mut Results,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut failed = vec![];
    for (number, measure) in measures.iter().enumerate() {
        println!("── {} of {}: {}: {}", number + 1, measures.len(), measure.name, measure.about);
        let measured = turns(place, measure, effort);
        let ours = measured.contestants.get(crate::figure::OURS);
        if ours.is_some_and(|turns| turns.iter().any(|turn| matches!(turn, Turn::Failed(_)))) {
            failed.push(measure.name);
        }
        results.measures.insert(measure.name.to_owned(), measured);
        results.write(&place.results())?;
    }
    println!("── {:.0?}", start.elapsed());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn turns(place: &Place, measure: &Measure, effort: &Effort) -> Measured {
    let (commit, quick) = (machine::commit(place), effort.is_quick);
    let mut measured = Measured { commit, quick, ..Measured::default() };
    let (there, missing): (Vec<_>, Vec<_>) =
        measure.trials.iter().partition(|trial| trial.is_there(place));
    for trial in missing {
        println!("   {}: not installed", trial.contestant);
    }
    let mut servers = HashMap::new();
    let rounds = effort.rounds.min(measure.max_rounds);
    for round in 1..=rounds {
        for trial in &there {
            let start = Instant::now();
            let turn = match trial.run(place, effort, &mut servers) {
                Ok(numbers) => Turn::Numbers(numbers),
                Err(error) => Turn::Failed(error.to_string()),
            };
            println!(
                "   {round}/{rounds} {:18} {} ({:.1?})",
                trial.contestant,
                turn.show(),
                start.elapsed()
            );
            measured.contestants.entry(trial.contestant.to_owned()).or_default().push(turn);
            if measure.fresh {
                servers.clear();
            }
        }
    }
    measured
}

impl Trial {
    fn is_there(&self, place: &Place) -> bool {
        let programs =
            self.steps.iter().flat_map(|step| [&step.program].into_iter().chain(&step.server));
        programs.into_iter().all(|program| program.is_there(place))
    }

    fn run(
        &self,
        place: &Place,
        effort: &Effort,
        servers: &mut HashMap<(Program, bool), Server>,
    ) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
        let mut numbers = BTreeMap::new();
        for step in &self.steps {
            for (name, number) in step.run(place, effort, servers)? {
                numbers.insert(format!("{}{name}", step.prefix), number);
            }
        }
        Ok(numbers)
    }
}

impl Step {
    fn run(
        &self,
        place: &Place,
        effort: &Effort,
        servers: &mut HashMap<(Program, bool), Server>,
    ) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
        let mut program =
            self.program.with(&[("{seconds}", effort.seconds), ("{crowd}", effort.crowd)]);
        if let Some(server) = &self.server {
            let key = (server.clone(), self.pinned);
            if !servers.contains_key(&key) {
                let processor = self.pinned.then_some(SERVER_PROCESSOR);
                servers.insert(key.clone(), Server::start(server, place, processor)?);
                thread::sleep(SETTLE);
            }
            program = servers[&key].addressed(&program);
        }
        let line = output(&mut program.command(place, self.pinned.then_some(LOAD_PROCESSOR)))?;
        Ok(serde_json::from_str(&line).map_err(|error| format!("{error}: {line:?}"))?)
    }
}

/// What a program prints. It is ended when it takes too long.
fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut errors = child.stderr.take().ok_or("it is piped")?;
    let errors = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill()?;
                child.wait()?;
                return Err("it took too long".into());
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    // A line of results fits into the pipe.
    let mut line = String::new();
    child.stdout.take().ok_or("it is piped")?.read_to_string(&mut line)?;
    if status.success() {
        return Ok(line);
    }
    let errors = errors.join().map_err(|_| "the reader has panicked")??;
    let tail: Vec<_> =
        errors.lines().filter(|line| !line.trim_start().starts_with("note:")).collect();
    let tail = tail[tail.len().saturating_sub(3)..].join(" ");
    Err(format!("{status}: {tail}").into())
}

impl Turn {
    /// The numbers that tell most, for people.
    fn show(&self) -> String {
        match self {
            Self::Failed(error) => format!("FAILED: {error}"),
            Self::Numbers(numbers) => {
                let show = |(name, number): (&String, &f64)| {
                    let decimals = if number.abs() < 100.0 { 2 } else { 0 };
                    format!("{name} {number:.decimals$}")
                };
                let dull = |name: &str| name.ends_with("busy") || name.ends_with("p99_us");
                let numbers = numbers.iter().filter(|(name, _)| !dull(name));
                numbers.map(show).collect::<Vec<_>>().join("  ")
            }
        }
    }
}

const SERVER_PROCESSOR: u8 = 0;
const LOAD_PROCESSOR: u8 = 1;

/// Time for a server that listens to finish its start.
const SETTLE: Duration = Duration::from_millis(300);

/// Longer than any program takes.
const PATIENCE: Duration = Duration::from_secs(150);
