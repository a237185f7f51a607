//! What a proxy in front of the server says of a client. Anybody can write these headers, so only those
//! of trusted networks count.
//!
//! Source: RFC 7239; for `X-Forwarded-…`, what proxies do.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;

/// Addresses of proxies that are believed, and the header that they write.
///
/// A proxy that is believed must write the header itself: one that lets the client's pass would let
/// clients choose their address.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    header: ForwardedHeader,
}

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network(IpNet);

/// Where proxies write the address of the client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with `X-Forwarded-Host` and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What is known of a request's way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Origination<'a> {
    /// The client's address.
    pub(super) client: Option<IpAddr>,
    /// The host that the client has asked for, where a proxy says it.
    pub(super) host: Option<&'a str>,
    /// Whether the client speaks TLS with a proxy.
    pub(super) https: bool,
}

impl TrustedProxies {
    /// Believes `X-Forwarded-For` of these networks.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { networks: networks.into_iter().collect(), header: ForwardedHeader::default() }
    }

    /// The header that the proxies write. The other one is not read: proxies let it pass. Default:
    /// `X-Forwarded-For`.
    pub fn header(mut self, header: ForwardedHeader) -> Self {
        self.header = header;
        self
    }

    pub(super) fn trusts(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        self.networks.iter().any(|network| network.0.contains(&addr))
    }

    /// What is known of the way of a request that `peer` has sent.
    pub(super) fn origination<'a>(
        &self,
        peer: Option<SocketAddr>,
        headers: &'a HeaderMap,
    ) -> Origination<'a> {
        let Some(peer) = peer.map(|peer| peer.ip()) else { return Origination::default() };
        let direct = Origination { client: Some(peer), ..Origination::default() };
        if !self.trusts(peer) {
            return direct;
        }
        match self.header {
            ForwardedHeader::XForwardedFor => {
                let hops = values(headers, &X_FORWARDED_FOR).flat_map(|value| value.rsplit(','));
                let client = self.first_stranger(peer, hops.map(parse_address));
                // Who stands left of the nearest proxy may have written what stands left of its value.
                let last = |name| values(headers, name).next()?.rsplit(',').next().map(str::trim);
                Origination {
                    client: Some(client),
                    host: last(&X_FORWARDED_HOST),
                    https: last(&X_FORWARDED_PROTO).is_some_and(is_https),
                }
            }
            ForwardedHeader::Forwarded => {
                let mut known = direct;
                for element in values(headers, &FORWARDED).flat_map(|value| rsplit(value, ',')) {
                    known.host = parameter(element, "host");
                    known.https = parameter(element, "proto").is_some_and(is_https);
                    match parameter(element, "for").and_then(parse_address) {
                        Some(addr) => known.client = Some(addr),
                        None => break,
                    }
                    if known.client.is_none_or(|client| !self.trusts(client)) {
                        break;
                    }
                }
                known
            }
        }
    }

    /// From the nearest hop on, the first address that is not trusted; or the last one known.
    fn first_stranger(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops {
            let Some(addr) = hop else { break };
            client = addr;
            if !self.trusts(addr) {
                break;
            }
        }
        client
    }
}

impl<I: IntoIterator<Item = Network>> From<I> for TrustedProxies {
    fn from(networks: I) -> Self {
        Self::new(networks)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let network = text.parse().or_else(|_| text.parse().map(IpAddr::into));
        network.map(|network: IpNet| Self(network)).map_err(|_| InvalidNetwork(text.to_owned()))
    }
}

impl From<IpAddr> for Network {
    fn from(addr: IpAddr) -> Self {
        Self(addr.into())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text that is no range of addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidNetwork(String);

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no address and no network such as 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for InvalidNetwork {}

/// The values of a header, the last one first.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().rev().map(|value| value.to_str().unwrap_or(""))
}

/// The address in one of the forms that proxies write: with a port or without, IPv6 in brackets or not.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let addr = bare.parse().ok().or_else(|| text.parse().ok().map(|addr: SocketAddr| addr.ip()));
    addr.map(|addr| addr.to_canonical())
}

/// The parts of a header between separators that no quotes surround, the last one first.
fn rsplit(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut parts = vec![];
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, char) in value.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if char == separator && !quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts.into_iter().rev()
}

/// The value of a parameter in an element of `Forwarded`, without its quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    rsplit(element, ';').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        known.trim().eq_ignore_ascii_case(name).then(|| bare.unwrap_or(value))
    })
}

fn is_https(proto: &str) -> bool {
    proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss")
}

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PEER: &str = "10.0.0.1:4000";

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[(&str, &str)]) -> String {
        let headers = headers(lines);
        let known = proxies.origination(Some(peer.parse().unwrap()), &headers);
        known.client.unwrap().to_string()
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(["10.0.0.0/8", "::1"].map(|network| network.parse().unwrap()))
    }

    #[test]
    fn who_is_not_trusted_is_not_believed() {
        let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client(&proxies(), "192.0.2.1:1", &lines), "192.0.2.1");
        assert_eq!(client(&TrustedProxies::new([]), PEER, &lines), "10.0.0.1");
        let headers = headers(&lines);
        let nobody = proxies().origination(None, &headers);
        assert_eq!(nobody, Origination::default(), "an unknown peer is nobody's proxy");
    }

    #[test]
    fn the_first_stranger_from_the_right_is_the_client() {
        let chain = |value| client(&proxies(), PEER, &[("x-forwarded-for", value)]);
        assert_eq!(chain("203.0.113.9"), "203.0.113.9");
        assert_eq!(chain("203.0.113.9, 10.2.3.4"), "203.0.113.9");
        assert_eq!(chain("1.1.1.1, 203.0.113.9,10.2.3.4"), "203.0.113.9", "1.1.1.1 is made up");
        assert_eq!(chain("10.7.7.7, 10.2.3.4"), "10.7.7.7", "all are trusted");
        assert_eq!(chain("203.0.113.9, nonsense, 10.2.3.4"), "10.2.3.4");
        assert_eq!(chain("nonsense"), "10.0.0.1");
        assert_eq!(chain("203.0.113.9:5000"), "203.0.113.9");
        assert_eq!(chain("[2001:db8::7]:5000"), "2001:db8::7");
        assert_eq!(chain("2001:db8::7"), "2001:db8::7");
        assert_eq!(chain("::ffff:203.0.113.9"), "203.0.113.9");
        let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "10.2.3.4")];
        assert_eq!(client(&proxies(), PEER, &lines), "203.0.113.9", "lines are one list");
        assert_eq!(client(&proxies(), "[::1]:9", &lines), "203.0.113.9");
        assert_eq!(client(&proxies(), "[::ffff:10.0.0.1]:9", &lines), "203.0.113.9");
    }

    #[test]
    fn examples_of_rfc_7239() {
        // RFC 7239, §§ 4, 6.3 and 7.1.
        let proxies = proxies().header(ForwardedHeader::Forwarded);
        let chain = |value| client(&proxies, PEER, &[("forwarded", value)]);
        assert_eq!(chain(r#"For="[2001:db8:cafe::17]:4711""#), "2001:db8:cafe::17");
        assert_eq!(chain("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
        assert_eq!(chain("for=192.0.2.43, for=198.51.100.17"), "198.51.100.17");
        assert_eq!(chain(r#"for=192.0.2.43, for="10.9.9.9:80""#), "192.0.2.43");
        assert_eq!(chain("for=_gazonk"), "10.0.0.1");
        assert_eq!(chain("for=unknown"), "10.0.0.1");
        assert_eq!(chain(r#"for="1.1.1.1, for=2.2.2.2", for=192.0.2.43"#), "192.0.2.43");
    }

    #[test]
    fn only_the_chosen_header_counts() {
        let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=198.51.100.17")];
        assert_eq!(client(&proxies(), PEER, &lines), "203.0.113.9");
        let other = proxies().header(ForwardedHeader::Forwarded);
        assert_eq!(client(&other, PEER, &lines), "198.51.100.17");
    }

    #[test]
    fn proxies_tell_host_and_scheme() {
        let headers = headers(&[
            ("x-forwarded-host", "evil.example, example.com"),
            ("x-forwarded-proto", "https"),
            ("forwarded", r#"for=203.0.113.9;host="example.com:8443";proto=https, for=10.0.0.9"#),
        ]);
        let peer = Some(PEER.parse().unwrap());
        let known = proxies().origination(peer, &headers);
        assert_eq!((known.host, known.https), (Some("example.com"), true));
        let proxies = proxies().header(ForwardedHeader::Forwarded);
        let known = proxies.origination(peer, &headers);
        assert_eq!((known.host, known.https), (Some("example.com:8443"), true));
    }

    #[test]
    fn networks_are_read() {
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
        for bad in ["", "10.0.0.0/33", "example.com", "10.0.0"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
