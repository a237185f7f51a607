//! The client's side of a session.

mod config;
pub use config::Config;

mod session;
pub use session::{ClientSession, Event, Output};
