//! The server: a service that mounts in any HTTP server of the hyper family, and a listener of its own.
//!
//! ```text
//! request ──► service ──► polling (GET, POST) ──┐
//!                └──────► upgrade ──► probe ────┼──► home (session while polling) ──► application
//!                             └─────────────────┴──► task (timer, WebSocket, user's future)
//! ```

mod cors;
pub use cors::Cors;

mod proxies;
pub use proxies::{ForwardedHeader, InvalidNetwork, Network, TrustedProxies};

mod origin;
pub use origin::OriginPolicy;

mod cookie;
pub use cookie::{Cookie, SameSite};

#[cfg(feature = "http-compression")]
mod compression;

mod stats;
pub use stats::Stats;

mod newcomer;

mod facts;
pub use facts::{RemoteAddr, RequestFacts};

mod socket;

mod home;

mod connection;
pub use connection::Connection;

mod head;
pub use head::{Purpose, RequestHead};

mod hooks;
pub use hooks::Rejection;

mod config;
pub use config::{InvalidConfig, ServerBuilder};

mod application;
pub use application::{Context, Handler};

mod sessions;

mod round;

mod engine;

mod pump;

mod broadcast;

mod warden;

mod upgraded;

mod probe;

mod task;

mod response;
pub use response::ResponseBody;

mod decoration;

mod polling;

mod hygiene;

mod service;
pub use service::{ResponseFuture, Service};

mod layer;
pub use layer::{Layer, LayerBody, LayerFuture, Layered};

mod handle;
pub use handle::Server;

#[cfg(feature = "metrics")]
mod metrics;

mod listener;

#[cfg(test)]
mod autobahn;
