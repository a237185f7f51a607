//! Sessions of both sides, joined by a network that exists only in the test, under a clock that only
//! the test moves.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "a test starts its clock at any moment")]

mod closing;
#[cfg(feature = "deflate")]
mod compression;
mod heartbeat;
mod loss;
mod pair;
mod polling;
mod repod;
mod spec;
mod unfinished;
mod upgrade;
mod websocket;
