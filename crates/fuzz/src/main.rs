//! `fuzz NAME INPUT` runs a target once: INPUT is a file, or the input itself as corpora have it.

use std::fs;
use std::process::ExitCode;

use fuzz::{TARGETS, unescape};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [name, input] = args.as_slice() else { return usage() };
    let Some(target) = TARGETS.iter().find(|target| target.name == *name) else { return usage() };
    let data = match fs::read(input) {
        Ok(data) => data,
        Err(_) => match unescape(input) {
            Ok(data) => data,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        },
    };
    fuzz::run(target, &data);
    println!("{name}: {} bytes, nothing found", data.len());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: fuzz NAME INPUT, where INPUT is a file or a line of a corpus, and NAME one of:"
    );
    for target in &TARGETS {
        eprintln!("  {:20} {}", target.name, target.about);
    }
    ExitCode::from(2)
}
