//! The program, run as people run it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod connect;
mod demo;
mod manual;
mod program;
mod repod_connect;
mod repod_serve;
mod serve;
mod serve_options;
