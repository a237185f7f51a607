//! The protocols of heartwire without I/O: no sockets, no clock, no threads, no randomness.
//!
//! ```text
//!   bytes, facts, `now` ──► session ──► bytes, orders, events
//!                              │
//!     websocket   engineio   repod      (the protocols do not know each other)
//!         └────── shared ──────┘        (knows none of them)
//! ```
//!
//! Every session keeps the same contract, so that one who knows a driver of one knows all:
//!
//! - `handle_…(now, facts)`: what the network or the clock says. A message from the peer borrows from
//!   the bytes that it arrived in, so it is the return value.
//! - [`SendQueue`](shared::SendQueue): what the user wants sent. It is a value of its own because the
//!   user fills it from any thread; the session takes from it when the transport can take more.
//! - `poll_output(now, queue)`: orders to the driver. Call it after every other call, until it
//!   returns `None`.
//! - `next_deadline()`: when to call `handle_time`, at the latest. Calling it early does no harm.
//!
//! `now` never comes from the session's own clock, so tests run hours in no time.
#![warn(clippy::wildcard_enum_match_arm)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod shared;

pub mod websocket;

pub mod engineio;

pub mod repod;
