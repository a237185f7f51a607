//! Why a connection ended.

use std::fmt;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// This side asked for it.
    Closed,
    /// The peer closed the connection.
    PeerClosed,
    /// The connection broke.
    ConnectionError,
    /// The peer sent something that is no message.
    ProtocolError,
    /// The peer sent, or announced, more than this side accepts.
    TooLarge,
    /// The peer began a frame and did not end it in time.
    FrameTimeout,
    /// The peer sent more messages in a second than this side accepts.
    RateExceeded,
    /// The peer stopped taking what was sent to it.
    SlowPeer,
}

impl DisconnectReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Closed,
        Self::PeerClosed,
        Self::ConnectionError,
        Self::ProtocolError,
        Self::TooLarge,
        Self::FrameTimeout,
        Self::RateExceeded,
        Self::SlowPeer,
    ];

    /// The reason in words, stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::PeerClosed => "closed by peer",
            Self::ConnectionError => "connection error",
            Self::ProtocolError => "protocol error",
            Self::TooLarge => "frame too large",
            Self::FrameTimeout => "frame timeout",
            Self::RateExceeded => "rate exceeded",
            Self::SlowPeer => "slow peer",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
