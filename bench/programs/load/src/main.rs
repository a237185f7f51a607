//! The load: clients by the hundred or by the thousand, on one thread, of a server on this machine.
//!
//! Every run ends by itself. Every answer is compared with what is right, so a wrong one ends the run with an
//! error. It prints one line of JSON.

mod args;

mod process;

mod window;

mod socket;

mod stream;

mod http;

mod echo;

mod broadcast;

mod idle;

mod polling;

mod idle_polling;

mod upgrade;

mod round_trip;

use std::io;

use args::{Args, Mode};
use clap::Parser;

fn main() -> io::Result<()> {
    let args = Args::parse();
    let result = match args.mode {
        Mode::Echo => echo::run(&args),
        Mode::Broadcast => broadcast::run(&args),
        Mode::Idle => idle::run(&args),
        Mode::Polling => polling::run(&args),
        Mode::IdlePolling => idle_polling::run(&args),
        Mode::Upgrade => upgrade::run(&args),
        Mode::RoundTrip => round_trip::run(&args),
    }?;
    println!("{result}");
    Ok(())
}
