//! The client: one task that connects, holds the connection, and connects again.

mod error;
pub use error::{ConnectError, ConnectErrorKind};

mod event;
pub use event::{Event, State};

mod options;
pub use options::ClientBuilder;

mod shared;

mod dial;

mod run;

mod handle;
pub use handle::Client;
