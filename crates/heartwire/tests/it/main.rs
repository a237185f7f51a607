//! Clients and servers over loopback.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod engineio;
mod examples;
mod repod;
mod support;
