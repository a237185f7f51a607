//! As `engineio` in heartwire, with as much as a session's home needs.

pub(crate) mod outgoing;

pub(crate) mod server;
