//! What hostile and slow clients cost a server, measured from outside of its process.
//!
//! A row is a promise with a figure: what was measured, and what it may be. The server runs in a child
//! process, which counts its heap; the clients are sockets of this process, and write bytes by hand. A
//! row has a short form, for tests, and a long one.
#![allow(missing_docs, reason = "a program for this repository alone")]
#![allow(clippy::missing_errors_doc, clippy::unwrap_used, reason = "a test may panic")]

pub mod child;
pub mod peer;
pub mod serve;

pub mod row;

pub mod honest;

pub mod churn;
pub mod descriptors;
pub mod exact;
pub mod faults;
pub mod linear;
pub mod memory;
pub mod neighbours;
pub mod slow;
pub mod truth;
