//! Where the server is.

use std::fmt;
use std::str::FromStr;

/// Where the server is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The name or address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The path of the endpoint.
    pub(crate) path: String,
}

impl Target {
    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The same server with its endpoint at `path`.
    pub fn at(mut self, path: &str) -> Self {
        self.path = format!("/{}/", path.trim_matches('/'));
        self
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    /// Reads `http://host:port/path` or `ws://…`. Without a path, the endpoint is `/engine.io/`.
    fn from_str(url: &str) -> Result<Self, InvalidTarget> {
        let invalid = |why| InvalidTarget { url: url.to_owned(), why };
        let rest = match url.split_once("://") {
            Some(("http" | "ws", rest)) => rest,
            Some(("https" | "wss", _)) => {
                return Err(invalid("TLS is not spoken here: check the server behind it"));
            }
            _ => return Err(invalid("expected http://host:port or ws://host:port")),
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
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(invalid("the host is missing"));
        }
        let path = if path.len() > 1 { path } else { "/engine.io/" };
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }
}

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
        for bad in
            ["localhost:5000", "https://x", "http://", "http://x:y", "http://a@b", "http://x/?y"]
        {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[track_caller]
    fn check(url: &str, authority: &str, path: &str) {
        let target: Target = url.parse().expect("it is an address");
        assert_eq!((&*target.authority(), &*target.path), (authority, path));
    }
}
