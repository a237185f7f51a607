//! What ours and the peers share, so that all are tried in the same way.

pub mod client;

pub mod codec;

pub mod memory;

pub mod server;
