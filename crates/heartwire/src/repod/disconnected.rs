//! How a connection ended, and why a message was not taken.

use std::borrow::Cow;
use std::fmt;

use heartwire_proto::repod::{DisconnectReason, EncodeError, Frame};
use heartwire_proto::shared::{Limits, PushError};

/// How a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Disconnected {
    /// Why.
    pub reason: DisconnectReason,
    /// What exactly happened, in words, where there is more to say.
    pub detail: Option<Cow<'static, str>>,
    /// Messages that this side had accepted for sending and that may not have arrived: they waited, or
    /// were written to a connection that broke before it took them all, or (on Linux) before the peer's
    /// system had confirmed them.
    pub unsent: usize,
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

/// Why a message was not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection ends, has ended, or has not begun.
    Closed,
    /// The value cannot be sent by anybody.
    Encode(EncodeError),
    /// Too much waits already. It can be tried again when the peer has taken some.
    Full {
        /// What may wait.
        limits: Limits,
    },
}

impl From<PushError<Frame>> for SendError {
    fn from(error: PushError<Frame>) -> Self {
        match error {
            PushError::Closed(_) => Self::Closed,
            PushError::Full { limits, .. } => Self::Full { limits },
        }
    }
}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("not connected"),
            Self::Encode(error) => write!(f, "cannot be sent: {error}"),
            Self::Full { limits } => write!(
                f,
                "send queue is full: at most {} messages or {} bytes wait",
                limits.messages, limits.bytes
            ),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Closed | Self::Full { .. } => None,
        }
    }
}
