//! The client's options and errors, each against a server that makes them show.

mod errors;
mod fallback;
mod limits;
mod proxies;
mod reconnection;
mod redirects;
mod requests;
mod streams;
pub(super) mod tls;
