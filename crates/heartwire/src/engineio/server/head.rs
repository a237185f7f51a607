//! A request without its body, as the application's hooks see it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use heartwire_proto::engineio::Transport;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use super::connection::Connection;
use super::facts::RemoteAddr;

/// A request without its body.
pub struct RequestHead {
    parts: Parts,
    client_ip: Option<IpAddr>,
    purpose: Purpose,
}

/// What a request wants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// To open a session over this transport.
    Open(Transport),
    /// To go on over a WebSocket with a session that polls.
    Upgrade(Connection),
    /// Anything: it has not been decided yet.
    Undecided,
}

impl RequestHead {
    pub(super) fn new(parts: Parts, client_ip: Option<IpAddr>, purpose: Purpose) -> Self {
        Self { parts, client_ip, purpose }
    }

    /// What the request wants.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The method: `GET` for what opens or upgrades a session.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The address that was asked for.
    pub fn uri(&self) -> &Uri {
        &self.parts.uri
    }

    /// Everything behind the `?`, still percent-encoded.
    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or("")
    }

    /// Every header.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The address that the request came from: the client's, or that of a proxy.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.parts.extensions.get::<RemoteAddr>().map(|addr| addr.0)
    }

    /// The client's address, as far as it is known: that of
    /// [`remote_addr`](Self::remote_addr), or what a
    /// [trusted proxy](super::ServerBuilder::trusted_proxies) says.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(super) fn into_parts(self) -> Parts {
        self.parts
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither query nor headers: they may carry secrets.
        f.debug_struct("RequestHead")
            .field("client_ip", &self.client_ip)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}
