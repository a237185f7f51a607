//! Instructions that the hot paths of the core take for each message.
//!
//! Seconds differ from machine to machine and from run to run; instructions, counted by valgrind, do not. Each
//! workload runs in a process of its own, once short and once long: the difference is what its rounds have
//! taken, without the start of the process.

pub mod ledger;
pub mod workload;
