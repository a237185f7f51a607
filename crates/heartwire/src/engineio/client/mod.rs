//! The client.
//!
//! ```text
//! Client (handle) ──► mailbox ──► run (connect, reconnect) ──► driver (session, requests, WebSocket)
//!        ▲                                                        │
//!        └──────────────── inbox ◄── events ──────────────────────┘
//! ```

mod error;
pub use error::{ConnectError, ConnectErrorKind};

mod event;
pub use event::{Connected, Event};

mod requester;
pub use requester::{Answer, Requester};

mod exchange;

mod dial;

mod agent;

mod cookies;
pub use cookies::CookieJar;

mod address;

mod options;
pub use options::ClientBuilder;

mod failure;

mod http;

mod websocket;

mod shared;
pub use shared::ClientState;

mod requests;

mod socket;

mod remembered;

mod driver;

mod run;

mod handle;
pub use handle::Client;

#[cfg(test)]
mod autobahn;
