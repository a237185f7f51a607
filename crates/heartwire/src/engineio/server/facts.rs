//! What is kept of the request that opened a connection. A few hundred bytes: the request's own
//! headers would pin the buffer that they were read into.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::Extensions;
use http::header::HeaderName;
use http::request::Parts;

use super::newcomer::Newcomer;

/// The address that a request came from. [`Server::listen`](super::Server::listen) puts it into the
/// request's extensions; a host that mounts the service has to do so itself if it wants
/// [`RequestFacts::remote_addr`] to answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RemoteAddr(pub SocketAddr);

/// Says that a request came over TLS.
#[derive(Clone, Copy)]
pub(super) struct OverTls;

/// Says in a request where it has come from. That costs memory, and nobody asks it of most requests.
pub(super) fn mark(request: &mut Extensions, newcomer: &Newcomer) {
    request.insert(RemoteAddr(newcomer.addr()));
    if newcomer.is_over_tls() {
        request.insert(OverTls);
    }
}

/// What is kept of the request that opened a connection.
#[derive(Clone)]
pub struct RequestFacts {
    remote_addr: Option<SocketAddr>,
    /// The query, then a line `name: value` for each kept header; one without a name is the client's
    /// address, where it is not the remote one.
    text: Box<str>,
}

impl RequestFacts {
    pub(super) fn of(request: &Parts, client: Option<IpAddr>, kept: &[HeaderName]) -> Self {
        let remote_addr = request.extensions.get::<RemoteAddr>().map(|addr| addr.0);
        let mut text = request.uri.query().unwrap_or("").to_owned();
        for name in kept {
            for value in request.headers.get_all(name) {
                // Header values have no line breaks, so they cannot be taken for other headers.
                text.push('\n');
                text.push_str(name.as_str());
                text.push_str(": ");
                text.push_str(&String::from_utf8_lossy(value.as_bytes()));
            }
        }
        if let Some(client) = client.filter(|_| client != remote_addr.map(|addr| addr.ip())) {
            text.push_str("\n: ");
            text.push_str(&client.to_string());
        }
        Self { remote_addr, text: text.into_boxed_str() }
    }

    /// The address that the connection came from: the client's, or that of a proxy.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// The client's address, as far as it is known: that of [`remote_addr`](Self::remote_addr), or what
    /// a [trusted proxy](super::ServerBuilder::trusted_proxies) says.
    pub fn client_ip(&self) -> Option<IpAddr> {
        let told = self.lines().find(|(name, _)| name.is_empty());
        let told = told.and_then(|(_, addr)| addr.parse().ok());
        told.or(self.remote_addr.map(|addr| addr.ip()))
    }

    /// Everything behind the `?` of the request, still percent-encoded.
    pub fn query(&self) -> &str {
        self.text.split('\n').next().unwrap_or("")
    }

    /// The first value of a header, if it is one that is kept
    /// ([`ServerBuilder::keep_headers`](super::ServerBuilder::keep_headers)).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(kept, _)| kept.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every kept header, as name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines().filter(|(name, _)| !name.is_empty())
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.split('\n').skip(1).filter_map(|line| line.split_once(": "))
    }
}

impl fmt::Debug for RequestFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither query nor headers: they may carry secrets.
        f.debug_struct("RequestFacts")
            .field("remote_addr", &self.remote_addr)
            .finish_non_exhaustive()
    }
}
