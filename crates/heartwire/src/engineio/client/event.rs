//! What a client is told.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::{Handshake, Message, Transport};
use heartwire_proto::shared::Weight;

use super::super::disconnected::{Disconnected, SendError};
use super::error::ConnectError;

/// What a client is told, in the order in which it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The session is open.
    Connected(Connected),
    /// The session goes on over a WebSocket.
    Upgraded,
    /// The WebSocket did not take over: the session goes on by polling.
    UpgradeFailed {
        /// Why, if more is known than that the server did not play its part.
        detail: Option<Cow<'static, str>>,
    },
    /// The server has sent a message.
    Message(Message),
    /// A message that was accepted for sending will not be sent: after a connection was opened again, or
    /// without the WebSocket that was to carry it, the server accepts less. The session goes on.
    NotSent(SendError),
    /// The session has ended.
    Disconnected(Disconnected),
    /// The next attempt to connect follows after a wait.
    Reconnecting {
        /// Its number, counted from 1.
        attempt: u32,
        /// The wait.
        delay: Duration,
    },
    /// An attempt to connect has failed.
    ReconnectFailed {
        /// Its number, counted from 1; 0 is the first of all, where it is
        /// [not waited for](super::ClientBuilder::start).
        attempt: u32,
        /// Why.
        error: ConnectError,
    },
    /// No further attempt follows: the last one has failed, the limit is reached, or the client was
    /// closed before a session was open. It is the last event, in the place of
    /// [`Disconnected`](Self::Disconnected).
    GaveUp {
        /// Messages that were accepted for sending, and will not be sent.
        unsent: usize,
    },
}

/// What a server has told about a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connected {
    /// The server's words.
    pub handshake: Arc<Handshake>,
    /// The transport that the session was opened over.
    pub transport: Transport,
    /// The one of the client's [subprotocols](super::ClientBuilder::subprotocols) that the server has
    /// chosen, if the session was opened over a WebSocket.
    pub subprotocol: Option<String>,
}

impl Weight for Event {
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            _ => 0,
        }
    }
}
