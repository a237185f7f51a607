//! Sessions of both protocols under a virtual clock and a network that does its worst.
//!
//! ```text
//! seed ──► Plan ──► world (two sessions, their drivers, Network) ──► Report
//!                      └──► Ledger: what was accepted, handed over, delivered
//! ```
//!
//! Everything follows from the seed: the same one gives the same trace, to the byte. What must hold is
//! checked at every step; what broke is told with the trace that led to it.
#![cfg_attr(
    mutants,
    allow(
        dead_code,
        unreachable_pub,
        clippy::disallowed_methods,
        reason = "only the tests are built there, by the rules of the core"
    )
)]

// `crates/mutants` builds these files with its own core.
#[cfg(mutants)]
extern crate mutated as heartwire_proto;

mod chance;

mod network;

mod ledger;

mod report;
pub use report::Report;

pub mod engineio;

pub mod repod;

#[cfg(all(test, mutants))]
mod mutants;
