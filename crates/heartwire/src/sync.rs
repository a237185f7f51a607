//! Locks and atomics of what threads share most. `crates/schedules` builds the same files with locks of its
//! own in this place, which try one order of events after the other.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};

/// Flags that are read without a lock.
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
}
