//! Every option of a client.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::Transport;
use heartwire_proto::shared::{Backoff, Limits};
use heartwire_proto::websocket::PerMessageDeflate;
use http::Uri;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpSocket;

use super::address::TIMESTAMP;
use super::agent::{self, Agent, HttpOptions, Proxy, SharedAgent};
use super::cookies::CookieJar;
use super::dial::Preparation;
use super::error::{ConnectError, ConnectErrorKind};
use super::requester::Requester;
#[cfg(feature = "tls")]
use crate::tls::{ClientTls, ClientTlsBuilder};

/// What [`Client::builder`](super::Client::builder) collects.
#[derive(Clone, Debug)]
#[must_use = "call connect()"]
pub struct ClientBuilder {
    pub(super) options: Options,
    #[cfg(feature = "tls")]
    tls: ClientTlsBuilder,
    /// The first option that cannot be used, told when connecting.
    problem: Option<String>,
}

/// The options of a client.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) url: String,
    pub(super) path: Cow<'static, str>,
    pub(super) trailing_slash: bool,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// What the requests of one transport carry besides.
    pub(super) extras: Vec<Extra>,
    pub(super) protocols: Vec<String>,
    pub(super) websocket_timeout: Option<Duration>,
    pub(super) timestamp_requests: bool,
    pub(super) timestamp_parameter: Cow<'static, str>,
    pub(super) max_redirects: u32,
    pub(super) send_limits: Limits,
    pub(super) receive_bytes: usize,
    pub(super) max_message: usize,
    pub(super) per_message_deflate: Option<PerMessageDeflate>,
    http: HttpOptions,
    pub(super) cookie_jar: Option<CookieJar>,
    pub(super) requester: Option<Arc<dyn Requester>>,
    /// Shared by clones, as long as they mean the same connections. `None` where nothing special is wanted.
    agent: Option<Arc<SharedAgent>>,
    pub(super) conduct: Conduct,
}

/// How a client opens sessions, and what it does when they end: what is kept of its options as long as it
/// lives.
#[derive(Clone, Debug)]
pub(super) struct Conduct {
    pub(super) transports: Vec<Transport>,
    pub(super) upgrade: bool,
    pub(super) remember_upgrade: bool,
    pub(super) fallback: bool,
    pub(super) request_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) stall_timeout: Duration,
    pub(super) reconnect: Option<Backoff>,
    pub(super) retry_first: bool,
}

/// What the requests of one transport carry besides.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    pub(super) transport: Transport,
    pub(super) headers: HeaderMap,
    pub(super) query: Vec<(String, String)>,
}

impl Options {
    /// What makes and keeps this client's connections.
    pub(super) fn agent(&self) -> Arc<Agent> {
        let own = self.agent.as_deref().filter(|_| !self.http.is_default());
        own.unwrap_or(&agent::DEFAULT).get(&self.http)
    }
}

impl ClientBuilder {
    pub(super) fn new(url: impl Into<String>) -> Self {
        Self {
            options: Options {
                url: url.into(),
                path: Cow::Borrowed("engine.io"),
                trailing_slash: true,
                query: vec![],
                headers: HeaderMap::new(),
                extras: vec![],
                protocols: vec![],
                websocket_timeout: None,
                timestamp_requests: true,
                timestamp_parameter: Cow::Borrowed(TIMESTAMP),
                max_redirects: 10,
                send_limits: Limits { messages: 100_000, bytes: 64 << 20 },
                receive_bytes: 64 << 20,
                max_message: 64 << 20,
                per_message_deflate: None,
                http: HttpOptions::default(),
                cookie_jar: None,
                requester: None,
                agent: None,
                conduct: Conduct {
                    transports: vec![Transport::Polling, Transport::WebSocket],
                    upgrade: true,
                    remember_upgrade: false,
                    fallback: true,
                    request_timeout: Duration::from_secs(5),
                    close_timeout: Duration::from_secs(5),
                    stall_timeout: Duration::from_secs(30),
                    reconnect: None,
                    retry_first: false,
                },
            },
            #[cfg(feature = "tls")]
            tls: ClientTlsBuilder::default(),
            problem: None,
        }
    }

    /// The server's address: scheme (`http`, `https`, `ws`, `wss`), host, port, and query parameters
    /// for every request. Its path does not count: see [`path`](Self::path).
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.options.url = url.into();
        self
    }

    /// The path of the Engine.IO endpoint. Default: `engine.io`; a Socket.IO server's is `socket.io`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.options.path = Cow::Owned(path.into());
        self
    }

    /// Whether the [`path`](Self::path) is asked for with a slash at its end. Default: yes, as servers
    /// answer by default.
    pub fn trailing_slash(mut self, slash: bool) -> Self {
        self.options.trailing_slash = slash;
        self
    }

    /// A query parameter that every request carries, behind those of the URL.
    pub fn query(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.query.push((key.into(), value.into()));
        self
    }

    /// A header that every request carries, the one for the WebSocket included. One that the protocol
    /// needs for itself, as `Connection` or `Content-Length`, is an error.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Display>,
        V: TryInto<HeaderValue, Error: Display>,
    {
        if let Some((name, value)) = self.read_header(name, value) {
            self.options.headers.append(name, value);
        }
        self
    }

    /// Headers that every request carries, as with [`header`](Self::header). They replace those of the
    /// same name that were there before.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        if let Some(name) = headers.keys().find(|name| is_reserved(name)) {
            self.reject(reserved(name));
        }
        self.options.headers.extend(headers);
        self
    }

    /// A query parameter that the requests of one transport carry.
    pub fn transport_query(
        mut self,
        transport: Transport,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.extra(transport).query.push((key.into(), value.into()));
        self
    }

    /// A header that the requests of one transport carry; it replaces those of the same name that all
    /// requests carry. With [`Transport::WebSocket`], that is the one request that becomes the WebSocket.
    pub fn transport_header<N, V>(mut self, transport: Transport, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Display>,
        V: TryInto<HeaderValue, Error: Display>,
    {
        if let Some((name, value)) = self.read_header(name, value) {
            self.extra(transport).headers.append(name, value);
        }
        self
    }

    /// Transports to use. The first opens the session; if that fails, the next, unless
    /// [`fallback`](Self::fallback) is off. A session that polls goes on over a WebSocket if the list has
    /// it, unless [`upgrade`](Self::upgrade) is off. Default: polling, then WebSocket.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        let mut listed = vec![];
        for transport in transports {
            if !listed.contains(&transport) {
                listed.push(transport);
            }
        }
        if listed.is_empty() {
            self.reject("no transports".to_owned());
        }
        self.options.conduct.transports = listed;
        self
    }

    /// Whether a session that polls goes on over a WebSocket, where the server offers it and
    /// [`transports`](Self::transports) has it. Default: yes.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.options.conduct.upgrade = upgrade;
        self
    }

    /// Whether to begin with a WebSocket, where one has served this server before in this process, and
    /// [`transports`](Self::transports) has it; a WebSocket that fails is remembered, too. It saves the
    /// round trips of polling. Default: no.
    pub fn remember_upgrade(mut self, remember: bool) -> Self {
        self.options.conduct.remember_upgrade = remember;
        self
    }

    /// Whether the next of the [`transports`](Self::transports) is tried when the session cannot be opened
    /// over the first. Default: yes.
    pub fn fallback(mut self, fallback: bool) -> Self {
        self.options.conduct.fallback = fallback;
        self
    }

    /// Protocols that the client speaks inside of the WebSocket, the best one first (RFC 6455, § 1.9). The
    /// server may choose one of them. Default: none.
    pub fn subprotocols<P: Into<String>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.options.protocols = protocols.into_iter().map(Into::into).collect();
        let token = |protocol: &str| HeaderName::from_bytes(protocol.as_bytes()).is_ok();
        let bad = self.options.protocols.iter().find(|protocol| !token(protocol)).cloned();
        if let Some(protocol) = bad {
            self.reject(format!(
                "subprotocol {protocol:?}, expected letters, digits and !#$%&'*+-.^_`|~"
            ));
        }
        self
    }

    /// Which servers the client trusts, and what it shows them. Default: those that the system trusts,
    /// and nothing.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.options.http.tls = Some(tls);
        self.options.agent = Some(Arc::default());
        self
    }

    /// Which servers WebSockets trust, and what they show them, where that is not the same as for requests.
    #[cfg(feature = "tls")]
    pub fn websocket_tls(mut self, tls: ClientTls) -> Self {
        self.options.http.websocket_tls = Some(tls);
        self.options.agent = Some(Arc::default());
        self
    }

    /// Trusts servers whose certificates these authorities have signed, given in PEM, and no others. It is
    /// short for [`tls`](Self::tls), which it does not go together with, as the next ones are.
    #[cfg(feature = "tls")]
    pub fn authorities(self, pem: impl AsRef<[u8]>) -> Self {
        self.change_tls(|tls| tls.authorities(pem))
    }

    /// Shows servers a certificate: it, the certificates between it and its authority, and its key, in
    /// PEM.
    #[cfg(feature = "tls")]
    pub fn identity(self, pem: impl AsRef<[u8]>) -> Self {
        self.change_tls(|tls| tls.identity(pem))
    }

    /// Accepts any server as the one that was meant, whatever its certificate says. Whoever is on the
    /// way can then read and change everything. Default: no.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_certificates(self, accept: bool) -> Self {
        self.change_tls(|tls| tls.danger_accept_invalid_certificates(accept))
    }

    /// Accepts a certificate of a trusted authority for whatever server it was given to. Whoever has one
    /// of its certificates can then play the server. Default: no.
    #[cfg(feature = "tls")]
    pub fn danger_accept_invalid_hostnames(self, accept: bool) -> Self {
        self.change_tls(|tls| tls.danger_accept_invalid_hostnames(accept))
    }

    #[cfg(feature = "tls")]
    fn change_tls(mut self, change: impl FnOnce(ClientTlsBuilder) -> ClientTlsBuilder) -> Self {
        self.tls = change(self.tls);
        self.options.agent = Some(Arc::default());
        self
    }

    /// Connects through a proxy: `http://`, `https://`, `socks4://`, `socks4a://`, `socks5://` or
    /// `socks5h://`, with `user:password@` if it asks for them. With `socks4a` and `socks5h`, the proxy
    /// looks up names. Default: the one that `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name.
    ///
    /// Requests to `http` servers are forwarded by HTTP proxies; everything else is tunnelled.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        if let Err(problem) = check_proxy(&url) {
            self.reject(problem);
        }
        let except = match self.options.http.proxy {
            Proxy::At { except, .. } => except,
            Proxy::Environment | Proxy::None => String::new(),
        };
        self.options.http.proxy = Proxy::At { url, except };
        self.options.agent = Some(Arc::default());
        self
    }

    /// Servers that are connected to directly, although there is a [`proxy`](Self::proxy): names, which
    /// stand for what is below them too, addresses, networks as `10.0.0.0/8`, or `*`, with commas between.
    /// Default: none.
    pub fn proxy_except(mut self, servers: impl Into<String>) -> Self {
        match &mut self.options.http.proxy {
            Proxy::At { except, .. } => *except = servers.into(),
            Proxy::Environment | Proxy::None => {
                self.reject("proxy_except() without proxy() before it".to_owned());
            }
        }
        self.options.agent = Some(Arc::default());
        self
    }

    /// Connects directly, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.options.http.proxy = Proxy::None;
        self.options.agent = Some(Arc::default());
        self
    }

    /// Connects WebSockets through another proxy than requests: see [`proxy`](Self::proxy) and
    /// [`proxy_except`](Self::proxy_except). Default: the same.
    pub fn websocket_proxy(mut self, url: impl Into<String>, except: impl Into<String>) -> Self {
        let url = url.into();
        if let Err(problem) = check_proxy(&url) {
            self.reject(problem);
        }
        self.options.http.websocket_proxy = Some(Proxy::At { url, except: except.into() });
        self.options.agent = Some(Arc::default());
        self
    }

    /// Connects WebSockets directly, whatever is the way of requests.
    pub fn no_websocket_proxy(mut self) -> Self {
        self.options.http.websocket_proxy = Some(Proxy::None);
        self.options.agent = Some(Arc::default());
        self
    }

    /// Keeps cookies in this jar. Default: in one of the client's own.
    pub fn cookie_jar(mut self, jar: CookieJar) -> Self {
        self.options.cookie_jar = Some(jar);
        self
    }

    /// Lets somebody else send the requests of polling sessions. Default: the client does.
    pub fn requester(mut self, requester: Arc<dyn Requester>) -> Self {
        self.options.requester = Some(requester);
        self
    }

    /// Time for the server to answer a handshake or to take a POST. Default: 5 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.options.conduct.request_timeout = timeout;
        self
    }

    /// Time for the server to open a WebSocket. Default: [`request_timeout`](Self::request_timeout).
    pub fn websocket_timeout(mut self, timeout: Duration) -> Self {
        self.options.websocket_timeout = Some(timeout);
        self
    }

    /// Times that an answer may send the client elsewhere before it gives up; with 0, it never goes. It
    /// does not leave TLS, and tells the next server no secrets that were meant for the first. The whole
    /// session stays where its first request was sent to. Default: 10.
    pub fn max_redirects(mut self, redirects: u32) -> Self {
        self.options.max_redirects = redirects;
        self
    }

    /// Time for a disconnect to send what waits and to tell the server. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.options.conduct.close_timeout = timeout;
        self
    }

    /// Time that the server has to take what is sent over a WebSocket, in steps of 16 KiB, before it is
    /// given up. Default: 30 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.options.conduct.stall_timeout = timeout;
        self
    }

    /// Whether requests carry a parameter that is never the same, so that no cache answers them.
    /// Default: yes.
    pub fn timestamp_requests(mut self, timestamp: bool) -> Self {
        self.options.timestamp_requests = timestamp;
        self
    }

    /// What that parameter is called. Default: `t`.
    pub fn timestamp_parameter(mut self, name: impl Into<String>) -> Self {
        self.options.timestamp_parameter = Cow::Owned(name.into());
        self
    }

    /// Connects from this address of the machine, to servers and proxies that have one of its kind.
    /// `0.0.0.0` and `::` only choose between IPv4 and IPv6. Default: as the system likes.
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.options.http.local = Some(address);
        self.options.agent = Some(Arc::default());
        self
    }

    /// Calls a function with the socket of each WebSocket before it connects, to the server or a proxy, so
    /// that it sets options of the system's. Its error is one of the connection. It must not block.
    /// Default: none.
    pub fn websocket_socket(
        mut self,
        prepare: impl Fn(&TcpSocket) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.options.http.preparation = Some(Preparation(Arc::new(prepare)));
        self.options.agent = Some(Arc::default());
        self
    }

    /// What may wait to be sent, in messages and in bytes; more is an error or a wait. Default:
    /// 100 000 messages, 64 MiB.
    pub fn send_limits(mut self, messages: usize, bytes: usize) -> Self {
        self.options.send_limits = Limits { messages, bytes };
        self
    }

    /// Bytes that may wait to be received before the client stops reading. While it does not read, it
    /// cannot hear the server's pings either. Default: 64 MiB.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.options.receive_bytes = bytes;
        self
    }

    /// Bytes of a message, or of a polling answer, that are accepted from the server. Default: 64 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.options.max_message = bytes;
        self
    }

    /// Connects again after a connection was lost. It is not tried after a disconnect that either side
    /// has asked for. Messages that wait are sent in the next session; those whose fate is unknown are
    /// counted in [`Disconnected::unsent`](super::super::Disconnected::unsent) and not sent again.
    /// Default: off.
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.options.conduct.reconnect = Some(backoff);
        self
    }

    /// Whether the first attempt to connect is repeated too, where [`reconnect`](Self::reconnect) is
    /// on. Default: no.
    pub fn retry_first(mut self, retry: bool) -> Self {
        self.options.conduct.retry_first = retry;
        self
    }

    /// Asks for compressed WebSocket messages. [`max_message`](Self::max_message) counts what messages
    /// inflate to. Needs the feature `deflate`. Default: off.
    #[cfg(feature = "deflate")]
    pub fn per_message_deflate(mut self, options: PerMessageDeflate) -> Self {
        self.options.per_message_deflate = Some(options);
        self
    }

    /// The options, if all can be used.
    pub(super) fn check(self) -> Result<Options, ConnectError> {
        #[cfg(feature = "tls")]
        let this = self.with_tls();
        #[cfg(not(feature = "tls"))]
        let this = self;
        match this.problem {
            None => Ok(this.options),
            Some(problem) => Err(ConnectError::new(ConnectErrorKind::InvalidOption, problem)),
        }
    }

    /// The same, with what the single options for TLS say.
    #[cfg(feature = "tls")]
    fn with_tls(mut self) -> Self {
        if self.tls != ClientTlsBuilder::default() {
            match std::mem::take(&mut self.tls).build() {
                Ok(_) if self.options.http.tls.is_some() => {
                    self.reject("tls() and another option for TLS".to_owned());
                }
                Ok(tls) => self.options.http.tls = Some(tls),
                Err(error) => self.reject(format!("TLS: {error}")),
            }
        }
        self
    }

    fn reject(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// What the requests of one transport carry besides.
    fn extra(&mut self, transport: Transport) -> &mut Extra {
        let extras = &mut self.options.extras;
        let position = extras.iter().position(|extra| extra.transport == transport);
        let position = position.unwrap_or_else(|| {
            extras.push(Extra { transport, headers: HeaderMap::new(), query: vec![] });
            extras.len() - 1
        });
        &mut extras[position]
    }

    fn read_header<N, V>(&mut self, name: N, value: V) -> Option<(HeaderName, HeaderValue)>
    where
        N: TryInto<HeaderName, Error: Display>,
        V: TryInto<HeaderValue, Error: Display>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(_)) if is_reserved(&name) => self.reject(reserved(&name)),
            (Ok(name), Ok(value)) => return Some((name, value)),
            (Err(error), _) => self.reject(format!("header name: {error}")),
            (Ok(_), Err(error)) => self.reject(format!("header value: {error}")),
        }
        None
    }
}

/// Whether a header is the protocol's own: with another value, requests would say what they are not.
fn is_reserved(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::SEC_WEBSOCKET_ACCEPT,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::SEC_WEBSOCKET_VERSION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ]
    .contains(name)
}

fn reserved(name: &HeaderName) -> String {
    format!("header {name:?} is the protocol's own")
}

fn check_proxy(url: &str) -> Result<(), String> {
    const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
    // A proxy without a scheme is an HTTP proxy, as in the environment.
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let parsed = full.parse::<Uri>().map_err(|error| format!("the proxy is no URL: {error}"))?;
    match parsed.scheme_str() {
        Some(scheme) if SCHEMES.contains(&scheme) => Ok(()),
        scheme => Err(format!(
            "proxy scheme {:?}, expected one of {}",
            scheme.unwrap_or_default(),
            SCHEMES.join(", ")
        )),
    }
}
