//! Engine.IO protocol v4: long-polling that upgrades to a WebSocket.
//!
//! ```text
//!  HTTP request ──► request ──► Route or Refusal
//!  polling body ◄─► payload ──┐
//!                             ├──► packet ──► ServerSession / ClientSession ──► messages, orders
//!  WebSocket frame ◄──────────┘                  heartbeat, upgrade inside
//! ```
//!
//! The files stand from bottom to top: each uses only those above it.

mod transport;
pub use transport::{Transport, UnknownTransport};

mod message;
pub use message::{Message, MessageRef, Outgoing};

mod disconnect;
pub use disconnect::DisconnectReason;

mod socket_end;
pub use socket_end::SocketEnd;

pub mod packet;
pub use packet::{Packet, PacketError};

pub mod payload;

mod session_id;
pub use session_id::{InvalidSessionId, SessionId};

mod handshake;
pub use handshake::{Handshake, HandshakeError, MAX_PERIOD};

mod heartbeat;

mod refusal;
pub use refusal::{Answer, Refusal};

mod request;
pub use request::{Action, Query, Request, Route, SessionRequest, VERSION};

pub mod server;

pub mod client;
