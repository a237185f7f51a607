#![doc = include_str!("../../docs/engineio.md")]
#![cfg_attr(
    all(
        feature = "engineio-server",
        feature = "engineio-client",
        feature = "http-compression",
        feature = "deflate"
    ),
    doc = include_str!("../../docs/compression.md")
)]

pub use heartwire_proto::engineio::{
    DisconnectReason, Handshake, InvalidSessionId, Message, MessageRef, Refusal, SessionId,
    Transport, UnknownTransport,
};

#[cfg(feature = "deflate")]
pub use heartwire_proto::websocket::PerMessageDeflate;

#[cfg_attr(not(feature = "engineio-server"), expect(dead_code, reason = "clients do not track"))]
mod written;
#[cfg(feature = "engineio-server")]
pub use written::{NotWritten, Written};

mod outgoing;
pub use outgoing::PreparedMessage;

mod header;

mod disconnected;
pub use disconnected::{Disconnected, SendError};

#[cfg(feature = "engineio-server")]
pub use crate::callback::HandlerResult;

#[cfg(feature = "engineio-server")]
mod server;
#[cfg(feature = "engineio-server")]
pub use server::{
    Connection, Context, Cookie, Cors, ForwardedHeader, Handler, InvalidConfig, InvalidNetwork,
    Layer, LayerBody, LayerFuture, Layered, Network, OriginPolicy, Purpose, Rejection, RemoteAddr,
    RequestFacts, RequestHead, ResponseBody, ResponseFuture, SameSite, Server, ServerBuilder,
    Service, Stats, TrustedProxies,
};

#[cfg(feature = "engineio-client")]
pub mod client;
#[cfg(feature = "engineio-client")]
pub use client::{Client, ClientBuilder};
