//! repod over real sockets.

mod broadcast;
mod close;
mod connection;
mod frames;
mod hooks;
mod limits;
mod listener;
mod liveness;
mod queue;
mod reconnection;
mod support;
mod tls;
