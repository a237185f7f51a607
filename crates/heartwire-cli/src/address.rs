//! Where a server is, and what it speaks.

use heartwire::repod::DEFAULT_PORT;

use crate::exit::Exit;

/// Where a server is, and what it speaks, as its URL says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    /// The URL is one for the client.
    EngineIo,
    Repod {
        host: String,
        port: u16,
    },
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, Exit> {
        let (scheme, _) = url.split_once("://").ok_or_else(|| {
            let schemes = "http://, https://, ws://, wss:// or repod://";
            Exit::NotConnected(format!("{url:?} is not a URL, expected one with {schemes}"))
        })?;
        if Self::is_repod(url) {
            let (host, port) = repod(url).ok_or_else(|| {
                let expected = "repod://HOST or repod://HOST:PORT";
                let what = format!("{url:?} is not the URL of a repod server");
                Exit::NotConnected(format!("{what}, expected {expected}"))
            })?;
            return Ok(Self::Repod { host: host.to_owned(), port });
        }
        if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            let schemes = "http, https, ws, wss or repod";
            return Err(Exit::NotConnected(format!("URL scheme {scheme:?}, expected {schemes}")));
        }
        Ok(Self::EngineIo)
    }

    /// Whether a URL is meant to be that of a repod server.
    pub(crate) fn is_repod(url: &str) -> bool {
        url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("repod"))
    }
}

/// The host and the port of a repod server's URL.
fn repod(url: &str) -> Option<(&str, u16)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let strange = |char: char| char.is_whitespace() || "/?#@".contains(char);
    if host.is_empty() || host.contains(strange) {
        return None;
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => DEFAULT_PORT,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, expected) in [
            ("repod://localhost", Some(("localhost", 5071))),
            ("repod://localhost/", Some(("localhost", 5071))),
            ("repod://a.example:6000", Some(("a.example", 6000))),
            ("REPOD://127.0.0.1:1", Some(("127.0.0.1", 1))),
            ("repod://[::1]", Some(("::1", 5071))),
            ("repod://[::1]:6000/", Some(("::1", 6000))),
            ("repod://", None),
            ("repod://:5071", None),
            ("repod://::1", None),
            ("repod://[::1", None),
            ("repod://[::1]6000", None),
            ("repod://localhost:0", None),
            ("repod://localhost:65536", None),
            ("repod://localhost:port", None),
            ("repod://localhost/room", None),
            ("repod://me@localhost", None),
            ("repod://localhost 5071", None),
        ] {
            assert_eq!(repod(url), expected, "{url}");
        }
    }
}
