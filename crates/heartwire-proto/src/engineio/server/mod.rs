//! The server's side of a session.

mod config;
pub use config::Config;

mod session;
pub use session::{ExchangeId, Output, ServerSession, UpgradeRequest};
