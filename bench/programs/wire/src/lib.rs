//! What the floor and the load generator share: sockets, readiness, and frames written by hand. Nothing of
//! heartwire is used, so that both can be wrong only on their own account.

pub mod frame;

pub mod poller;

pub mod repod;

pub mod socket;
