//! What the protocols have in common. It knows none of them.

mod mutant;
#[cfg(mutants)]
pub use mutant::Mutant;
#[cfg(not(mutants))]
pub(crate) use mutant::Mutant;
pub(crate) use mutant::wall_clock;

mod backoff;
pub use backoff::Backoff;

mod deadline;
pub use deadline::{after, earliest};

mod send_queue;
pub use send_queue::{Ending, Limits, PushError, SendQueue, Weight};
