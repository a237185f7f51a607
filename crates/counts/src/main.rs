//! `counts check` compares with what is written down, `counts record` writes it down; `counts NUMBER ROUNDS` is
//! what valgrind runs. The environment may say where that is (`VALGRIND`).

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use counts::ledger::{self, Ledger};
use counts::workload::{WORKLOADS, Workload};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check(),
        ["record"] => count_all().and_then(|counted| ledger::write(&file(), &counted)),
        [number, rounds] => run(number, rounds),
        _ => Err("usage: counts check | record".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    let recorded = ledger::read(&file())?;
    let problems = ledger::compare(&recorded, &count_all()?);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn run(number: &str, rounds: &str) -> Result<(), String> {
    let number = number.parse::<usize>().map_err(|error| error.to_string())?;
    let rounds = rounds.parse().map_err(|error: std::num::ParseIntError| error.to_string())?;
    let workload = WORKLOADS.get(number).ok_or("there is no such workload")?;
    (workload.run)(rounds);
    Ok(())
}

fn count_all() -> Result<Ledger, String> {
    let mut counted = Ledger::new();
    for (number, workload) in WORKLOADS.iter().enumerate() {
        let count = count(number, workload)?;
        println!("{:45} {count:9.1} instructions a message", workload.name);
        counted.insert(workload.name.to_owned(), (count * 10.0).round() / 10.0);
    }
    Ok(counted)
}

/// Instructions that a workload takes for each message.
fn count(number: usize, workload: &Workload) -> Result<f64, String> {
    let (short, long) = (200, 1200);
    let taken = instructions(number, long)? - instructions(number, short)?;
    Ok(taken as f64 / ((long - short) * workload.messages) as f64)
}

/// Instructions of a process that does so many rounds.
fn instructions(number: usize, rounds: u64) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let valgrind = std::env::var_os("VALGRIND").unwrap_or_else(|| "valgrind".into());
    let output = Command::new(valgrind)
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(this)
        .args([number.to_string(), rounds.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    // ==7== I refs:        1,234,567
    let refs = told.lines().find_map(|line| line.split_once("refs:"));
    let refs = refs.map(|(_, count)| count.trim().replace(',', ""));
    let count = refs.and_then(|count| count.parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind has failed:\n{told}"))
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.json")
}
