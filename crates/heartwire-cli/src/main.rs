//! The command line of heartwire.

mod args;

mod exit;

mod address;

mod access;

mod output;

mod termination;

mod terminal;

mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::read();
    let result = match args.command {
        args::Command::Demo(args) => commands::demo::run(args),
        args::Command::Serve(args) => commands::serve::run(args),
        args::Command::Connect(args) => commands::connect::run(args),
        args::Command::Check(args) => commands::check::run(args),
        args::Command::Bench(args) => commands::bench::run(args),
        args::Command::Completions(args) => commands::completions::run(args),
        args::Command::Man(args) => commands::man::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
