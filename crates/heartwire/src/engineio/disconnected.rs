//! How a session ended, and why a message was not taken.

use std::borrow::Cow;
use std::fmt;

use heartwire_proto::engineio::{DisconnectReason, Message, Transport};
use heartwire_proto::shared::{Limits, PushError};

use super::outgoing::Outgoing;

/// How a session ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Disconnected {
    /// Why.
    pub reason: DisconnectReason,
    /// What exactly happened, in words, where there is more to say.
    pub detail: Option<Cow<'static, str>>,
    /// The HTTP status of the answer that has broken a session that polls, on the client.
    pub status: Option<u16>,
    /// Messages that this side had accepted for sending and that may not have arrived: they waited, or
    /// were written to a connection that broke before it took them all, or (on Linux) before the peer's
    /// system had confirmed them.
    pub unsent: usize,
    /// The transport that the session was on.
    pub transport: Transport,
}

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        match self.unsent {
            0 => Ok(()),
            1 => f.write_str(" (1 message unsent)"),
            unsent => write!(f, " ({unsent} messages unsent)"),
        }
    }
}

/// A message that was not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// The session ends, has ended, or has not begun.
    Closed(Message),
    /// Too much waits already. It can be tried again when the peer has taken some.
    Full {
        /// The message.
        message: Message,
        /// What may wait.
        limits: Limits,
    },
    /// The peer does not accept messages of this size.
    TooLarge {
        /// The message.
        message: Message,
        /// Bytes that it takes on the wire.
        length: usize,
        /// Bytes that the peer accepts.
        max: usize,
    },
}

impl SendError {
    /// The message that was not accepted.
    pub fn into_message(self) -> Message {
        match self {
            Self::Closed(message) | Self::Full { message, .. } | Self::TooLarge { message, .. } => {
                message
            }
        }
    }
}

impl From<PushError<Outgoing>> for SendError {
    fn from(error: PushError<Outgoing>) -> Self {
        match error {
            PushError::Closed(message) => Self::Closed(message.into_message()),
            PushError::Full { message, limits } => {
                Self::Full { message: message.into_message(), limits }
            }
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("not connected"),
            Self::Full { limits, .. } => write!(
                f,
                "send queue is full: at most {} messages or {} bytes wait",
                limits.messages, limits.bytes
            ),
            Self::TooLarge { length, max, .. } => {
                write!(f, "message of {length} bytes, the peer accepts at most {max}")
            }
        }
    }
}

impl std::error::Error for SendError {}
