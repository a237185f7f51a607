//! `chaos run [SHORT] [WORD…]` and the programs that it starts.

use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("chaos needs Linux");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    chaos::command::run(std::env::args().skip(1).collect())
}
