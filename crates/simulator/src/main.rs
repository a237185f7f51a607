//! `simulate engineio|repod SEED` tells what a seed stands for, step by step; `simulate engineio|repod
//! FIRST..END` runs many, and tells of the first that goes wrong.

use std::process::ExitCode;
use std::time::Instant;

use simulator::Report;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [protocol, seeds] = args.as_slice() else { return usage() };
    let run: fn(u64, bool) -> Report = match protocol.as_str() {
        "engineio" => |seed, traced| simulator::engineio::run(seed, None, traced),
        "repod" => |seed, traced| simulator::repod::run(seed, None, traced),
        _ => return usage(),
    };
    if let Ok(seed) = seeds.parse() {
        let report = run(seed, true);
        print!("{report}");
        return if report.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let range = seeds
        .split_once("..")
        .and_then(|(first, end)| Some(first.parse::<u64>().ok()?..end.parse::<u64>().ok()?));
    let Some(range) = range else { return usage() };
    let (start, mut delivered) = (Instant::now(), 0);
    for seed in range.clone() {
        let report = run(seed, false);
        delivered += report.delivered;
        if let Some(violation) = report.violation {
            println!(
                "seed {seed}: {violation}\n\nsimulate {protocol} {seed}  shows how it came to that"
            );
            return ExitCode::FAILURE;
        }
    }
    let count = range.end.saturating_sub(range.start);
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!(
        "{count} seeds, {delivered} messages delivered, {rate:.0} seeds a second: all is well"
    );
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: simulate engineio|repod SEED or FIRST..END");
    ExitCode::from(2)
}
