//! Runs seeds, and tells of the first that goes wrong.
//!
//! ```text
//! simulate engineio 42                    what a seed stands for, step by step
//! simulate engineio 0..10000              many seeds
//! simulate both --seeds 10000000          many seeds of both protocols, with progress
//!     --first 2000000                         from this one on
//!     --minutes 10                            for as long at most; it says how to go on
//! ```

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simulator::{Report, engineio, repod};

/// A protocol's name, and how a seed of it is run.
type Protocol = (&'static str, fn(u64, bool) -> Report);

const PROTOCOLS: [Protocol; 2] = [("engineio", engineio::run), ("repod", repod::run)];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let Some((protocol, rest)) = args.split_first() else { return usage() };
    let chosen: Vec<_> =
        PROTOCOLS.into_iter().filter(|(name, _)| protocol == name || protocol == "both").collect();
    let (&[(name, run)], [seeds]) = (chosen.as_slice(), rest) else {
        let Some((range, limit)) = parse(rest).filter(|_| !chosen.is_empty()) else {
            return usage();
        };
        return run_all(&chosen, protocol, range, limit);
    };
    if let Ok(seed) = seeds.parse() {
        let report = run(seed, true);
        print!("{report}");
        return if report.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    match range(seeds) {
        Some(range) => run_all(&chosen, name, range, None),
        None => usage(),
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (first, end) = text.split_once("..")?;
    Some(first.parse().ok()?..end.parse().ok()?)
}

/// Which seeds, and for how long.
fn parse(args: &[String]) -> Option<(Range<u64>, Option<Duration>)> {
    let (mut first, mut seeds, mut limit) = (0, 20_000, None);
    for pair in args.chunks(2) {
        let [name, value] = pair else { return range(&pair[0]).map(|range| (range, limit)) };
        let value: u64 = value.parse().ok()?;
        match name.as_str() {
            "--first" => first = value,
            "--seeds" => seeds = value,
            "--minutes" => limit = Some(Duration::from_secs(60 * value)),
            _ => return None,
        }
    }
    Some((first..first.checked_add(seeds)?, limit))
}

/// Seeds that a thread takes at once.
const BLOCK: u64 = 500;

/// Runs every seed of every protocol, on every processor.
fn run_all(
    protocols: &[Protocol],
    name: &str,
    range: Range<u64>,
    limit: Option<Duration>,
) -> ExitCode {
    let start = Instant::now();
    let next = AtomicU64::new(range.start);
    let delivered = AtomicU64::new(0);
    let (over, failure) = (AtomicBool::new(false), Mutex::new(None));
    let work = || {
        while !over.load(Ordering::Relaxed) && limit.is_none_or(|limit| start.elapsed() < limit) {
            let first = next.fetch_add(BLOCK, Ordering::Relaxed);
            let block = first..(first + BLOCK).min(range.end);
            if block.is_empty() {
                return;
            }
            for (name, run) in protocols {
                for seed in block.clone() {
                    let report = run(seed, false);
                    delivered.fetch_add(report.delivered as u64, Ordering::Relaxed);
                    if let Some(violation) = report.violation {
                        over.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().expect("nobody panics with it");
                        failure.get_or_insert((*name, seed, violation));
                        return;
                    }
                }
            }
        }
    };
    let tell = || {
        let mut told = start;
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(100));
            if told.elapsed() >= Duration::from_secs(10) {
                told = Instant::now();
                let done = next.load(Ordering::Relaxed) - range.start;
                let rate = done as f64 * protocols.len() as f64 / start.elapsed().as_secs_f64();
                eprintln!("{done} seeds of {name}, {rate:.0} runs a second");
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(tell);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let panicked = workers.into_iter().filter_map(|worker| worker.join().err()).count();
        over.store(true, Ordering::Relaxed);
        assert_eq!(panicked, 0, "threads that have panicked");
    });
    if let Some((name, seed, violation)) = failure.into_inner().expect("nobody panics with it") {
        println!("seed {seed}: {violation}\n\nsimulate {name} {seed}  shows how it came to that");
        return ExitCode::FAILURE;
    }
    // Every block that was begun was finished.
    let end = next.into_inner().min(range.end);
    let (count, seconds) = (end - range.start, start.elapsed().as_secs_f64());
    let runs = count * protocols.len() as u64;
    println!(
        "{runs} runs ({count} seeds of {name}), {} messages delivered, {:.0} runs a second: all is well",
        delivered.into_inner(),
        runs as f64 / seconds
    );
    if end < range.end {
        println!("time is over; `--first {end} --seeds {}` goes on", range.end - end);
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: simulate engineio|repod SEED, or engineio|repod|both FIRST..END, or engineio|repod|both \
         [--first SEED] [--seeds COUNT] [--minutes COUNT]"
    );
    ExitCode::from(2)
}
