//! The server: a task a channel, and a registry of them.

mod config;
pub use config::{ServerBuilder, SlowPeerPolicy};

mod channel;
pub use channel::{Channel, ChannelId};

mod application;
pub use application::{Context, Handler};

mod actions;
pub use actions::Actions;

mod engine;

mod task;

mod handle;
pub use handle::Server;

mod listener;
