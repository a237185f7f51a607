//! From an address to a byte stream: names, TCP, proxies, TLS.

use std::error::Error;
use std::fmt;
use std::future::{self, Ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Request, Uri};
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
#[cfg(feature = "tls")]
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tower_service::Service;

use super::exchange::{Exchanged, exchange};
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls::ClientTls;

/// Makes connections to servers, where wanted through proxies.
#[derive(Clone)]
pub(super) struct Dialer(Arc<Inner>);

struct Inner {
    /// Where connections come from.
    local: Option<IpAddr>,
    requests: Way,
    sockets: Way,
}

/// What a socket goes through before it connects.
#[derive(Clone)]
pub(super) struct Preparation(pub(super) Arc<Prepare>);

type Prepare = dyn Fn(&TcpSocket) -> io::Result<()> + Send + Sync;

impl fmt::Debug for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preparation")
    }
}

/// How servers are reached.
pub(super) struct Way {
    proxies: Option<Matcher>,
    preparation: Option<Preparation>,
    #[cfg(feature = "tls")]
    tls: ClientTls,
    /// The same, for who speaks HTTP inside.
    #[cfg(feature = "tls")]
    connector: TlsConnector,
}

/// A stream, and who is at its end.
pub(super) struct Line {
    pub(super) stream: Stream,
    /// Whether it ends at a proxy that wants to be told the whole address of each request.
    pub(super) forwards: bool,
}

/// Who is at the other end of TLS.
#[derive(Clone, Copy)]
enum Peer {
    Server,
    /// What is said of the server's certificate does not count for it.
    Proxy,
}

/// What a stream is for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// Requests, which a proxy may forward.
    Requests,
    /// Whatever the server and the client agree on: a proxy has to tunnel it (RFC 6455, § 4.1).
    Socket,
}

impl Way {
    pub(super) fn new(
        proxies: Option<Matcher>,
        preparation: Option<Preparation>,
        #[cfg(feature = "tls")] tls: ClientTls,
    ) -> Self {
        Self {
            proxies,
            preparation,
            #[cfg(feature = "tls")]
            connector: tls.http_connector(),
            #[cfg(feature = "tls")]
            tls,
        }
    }

    fn proxy(&self, uri: &Uri) -> Option<Intercept> {
        self.proxies.as_ref()?.intercept(uri)
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: Stream, place: &Place, peer: Peer) -> Result<Stream, DialError> {
        let failed = |error: io::Error| DialError::Tls { server: place.name(), error };
        let name = match peer {
            Peer::Server => self.tls.name(place.bare_host()),
            Peer::Proxy => ServerName::try_from(place.bare_host().to_owned()),
        };
        let name =
            name.map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        Ok(match stream {
            Stream::Tcp(stream) => {
                let stream = self.connector.connect(name, stream).await.map_err(failed)?;
                Stream::Tls(Box::new(stream.into()))
            }
            stream => {
                let stream = self.connector.connect(name, stream).await.map_err(failed)?;
                Stream::Other(Box::pin(stream))
            }
        })
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _: Stream, place: &Place, _: Peer) -> Result<Stream, DialError> {
        let error = io::Error::new(io::ErrorKind::Unsupported, "the program is built without it");
        Err(DialError::Tls { server: place.name(), error })
    }
}

impl Dialer {
    pub(super) fn new(local: Option<IpAddr>, requests: Way, sockets: Way) -> Self {
        Self(Arc::new(Inner { local, requests, sockets }))
    }

    /// Connects to the server of an address, `http` or `https`.
    pub(super) async fn dial(&self, uri: &Uri, purpose: Purpose) -> Result<Line, DialError> {
        let server = Place::of(uri)?;
        let way = match purpose {
            Purpose::Requests => &self.0.requests,
            Purpose::Socket => &self.0.sockets,
        };
        let (stream, forwards) = match way.proxy(uri) {
            None => (server.connect(self.0.local, way.preparation.as_ref()).await?, false),
            Some(proxy) => {
                let place = Place::of(proxy.uri())?;
                let broken = |problem: String| DialError::Proxy { proxy: place.name(), problem };
                let stream = place.connect(self.0.local, way.preparation.as_ref()).await;
                let stream = stream.map_err(|error| broken(error.to_string()))?;
                match proxy.uri().scheme_str() {
                    Some("socks4" | "socks4a" | "socks5" | "socks5h") => {
                        (socks(stream, &proxy, &server).await.map_err(broken)?, false)
                    }
                    _ => {
                        let stream = if place.secure {
                            let secured = way.secure(stream, &place, Peer::Proxy).await;
                            secured.map_err(|error| broken(error.to_string()))?
                        } else {
                            stream
                        };
                        if purpose == Purpose::Requests && !server.secure {
                            return Ok(Line { stream, forwards: true });
                        }
                        (tunnel(stream, &proxy, &server).await.map_err(broken)?, false)
                    }
                }
            }
        };
        let stream = match server.secure {
            true => way.secure(stream, &server, Peer::Server).await?,
            false => stream,
        };
        Ok(Line { stream, forwards })
    }

    /// What a proxy that forwards requests to `uri` wants to see in them.
    pub(super) fn forward_authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        if uri.scheme_str() == Some("https") {
            return None;
        }
        self.0.requests.proxy(uri)?.basic_auth().cloned()
    }
}

/// Who is to be connected to.
struct Place {
    /// As in the address: in brackets, if it is an IPv6 address.
    host: String,
    port: u16,
    secure: bool,
}

impl Place {
    fn of(uri: &Uri) -> Result<Self, DialError> {
        let host = uri.host().ok_or_else(|| DialError::UnknownHost {
            host: uri.to_string(),
            error: io::Error::new(io::ErrorKind::InvalidInput, "no host in the address"),
        })?;
        let scheme = uri.scheme_str().unwrap_or("http");
        let usual = match scheme {
            "https" => 443,
            "http" => 80,
            _ => 1080,
        };
        let port = uri.port_u16().unwrap_or(usual);
        Ok(Self { host: host.to_owned(), port, secure: scheme == "https" })
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, DialError> {
        let unknown = |error| DialError::UnknownHost { host: self.host.clone(), error };
        let found = tokio::net::lookup_host((self.bare_host(), self.port)).await;
        let addresses: Vec<_> = found.map_err(unknown)?.collect();
        if addresses.is_empty() {
            return Err(unknown(io::Error::new(io::ErrorKind::NotFound, "no address")));
        }
        Ok(addresses)
    }

    /// Connects to the first of the addresses that answers. One that does not leaves the next its
    /// chance before it has failed (RFC 8305, § 5).
    async fn connect(
        &self,
        local: Option<IpAddr>,
        preparation: Option<&Preparation>,
    ) -> Result<Stream, DialError> {
        let mut addresses = self.addresses().await?;
        if let Some(local) = local {
            addresses.retain(|addr| addr.is_ipv4() == local.is_ipv4());
            if addresses.is_empty() {
                let problem = format!("no address that {local} could connect to");
                let error = io::Error::new(io::ErrorKind::AddrNotAvailable, problem);
                return Err(DialError::UnknownHost { host: self.host.clone(), error });
            }
        }
        let mut left = addresses.into_iter();
        let mut attempts = JoinSet::new();
        let mut first_error = None;
        loop {
            if let Some(addr) = left.next() {
                let preparation = preparation.cloned();
                attempts.spawn(async move { (addr, connect(local, preparation, addr).await) });
            }
            let attempt = tokio::select! {
                attempt = attempts.join_next() => attempt,
                () = tokio::time::sleep(HEAD_START), if left.len() > 0 => continue,
            };
            match attempt {
                Some(Ok((_, Ok(stream)))) => {
                    // Small messages must not wait for each other. Where it cannot be set, they do.
                    let _ = stream.set_nodelay(true);
                    return Ok(Stream::Tcp(stream));
                }
                Some(Ok((addr, Err(error)))) => {
                    first_error.get_or_insert(DialError::Unreachable { addr, error });
                }
                // It was not cancelled, and does not panic.
                Some(Err(_)) => {}
                None => return Err(first_error.expect("there was at least one address")),
            }
        }
    }
}

/// Connects to an address, from `local` if that is given.
async fn connect(
    local: Option<IpAddr>,
    preparation: Option<Preparation>,
    addr: SocketAddr,
) -> io::Result<TcpStream> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(Preparation(prepare)) = preparation {
        prepare(&socket)?;
    }
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(addr).await
}

/// Has an HTTP proxy connect to the server.
async fn tunnel(stream: Stream, proxy: &Intercept, server: &Place) -> Result<Stream, String> {
    let mut request = Request::connect(server.name())
        .header(header::HOST, server.name())
        .body(http_body_util::Empty::new())
        .map_err(|error| error.to_string())?;
    if let Some(authorization) = proxy.basic_auth() {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
    }
    match exchange(stream, request, 0).await {
        Ok(Exchanged::Switched { stream, early, .. }) if early.is_empty() => Ok(stream),
        Ok(Exchanged::Switched { .. }) => {
            Err("it sent something before the server could".to_owned())
        }
        Ok(Exchanged::Answered { head, .. }) => {
            Err(format!("it answered CONNECT with {}, expected 200", head.status))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Has a SOCKS proxy connect to the server.
async fn socks(stream: Stream, proxy: &Intercept, server: &Place) -> Result<Stream, String> {
    let scheme = proxy.uri().scheme_str().unwrap_or_default();
    // With `socks4` and `socks5`, names are looked up here.
    let server = match scheme {
        "socks4" | "socks5" => {
            let addresses = server.addresses().await.map_err(|error| error.to_string())?;
            let wanted = |addr: &&SocketAddr| scheme == "socks5" || addr.is_ipv4();
            let addr = addresses.iter().find(wanted).ok_or("it needs an IPv4 address")?;
            addr.to_string()
        }
        _ => server.name(),
    };
    let destination = format!("http://{server}/").parse().map_err(|_| "no address for it")?;
    let through = Given(Some(stream));
    let auth = proxy.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned()));
    let connected = if scheme.starts_with("socks4") {
        let mut socks = SocksV4::new(proxy.uri().clone(), through);
        socks.call(destination).await.map_err(|error| error.to_string())?
    } else {
        let mut socks = SocksV5::new(proxy.uri().clone(), through);
        if let Some((user, password)) = auth {
            socks = socks.with_auth(user, password);
        }
        socks.call(destination).await.map_err(|error| error.to_string())?
    };
    Ok(connected.into_inner())
}

/// A connector for who is connected already.
struct Given(Option<Stream>);

impl Service<Uri> for Given {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into());
        future::ready(stream.map(TokioIo::new))
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum DialError {
    /// The name has no address.
    UnknownHost { host: String, error: io::Error },
    /// Nobody answers at the address.
    Unreachable { addr: SocketAddr, error: io::Error },
    /// TLS could not be agreed on, or the server is not who was meant.
    Tls { server: String, error: io::Error },
    /// The proxy did not help.
    Proxy { proxy: String, problem: String },
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost { host, error } => write!(f, "no address for {host}: {error}"),
            Self::Unreachable { addr, error } => write!(f, "{addr}: {error}"),
            Self::Tls { server, error } => write!(f, "TLS with {server}: {error}"),
            Self::Proxy { proxy, problem } => write!(f, "proxy {proxy}: {problem}"),
        }
    }
}

impl Error for DialError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::UnknownHost { error, .. }
            | Self::Unreachable { error, .. }
            | Self::Tls { error, .. } => Some(error),
            Self::Proxy { .. } => None,
        }
    }
}

/// Time that an address has before the next one is tried too (RFC 8305, § 8).
const HEAD_START: Duration = Duration::from_millis(250);
