//! The ways in which packets travel.

use std::fmt;
use std::str::FromStr;

/// A way in which packets travel.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// GET requests that wait for packets, POST requests that bring them.
    Polling,
    /// One WebSocket, a packet a frame.
    WebSocket,
}

impl Transport {
    /// Every transport, in the order in which a session climbs them.
    pub const ALL: [Self; 2] = [Self::Polling, Self::WebSocket];

    /// The name in the `transport` query parameter and in the handshake's `upgrades`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Transport {
    type Err = UnknownTransport;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|transport| transport.name() == name).ok_or(UnknownTransport)
    }
}

/// A name that is no transport's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownTransport;

impl fmt::Display for UnknownTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown transport, expected polling or websocket")
    }
}

impl std::error::Error for UnknownTransport {}
