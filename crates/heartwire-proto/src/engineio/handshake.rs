//! The open packet's data: what a server tells a client about their session.
//!
//! Source: Engine.IO protocol v4, § Handshake.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, de};

use super::session_id::SessionId;
use super::transport::Transport;

/// What a server tells a client about their session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Handshake {
    /// The id that the client has to show with every request.
    pub sid: SessionId,
    /// Transports that the client may go on to.
    pub upgrades: Vec<Transport>,
    /// Time between a pong, or the handshake, and the next ping.
    pub ping_interval: Duration,
    /// Time that a ping may take to arrive late, or its pong to come back.
    pub ping_timeout: Duration,
    /// Bytes that the server accepts in a polling payload or a WebSocket message. `None` means that
    /// it did not say.
    pub max_payload: Option<usize>,
}

impl Handshake {
    /// The handshake as JSON, with the keys in the order of the specification's example.
    pub fn encode(&self) -> String {
        let upgrades: Vec<_> = self.upgrades.iter().map(|upgrade| upgrade.name()).collect();
        let open = Open {
            sid: self.sid.as_str(),
            upgrades,
            ping_interval: self.ping_interval.as_millis() as u64,
            ping_timeout: self.ping_timeout.as_millis() as u64,
            max_payload: self.max_payload.map(|bytes| bytes as u64),
        };
        serde_json::to_string(&open).expect("strings and numbers are JSON")
    }

    /// Reads a server's handshake. Upgrades that are not known here are left out, times above
    /// [`MAX_PERIOD`] are cut to it, keys that the specification does not name are ignored.
    ///
    /// # Errors
    ///
    /// The text is not JSON, a key is missing, or a value has the wrong type.
    pub fn decode(json: &str) -> Result<Self, HandshakeError> {
        // To serde an array with the values of a struct is as good.
        if !json.trim_start().starts_with('{') {
            return Err(HandshakeError::Json(de::Error::custom("expected an object")));
        }
        let open: OwnedOpen = serde_json::from_str(json).map_err(HandshakeError::Json)?;
        let sid = SessionId::new(&open.sid).map_err(|_| HandshakeError::SessionId)?;
        let period = |millis| Duration::from_millis(millis).min(MAX_PERIOD);
        Ok(Self {
            sid,
            upgrades: open.upgrades.iter().filter_map(|name| name.parse().ok()).collect(),
            ping_interval: period(open.ping_interval),
            ping_timeout: period(open.ping_timeout),
            max_payload: open.max_payload.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        })
    }
}

/// The longest ping interval or timeout that is taken at its word. It keeps a peer from moving
/// deadlines out of the clock's range.
pub const MAX_PERIOD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A handshake that cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// It is not JSON of the right shape.
    Json(serde_json::Error),
    /// Its session id could not be put into an address.
    SessionId,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(_) => f.write_str("handshake that is not the JSON of an open packet"),
            Self::SessionId => f.write_str("handshake with an unusable session id"),
        }
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::SessionId => None,
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: Vec<&'a str>,
    ping_interval: u64,
    ping_timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_payload: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnedOpen {
    sid: String,
    #[serde(default)]
    upgrades: Vec<String>,
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specification_example() {
        // Engine.IO protocol v4, § Handshake.
        let json = concat!(
            r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"#,
            r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
        let handshake = Handshake {
            sid: SessionId::new("lv_VI97HAXpY6yYWAAAC").unwrap(),
            upgrades: vec![Transport::WebSocket],
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: Some(1_000_000),
        };
        assert_eq!(handshake.encode(), json);
        assert_eq!(Handshake::decode(json).unwrap(), handshake);
    }

    #[test]
    fn strange_servers() {
        let json = r#"{"sid":"x","upgrades":["webtransport","websocket"],"pingInterval":18446744073709551615,"pingTimeout":0,"more":[1]}"#;
        let handshake = Handshake::decode(json).unwrap();
        assert_eq!(handshake.upgrades, [Transport::WebSocket]);
        assert_eq!(handshake.ping_interval, MAX_PERIOD);
        assert_eq!(handshake.max_payload, None);
        for bad in [
            "",
            "null",
            "{}",
            r#"{"sid":"a b","pingInterval":1,"pingTimeout":1}"#,
            r#"{"sid":"a","pingInterval":-1,"pingTimeout":1}"#,
            r#"{"sid":5,"pingInterval":1,"pingTimeout":1}"#,
            r#"["a",[],1,1,1]"#,
        ] {
            assert!(Handshake::decode(bad).is_err(), "{bad}");
        }
    }
}
