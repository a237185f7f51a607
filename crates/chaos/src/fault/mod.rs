//! Programs that are killed, stopped, and lied to about the time, over the loopback device.

mod stage;

pub mod kill;

pub mod freeze;

pub mod clock;

pub mod drain;

/// What a fault came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is not as it must be.
    pub violations: Vec<String>,
    /// What was done and measured, in words.
    pub words: String,
}
