//! Sessions of both protocols under a virtual clock and a network that does its worst.
//!
//! ```text
//! seed ──► Plan ──► world (two sessions, their drivers, Network) ──► Report
//!                      └──► Ledger: what was accepted, handed over, delivered
//! ```
//!
//! Everything follows from the seed: the same one gives the same trace, to the byte. What must hold is
//! checked at every step; what broke is told with the trace that led to it.

mod chance;

mod network;

mod ledger;

mod report;
pub use report::Report;

mod mutant;
pub use mutant::Mutant;

pub mod engineio;

pub mod repod;
