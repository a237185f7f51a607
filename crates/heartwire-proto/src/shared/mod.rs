//! What the protocols have in common. It knows none of them.

mod backoff;
pub use backoff::Backoff;

mod deadline;
pub use deadline::{after, earliest};

mod send_queue;
pub use send_queue::{Ending, Limits, PushError, SendQueue, Weight};
