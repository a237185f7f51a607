//! `bounds [WORD]`: the long forms of the rows, as a table; with a word, those whose name has it.
//! `bounds --short [WORD]`: the short forms. `bounds serve CONFIG`: the server that they are about.

use std::alloc::System;
use std::process::ExitCode;

use bounds::row::{ROWS, Size};
use bounds::{child, serve};
use cap::Cap;
use peakmem_alloc::PeakMemAlloc;

/// Counts what there is.
#[global_allocator]
static HEAP: Cap<&PeakMemAlloc<System>> = Cap::new(&PEAK, usize::MAX);

/// Counts the most that there was. What grows in place counts once, as the system does it, and is not copied.
static PEAK: PeakMemAlloc<System> = PeakMemAlloc::system();

fn main() -> ExitCode {
    raise_open_files();
    let mut args: Vec<_> = std::env::args().skip(1).collect();
    if let [verb, config] = &args[..]
        && verb == "serve"
    {
        serve::run(config, || HEAP.allocated(), &PEAK);
        return ExitCode::SUCCESS;
    }
    let size = match args.first() {
        Some(first) if first == "--short" => {
            args.remove(0);
            Size::Short
        }
        _ => Size::Long,
    };
    let word = args.first().map_or("", String::as_str);
    child::set_program(std::env::current_exe().expect("a program has a path"));
    let mut holds = true;
    for (name, measure) in ROWS.iter().filter(|(name, _)| name.contains(word)) {
        println!("── {name}");
        for row in measure(size) {
            println!("{row}");
            holds &= row.holds;
        }
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Raises the limit of open files as far as the system allows; the programs that are started inherit it.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where less is allowed than is said, the limit stays what it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(not(unix))]
fn raise_open_files() {}
