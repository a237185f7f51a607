//! Which web pages may connect: without this check any page can use the server in the name of whoever
//! looks at it (cross-site WebSocket hijacking).
//!
//! Source: RFC 6454; OWASP ASVS, "Origin header of WebSocket handshakes".

use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderMap};

use super::cors::Cors;
use super::proxies::Origination;

/// Which web pages may connect.
#[derive(Clone)]
pub enum OriginPolicy {
    /// Pages from the host that the request was sent to, to this server or to a proxy that is
    /// [trusted](super::ServerBuilder::trusted_proxies), and those that CORS allows. A request that
    /// came over TLS, as far as is known, comes from no page that did not.
    SameOrigin,
    /// Pages of any origin.
    Any,
    /// Pages of these origins, and those that CORS allows. An origin is a scheme, a host, and the port
    /// unless it is the scheme's own.
    Listed(Vec<String>),
    /// Pages for whose origin the function returns true, and those that CORS allows.
    Check(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl OriginPolicy {
    /// Whether a request with these headers, of which this is known, may go on. One without an `Origin`
    /// comes from no page.
    pub(super) fn allows(
        &self,
        headers: &HeaderMap,
        known: &Origination<'_>,
        cors: Option<&Cors>,
    ) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        if let Self::Any = self {
            return true;
        }
        // Two origins are nobody's.
        let Some(origin) = origin.to_str().ok().filter(|_| origins.next().is_none()) else {
            return false;
        };
        if cors.is_some_and(|cors| cors.allows(origin)) {
            return true;
        }
        match self {
            Self::Any => true,
            Self::SameOrigin => {
                let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok());
                let mut hosts = asked.into_iter().chain(known.host);
                hosts.any(|host| is_same_origin(origin, host, known.https))
            }
            Self::Listed(origins) => origins.iter().any(|listed| listed == origin),
            Self::Check(check) => check(origin),
        }
    }
}

impl fmt::Debug for OriginPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameOrigin => f.write_str("SameOrigin"),
            Self::Any => f.write_str("Any"),
            Self::Listed(origins) => f.debug_tuple("Listed").field(origins).finish(),
            Self::Check(_) => f.write_str("Check"),
        }
    }
}

/// Whether `origin` names `host`, which was asked over TLS if `https`. Without it nothing is known of the
/// scheme: a proxy that ends TLS lets `https` pages arrive over `http`.
fn is_same_origin(origin: &str, host: &str, https: bool) -> bool {
    let (default_port, authority) = match origin.split_once("://") {
        Some(("http", authority)) if !https => ("80", authority),
        Some(("https", authority)) => ("443", authority),
        _ => return false,
    };
    let (name, port) = split_port(authority, default_port);
    let (host_name, host_port) = split_port(host, default_port);
    name.eq_ignore_ascii_case(host_name) && port == host_port
}

/// Cuts the port off, minding the colons of an IPv6 address in brackets.
fn split_port<'a>(authority: &'a str, default: &'a str) -> (&'a str, &'a str) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (authority, default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_origin_compares_host_and_port() {
        let same = |origin, host| is_same_origin(origin, host, false);
        let yes = |origin, host| assert!(same(origin, host), "{origin} {host}");
        let no = |origin, host| assert!(!same(origin, host), "{origin} {host}");
        yes("http://localhost:3000", "localhost:3000");
        yes("https://example.com", "example.com");
        yes("https://Example.com", "example.COM:443");
        yes("http://example.com:80", "example.com");
        yes("http://[::1]:3000", "[::1]:3000");
        yes("http://[::1]", "[::1]:80");
        no("http://localhost:3000", "localhost:3001");
        no("https://example.com", "example.com:80");
        no("https://evil.example", "example.com");
        no("https://example.com.evil.example", "example.com");
        no("https://evil.example#example.com", "example.com");
        no("null", "null");
        no("file://localhost", "localhost");
        no("", "");
    }

    #[test]
    fn over_tls_the_scheme_counts() {
        assert!(is_same_origin("https://example.com", "example.com", true));
        assert!(!is_same_origin("http://example.com", "example.com", true));
        assert!(!is_same_origin("http://example.com:443", "example.com:443", true));
    }
}
