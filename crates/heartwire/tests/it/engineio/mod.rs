//! Engine.IO.

mod asynchronous;
mod bad_frames;
mod bad_input;
mod blocking;
mod cancellation;
mod client;
#[cfg(feature = "deflate")]
mod compression;
mod conformance;
mod connection;
mod events;
mod faults;
mod hooks;
mod hostile;
mod layer;
mod limits;
mod loss;
mod options;
mod proxy;
mod raw;
mod refusals;
mod requester;
mod scripted;
mod stall;
mod support;
mod wire;
