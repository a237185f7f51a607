//! What a fork does not share: the network thread, and locks that it may hold.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;

/// This process is the child of a fork: what the parent had is not its own.
#[pyfunction]
pub(super) fn after_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// This process, counted in forks.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Forks that lie between this process and the first.
static GENERATION: AtomicU32 = AtomicU32::new(0);
