//! The program, run as people run it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod check;
mod connect;
mod demo;
mod hygiene;
mod liar;
mod manual;
mod peer;
mod program;
mod repod_connect;
mod repod_serve;
mod serve;
mod serve_options;
