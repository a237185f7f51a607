//! Where the server is.

use std::fmt;
use std::str::FromStr;

use super::trust::Trust;

/// What the server speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// Engine.IO v4, over HTTP and WebSocket.
    EngineIo,
    /// repod, over TCP.
    Repod,
}

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Target {
    protocol: Protocol,
    /// The name or address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The path of the endpoint.
    pub(crate) path: String,
    /// Whether it speaks TLS, and whose certificates count then. Without it, the system's.
    pub(crate) tls: Option<Option<Trust>>,
}

impl Target {
    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The scheme of its web pages.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The origin of its web pages.
    pub(crate) fn own_origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    /// What the server speaks, as its address says.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the server speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The same server, of which such certificates count if it speaks TLS. Default: those that the system
    /// trusts.
    pub fn trusting(mut self, trust: Trust) -> Self {
        if let Some(trusted) = &mut self.tls {
            *trusted = Some(trust);
        }
        self
    }

    /// The same server with its endpoint at `path`. repod has none.
    pub fn at(mut self, path: &str) -> Self {
        self.path = format!("/{}/", path.trim_matches('/'));
        self
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    /// Reads `http://host:port/path`, or `ws`, `https`, `wss`; or `repod://host:port`. Without a path, the
    /// endpoint is `/engine.io/`; without a port, the protocol's usual one is meant.
    fn from_str(url: &str) -> Result<Self, InvalidTarget> {
        let invalid = |why| InvalidTarget { url: url.to_owned(), why };
        let (protocol, tls, usual_port, rest) = match url.split_once("://") {
            Some(("http" | "ws", rest)) => (Protocol::EngineIo, None, 80, rest),
            Some(("https" | "wss", rest)) => (Protocol::EngineIo, Some(None), 443, rest),
            Some(("repod", rest)) => (Protocol::Repod, None, REPOD_PORT, rest),
            _ => {
                return Err(invalid(
                    "expected http, https, ws, wss or repod, as in http://host:port",
                ));
            }
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') || path.contains(['?', '#', ' ']) {
            return Err(invalid("expected a host, a port and a path, and nothing else"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| invalid("the port is no number below 65536"))?)
            }
            _ => (authority, usual_port),
        };
        if protocol == Protocol::Repod && path.len() > 1 {
            return Err(invalid("repod has no paths"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(invalid("the host is missing"));
        }
        let path = if path.len() > 1 { path } else { "/engine.io/" };
        Ok(Self { protocol, host: host.to_owned(), port, path: path.to_owned(), tls })
    }
}

/// The port of repod, where none is said.
const REPOD_PORT: u16 = 5071;

/// An address that cannot be checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidTarget {
    url: String,
    why: &'static str,
}

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.why)
    }
}

impl std::error::Error for InvalidTarget {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        check("http://localhost:5000", "localhost:5000", "/engine.io/");
        check("ws://localhost", "localhost:80", "/engine.io/");
        check("http://[::1]:3000/", "[::1]:3000", "/engine.io/");
        check("http://example.com/socket.io/", "example.com:80", "/socket.io/");
        check("https://example.com", "example.com:443", "/engine.io/");
        check("wss://example.com:5000/x/", "example.com:5000", "/x/");
        check("repod://example.com", "example.com:5071", "/engine.io/");
        check("repod://[::1]:7000/", "[::1]:7000", "/engine.io/");
        for bad in [
            "localhost:5000",
            "ftp://x",
            "http://",
            "http://x:y",
            "http://a@b",
            "http://x/?y",
            "repod://x/path",
            "repod://",
            "repod://x:y",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[track_caller]
    fn check(url: &str, authority: &str, path: &str) {
        let target: Target = url.parse().expect("it is an address");
        assert_eq!((&*target.authority(), &*target.path), (authority, path));
    }
}
