//! Why a WebSocket connection is closed, as its peers tell each other.
//!
//! Source: RFC 6455, §§ 5.5.1 and 7.4.

use std::borrow::Cow;
use std::fmt;

/// A close status code.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The connection has done what it was opened for.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint is leaving: a server that stops, a page that is closed.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that the endpoint does not accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// A text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// A policy of the endpoint was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message that is larger than the endpoint accepts.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server met a condition that keeps it from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// Whether a peer may send this code (RFC 6455, § 7.4; the IANA registry for 1012 to 1014).
    pub fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The payload of a close frame that has one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CloseFrame<'a> {
    /// Why the connection is closed.
    pub code: CloseCode,
    /// Words for a human reader, at most 123 bytes.
    pub reason: Cow<'a, str>,
}
