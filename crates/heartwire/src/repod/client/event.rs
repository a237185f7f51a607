//! What a client is told.

use std::net::SocketAddr;
use std::time::Duration;

use heartwire_proto::repod::Message;
use heartwire_proto::shared::Weight;

use super::super::disconnected::Disconnected;
use super::error::ConnectError;

/// What a client is told, in the order in which it happens.
///
/// A message is never one of the other events: whatever a server sends is told as a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection is open. (The greeting of the server, with the action `connected`, is a message.)
    Connected {
        /// The server's address.
        addr: SocketAddr,
    },
    /// The server has sent a message.
    Message(Message),
    /// The connection has ended.
    Disconnected(Disconnected),
    /// An attempt to connect has failed.
    ConnectFailed {
        /// Its number, counted from 1; 0 is the very first attempt.
        attempt: u32,
        /// Why.
        error: ConnectError,
    },
    /// The next attempt to connect follows after a wait.
    Reconnecting {
        /// Its number, counted from 1.
        attempt: u32,
        /// The wait.
        delay: Duration,
    },
    /// No further attempt to connect follows, and no connection is open. It is the last event.
    GaveUp {
        /// Messages that were accepted for sending, and will not be sent.
        unsent: usize,
    },
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// It was never started. Only the blocking client knows this state.
    Idle,
    /// The connection is being opened, or the next attempt is waited for. What is sent waits.
    Connecting,
    /// The connection is open.
    Open,
    /// The connection has ended, or the user has closed it.
    Closed,
    /// The connection could not be opened, and no further attempt follows.
    Failed,
}

impl Weight for Event {
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.weight(),
            Self::Connected { .. }
            | Self::Disconnected(_)
            | Self::ConnectFailed { .. }
            | Self::Reconnecting { .. }
            | Self::GaveUp { .. } => 0,
        }
    }
}
