//! Why a session ended. Both sides use the same words.

use std::fmt;

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client asked for it.
    ClientDisconnect,
    /// The server asked for it.
    ServerDisconnect,
    /// The peer was not heard in time (Engine.IO protocol v4, § Heartbeat).
    PingTimeout,
    /// The transport ended without a word.
    TransportClose,
    /// The transport failed, or the peer used it against the rules.
    TransportError,
    /// The peer sent something that is no packet.
    ParseError,
    /// The peer sent more than this side accepts.
    PayloadTooLarge,
    /// The peer took too long with taking what was sent to it, or with a message that it had begun.
    SlowPeer,
}

impl DisconnectReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::ClientDisconnect,
        Self::ServerDisconnect,
        Self::PingTimeout,
        Self::TransportClose,
        Self::TransportError,
        Self::ParseError,
        Self::PayloadTooLarge,
        Self::SlowPeer,
    ];

    /// Whether one of both sides wanted it, and said so.
    pub fn is_asked_for(self) -> bool {
        matches!(self, Self::ClientDisconnect | Self::ServerDisconnect)
    }

    /// The reason in words, stable, in the vocabulary of python-engineio and the Node server.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client disconnect",
            Self::ServerDisconnect => "server disconnect",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::PayloadTooLarge => "payload too large",
            Self::SlowPeer => "slow peer",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
