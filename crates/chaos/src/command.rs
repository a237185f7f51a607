//! The verbs of the program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fault::{self, Report};
use crate::link::Side;
use crate::namespace;
use crate::peer::{self, Way};
use crate::scenario::{Length, Scenario};
use crate::trial::{Outcome, Trial};

/// Does what the arguments say.
pub fn run(args: Vec<String>) -> ExitCode {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["peer", orders] => match serde_json::from_str(orders) {
            Ok(orders) => {
                peer::run(&orders);
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("orders: {error}");
                ExitCode::from(2)
            }
        },
        ["network", words @ ..] => network(words),
        ["kill-servers", times] => faults(times, |program, times| async move {
            let mut reports = vec![];
            for way in WAYS {
                reports.push(fault::kill::servers(&program, way, 100, times, 1).await);
            }
            reports
        }),
        ["kill-clients", times] => faults(times, |program, times| async move {
            let mut reports = vec![];
            for way in WAYS {
                reports.push(fault::kill::clients(&program, way, 10, times.div_ceil(10), 1).await);
            }
            reports
        }),
        ["freeze", seconds] => faults(seconds, |program, seconds| async move {
            let time = Duration::from_secs(seconds.into());
            let mut reports = vec![];
            for (way, side) in WAYS.into_iter().flat_map(|way| Side::BOTH.map(|side| (way, side))) {
                reports.push(fault::freeze::freeze(&program, way, side, time).await);
            }
            reports
        }),
        ["clock"] => faults("1", |program, _| async move {
            let Some(library) = interop::faketime() else { return vec![] };
            let mut reports = vec![];
            for way in WAYS {
                reports.push(fault::clock::jump(&program, way, &library).await);
            }
            reports
        }),
        ["drain", clients] => faults(clients, |program, clients| async move {
            let mut reports = vec![];
            for way in WAYS {
                reports.push(fault::drain::drain(&program, way, clients, 10).await);
            }
            reports
        }),
        ["help"] => {
            usage();
            ExitCode::SUCCESS
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: chaos network [short] [seed=N] [SCENARIO|WAY|SIDE]…");
    eprintln!("       chaos kill-servers TIMES | kill-clients TIMES | freeze SECONDS | clock");
    eprintln!("       chaos drain CLIENTS\n\nSCENARIO is one of:");
    for scenario in Scenario::ALL {
        eprintln!("  {:10} {}", scenario.name(), scenario.about());
    }
    eprintln!("WAY is polling, websocket, upgrade or repod, SIDE is server or client.");
    ExitCode::from(2)
}

/// Runs faults, one after the other, and prints what they came to.
fn faults<F: Future<Output = Vec<Result<Report, String>>>>(
    number: &str,
    run: impl FnOnce(PathBuf, u32) -> F,
) -> ExitCode {
    let Ok(number) = number.parse() else { return usage() };
    let program = std::env::current_exe().expect("Linux knows it");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let reports = runtime.expect("the system has threads").block_on(run(program, number));
    let mut good = !reports.is_empty();
    for report in reports {
        match report {
            Ok(Report { violations, words }) => {
                println!("{words}");
                good &= violations.is_empty();
                violations.iter().for_each(|violation| println!("    {violation}"));
            }
            Err(error) => {
                println!("{error}");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the trials whose names have all kinds of the words.
fn network(words: &[&str]) -> ExitCode {
    if let Some(missing) = namespace::missing() {
        eprintln!("NOTICE: nothing was tried: {missing}");
        return ExitCode::FAILURE;
    }
    let mut length = Length::Long;
    let mut seed = 1;
    let mut wanted = vec![];
    for word in words {
        match word.split_once('=') {
            Some(("seed", number)) => match number.parse() {
                Ok(number) => seed = number,
                Err(_) => return usage(),
            },
            Some(_) => return usage(),
            None if *word == "short" => length = Length::Short,
            None => wanted.push(*word),
        }
    }
    let all = Trial::all(length, seed);
    let names = |trial: &Trial| [trial.scenario.name(), trial.way.name(), trial.side.name()];
    // Words of one kind are alternatives.
    let known = |kind: usize| -> Vec<_> {
        let has = |word: &&&str| all.iter().any(|trial| names(trial)[kind] == **word);
        wanted.iter().filter(has).copied().collect()
    };
    let kinds: [Vec<&str>; 3] = std::array::from_fn(known);
    if kinds.iter().map(Vec::len).sum::<usize>() != wanted.len() {
        return usage();
    }
    let trials: Vec<_> = all
        .iter()
        .filter(|trial| {
            let mut pairs = kinds.iter().zip(names(trial));
            pairs.all(|(kind, name)| kind.is_empty() || kind.contains(&name))
        })
        .copied()
        .collect();
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcomes = runtime.expect("the system has threads").block_on(run_all(&trials));
    let bad = outcomes.iter().filter(|(_, outcome)| !is_good(outcome)).count();
    println!("{} runs in {:.0?}, {bad} of them not as they must be", trials.len(), start.elapsed());
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs trials, several at a time since they mostly wait, and prints a table.
async fn run_all(trials: &[Trial]) -> Vec<(Trial, Result<Outcome, String>)> {
    println!(
        "{:30} {:>8} {:>9} {:>7} {:>8} {:>8} {:>8}",
        "run", "accepted", "delivered", "unsent", "sessions", "upgrades", "recovery"
    );
    let program = std::env::current_exe().expect("Linux knows it");
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    for trial in trials.iter().copied() {
        let (permits, program) = (permits.clone(), program.clone());
        running.spawn(async move {
            let _permit = permits.acquire().await.expect("it is never closed");
            (trial, trial.run(&program).await)
        });
    }
    let mut outcomes = vec![];
    while let Some(ended) = running.join_next().await {
        let (trial, outcome) = ended.expect("a run does not panic");
        print_row(&trial, &outcome);
        outcomes.push((trial, outcome));
    }
    outcomes
}

fn print_row(trial: &Trial, outcome: &Result<Outcome, String>) {
    let name = trial.to_string();
    match outcome {
        Ok(Outcome { verdict, recovery, .. }) => {
            println!(
                "{name:30} {:8} {:9} {:7} {:8} {:8} {:6.1} s",
                verdict.accepted,
                verdict.delivered,
                verdict.unsent,
                verdict.sessions,
                verdict.upgrades,
                recovery.as_secs_f64()
            );
            for violation in &verdict.violations {
                println!("    {violation}");
            }
        }
        Err(error) => println!("{name:30} {error}"),
    }
}

fn is_good(outcome: &Result<Outcome, String>) -> bool {
    outcome.as_ref().is_ok_and(|outcome| outcome.verdict.violations.is_empty())
}

/// The ways that differ in what they make of faults.
const WAYS: [Way; 3] = [Way::Polling, Way::WebSocket, Way::Repod];

/// Runs at a time.
const AT_A_TIME: usize = 10;
