//! `heartwire completions`: what makes a shell complete arguments.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::args::{Args, Completions};
use crate::exit::Exit;

pub(crate) fn run(args: Completions) -> Result<(), Exit> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Args::command(), "heartwire", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
