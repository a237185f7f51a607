//! What threads share, under schedulers that try one order of events after the other.
//!
//! The files of heartwire in which threads meet are built here once more, with locks and atomics that hand
//! the processor to whom the scheduler chooses. A model is a few threads that use them as the rest of
//! heartwire does; where it goes wrong, the scheduler tells in which order, and
//! `schedules MODEL --replay ORDER` does it again. Atomics are as strict here as they can be: what a weaker
//! order would let happen is not tried.

/// As `sync` in heartwire.
mod sync {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError};

    pub(crate) mod atomic {
        pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};
    }
}

#[path = "../../heartwire/src/inbox.rs"]
#[expect(dead_code, reason = "not everything is modelled")]
mod inbox;

#[path = "../../heartwire/src/mailbox.rs"]
#[expect(dead_code, reason = "not everything is modelled")]
mod mailbox;

#[path = "../../heartwire/src/outcome.rs"]
mod outcome;

mod engineio;

mod letter;

mod receiving;

mod sending;

mod model;
pub use model::{MODELS, Model};
