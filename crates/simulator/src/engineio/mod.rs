//! A client and a server of Engine.IO, with drivers that do what the real ones do.

mod plan;

mod wire;

mod world;

mod client;

mod server;

mod checks;

use crate::chance::Chance;
use crate::mutant::Mutant;
use crate::report::Report;

/// Runs what a seed stands for, with a mistake put in if one is given, and keeps the trace if asked to.
pub fn run(seed: u64, mutant: Option<Mutant>, traced: bool) -> Report {
    world::World::new(plan::Plan::new(Chance::with_seed(seed)), mutant, traced).run()
}

/// Runs what bytes stand for: each decides one thing or a part of one.
pub fn run_bytes(bytes: &[u8], traced: bool) -> Report {
    world::World::new(plan::Plan::new(Chance::with_bytes(bytes)), None, traced).run()
}
