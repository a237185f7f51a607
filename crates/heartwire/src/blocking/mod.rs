//! Clients for programs without an async runtime.
//!
//! All of them are served by one background thread, which is started on first use. It runs the network
//! alone: heartbeats, upgrades and reconnection go on while the program computes, sleeps or blocks in a
//! handler.
//!
//! They can be used inside of an async runtime as well, as long as the runtime does not mind that a
//! thread is blocked. Dropping them never blocks.

mod strand;

#[cfg(feature = "engineio-client")]
pub mod engineio;

#[cfg(feature = "repod")]
pub mod repod;

pub use crate::background::handle as runtime;
