//! How a session's WebSocket ended, and what follows from it.

use super::disconnect::DisconnectReason;
use crate::websocket::{CloseCode, ProtocolError};

/// How a session's WebSocket ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketEnd {
    /// The peer has closed it, with a close frame or without. Its code is echoed.
    Closed(Option<CloseCode>),
    /// It could not be opened, or reading or writing failed.
    Failed,
    /// The peer broke the rules.
    Broken(ProtocolError),
    /// The peer has taken nothing for too long.
    Stalled,
    /// The peer takes too long with a message that it has begun.
    Unfinished,
}

impl SocketEnd {
    /// What the user is told, and what the peer is told, if it is told anything.
    pub(super) fn consequence(self) -> (DisconnectReason, Option<CloseCode>) {
        match self {
            Self::Closed(code) => (DisconnectReason::TransportClose, code),
            Self::Failed => (DisconnectReason::TransportError, None),
            Self::Stalled => (DisconnectReason::SlowPeer, None),
            Self::Unfinished => (DisconnectReason::SlowPeer, Some(CloseCode::POLICY_VIOLATION)),
            Self::Broken(
                error @ (ProtocolError::MessageTooLong { .. }
                | ProtocolError::InflatedTooLong { .. }),
            ) => (DisconnectReason::PayloadTooLarge, Some(error.close_code())),
            Self::Broken(error) => (DisconnectReason::TransportError, Some(error.close_code())),
        }
    }
}
