//! Measures ours, the floors and the peers side by side, and judges the figures by `budgets.json`.
//!
//! ```text
//! programs/ ──install──► measures ──run, in turns──► results ──► table, chart ──► docs/performance.md
//!                                                                 ▲
//!                                                    budgets.json ┘
//! ```

mod statistics;

mod results;

mod budget;

mod figure;

mod table;

mod chart;

mod document;

mod place;

mod descriptors;

mod program;

mod measures;

mod machine;

mod install;

mod server;

mod run;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use budget::Budgets;
use measures::Measure;
use place::Place;
use results::Results;

/// Measures ours, the floors and the peers side by side.
#[derive(Debug, Parser)]
struct Args {
    /// What is measured; everything, if nothing is named
    measures: Vec<String>,
    /// Turns that each contestant has
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Whether it works at all: one short turn
    #[arg(long, conflicts_with = "publish")]
    quick: bool,
    /// Lists what can be measured
    #[arg(long)]
    list: bool,
    /// Measures nothing: writes the report of what was measured before
    #[arg(long)]
    report: bool,
    /// Uses what was built before
    #[arg(long)]
    no_build: bool,
    /// Writes the report to docs/, too
    #[arg(long)]
    publish: bool,
}

fn main() -> ExitCode {
    descriptors::raise();
    match bench(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: Args) -> Result<(), Box<dyn Error>> {
    let place = Place::new();
    let budgets = Budgets::read(&place.budgets())?;
    let all = measures::all();
    if args.list {
        all.iter().for_each(|measure| println!("{:28} {}", measure.name, measure.about));
        return Ok(());
    }
    for name in &args.measures {
        if !all.iter().any(|measure| measure.name == name) {
            return Err(format!("no measure {name}; --list tells what can be measured").into());
        }
    }
    let wanted: Vec<Measure> = all
        .into_iter()
        .filter(|measure| {
            args.measures.is_empty() || args.measures.iter().any(|name| name == measure.name)
        })
        .collect();
    let mut results = Results::read(&place.results())?;
    if !args.report {
        if !args.no_build {
            install::install(&place)?;
        }
        results.machine = machine::describe(&place);
        run::run(&place, &wanted, &args_of(&args), &mut results)?;
    }
    document::write(&place, &budgets, &results, args.publish)
}

fn args_of(args: &Args) -> run::Effort {
    if args.quick { run::Effort::quick() } else { run::Effort::thorough(args.rounds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_shows_that_it_works_is_not_published() {
        let parse = |args: &[&str]| Args::try_parse_from(["bench"].iter().chain(args));
        assert!(parse(&["--quick"]).is_ok() && parse(&["--publish"]).is_ok());
        let error = parse(&["--quick", "--publish"]).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
