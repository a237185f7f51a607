//! A client and a server of Engine.IO, with drivers that do what the real ones do.

mod plan;

mod wire;

mod intruder;

mod world;

mod acts;

mod client;

mod reconnection;

mod server;

mod checks;

use crate::chance::Chance;
use crate::report::Report;

/// Runs what a seed stands for, and keeps the trace if asked to.
pub fn run(seed: u64, traced: bool) -> Report {
    let intruder = intruder::Intruder::of(seed);
    world::World::new(plan::Plan::new(Chance::with_seed(seed)), intruder, traced).run()
}

/// Runs what a seed stands for, without those who have nothing to do with the session.
pub fn run_alone(seed: u64, traced: bool) -> Report {
    world::World::new(plan::Plan::new(Chance::with_seed(seed)), None, traced).run()
}

/// Runs what bytes stand for: each decides one thing or a part of one.
pub fn run_bytes(bytes: &[u8], traced: bool) -> Report {
    world::World::new(plan::Plan::new(Chance::with_bytes(bytes)), None, traced).run()
}
