//! Every option of a server.

use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::{Message, SessionId, Transport, server};
use heartwire_proto::shared::Limits;
use heartwire_proto::websocket::PerMessageDeflate;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::cookie::Cookie;
use super::cors::Cors;
use super::head::RequestHead;
use super::hooks::{Hooks, Rejection};
use super::origin::OriginPolicy;
use super::proxies::TrustedProxies;

/// What [`Server::builder`](super::Server::builder) collects.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ServerBuilder {
    options: Options,
}

/// The options once the server is built.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) session: Arc<server::Config>,
    pub(super) send_limits: Limits,
    pub(super) receive_bytes: usize,
    pub(super) stall_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) path: String,
    pub(super) origin: OriginPolicy,
    pub(super) cors: Option<Cors>,
    pub(super) kept_headers: Vec<HeaderName>,
    pub(super) initial_message: Option<Message>,
    pub(super) per_message_deflate: Option<PerMessageDeflate>,
    pub(super) cookie: Option<Cookie>,
    pub(super) hooks: Hooks,
    pub(super) hook_timeout: Duration,
    /// What every answer says.
    pub(super) headers: HeaderMap,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_connections_per_address: Option<usize>,
    pub(super) max_newcomers: usize,
    pub(super) max_newcomers_per_address: usize,
    pub(super) header_timeout: Duration,
    /// Bytes from which on answers are compressed.
    #[cfg(feature = "http-compression")]
    pub(super) compression: Option<usize>,
}

impl Options {
    /// Whether requests to `path` are the server's. A path without a slash at its end may have one.
    pub(super) fn serves(&self, path: &str) -> bool {
        match path.strip_prefix(&*self.path) {
            Some(rest) => rest.is_empty() || rest == "/" && !self.path.ends_with('/'),
            None => false,
        }
    }
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        let options = Options {
            session: Arc::default(),
            send_limits: Limits { messages: 1024, bytes: 1 << 20 },
            receive_bytes: 1 << 20,
            stall_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            path: "/engine.io/".to_owned(),
            origin: OriginPolicy::SameOrigin,
            cors: None,
            kept_headers: vec![http::header::ORIGIN, http::header::USER_AGENT],
            initial_message: None,
            per_message_deflate: None,
            cookie: None,
            hooks: Hooks::default(),
            hook_timeout: Duration::from_secs(5),
            headers: HeaderMap::new(),
            proxies: None,
            max_connections: None,
            max_connections_per_address: None,
            max_newcomers: 10_000,
            max_newcomers_per_address: 1000,
            header_timeout: Duration::from_secs(10),
            #[cfg(feature = "http-compression")]
            compression: None,
        };
        Self { options }
    }

    /// Time between a pong, or the handshake, and the next ping. Default: 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.session().ping_interval = interval;
        self
    }

    /// Time that a client has to answer a ping. Default: 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.session().ping_timeout = timeout;
        self
    }

    /// Time that an upgrade may take; the session goes on over polling when it is over. Default: 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.session().upgrade_timeout = timeout;
        self
    }

    /// Bytes of a polling body or a WebSocket message that are accepted from a client; more ends its
    /// session. Clients are told. Default: 1 000 000.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.session().max_payload = bytes;
        self
    }

    /// Transports that clients may use. Default: polling and WebSocket.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.session().transports = transports.into_iter().collect();
        self
    }

    /// Whether a polling session may go on over a WebSocket. Default: yes.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.session().allow_upgrades = allow;
        self
    }

    /// The path that [`Server::listen`](super::Server::listen) and [`Server::layer`](super::Server::layer)
    /// answer. A path without a slash at its end is answered with one too. Where the server is mounted
    /// in a router, the router's path counts. Default: `/engine.io/`, as the Node server.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.options.path = path.into();
        self
    }

    /// What may wait to be sent to one client, in messages and in bytes; more is an error or a wait.
    /// Default: 1024 messages, 1 MiB.
    pub fn send_limits(mut self, messages: usize, bytes: usize) -> Self {
        self.options.send_limits = Limits { messages, bytes };
        self
    }

    /// Bytes that may wait to be received by [`Connection::recv`](super::Connection::recv) before the
    /// server stops reading from that client. Default: 1 MiB.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.options.receive_bytes = bytes;
        self
    }

    /// Time that a client has to take what is sent to it, in steps of 16 KiB, before it is given up as a
    /// slow peer. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.options.stall_timeout = timeout;
        self
    }

    /// Time that a message may take to arrive over a WebSocket, from its first byte to its last; more ends
    /// the session as a slow peer's. The time begins anew when the application receives again after it
    /// has not. Default: 30 s.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.session().message_timeout = timeout;
        self
    }

    /// Time that the body of a request may take to arrive. Default: 20 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.options.body_timeout = timeout;
        self
    }

    /// Which web pages may connect. It is checked on every request, WebSockets included; programs
    /// that are no browsers send no `Origin` and are not concerned. Default: pages from this server's
    /// own host, and those that [`cors`](Self::cors) allows.
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.options.origin = policy;
        self
    }

    /// Lets pages of other origins use the server, as browsers want to be told. Default: none.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.options.cors = Some(cors);
        self
    }

    /// Request headers that [`RequestFacts`](super::RequestFacts) keeps, apart from `Origin` and
    /// `User-Agent`. Each costs its length in memory for as long as the connection lives.
    pub fn keep_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.options.kept_headers.extend(names);
        self
    }

    /// A message that every client gets with its handshake. Default: none.
    pub fn initial_message(mut self, message: impl Into<Message>) -> Self {
        self.options.initial_message = Some(message.into());
        self
    }

    /// Sets a cookie with the session id in the answer to a polling handshake, for load balancers.
    /// Default: none, as the Node server.
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.options.cookie = Some(cookie);
        self
    }

    /// Decides who is let in: called for each request that opens a session, and for each that would
    /// upgrade one, after everything else was found right and before anything else happens. Until it
    /// has said yes there is no session, and a client that leaves takes its question with it. What it
    /// says no with, the client is told: status and message. If it panics, the client is told 500; if it
    /// takes longer than [`hook_timeout`](Self::hook_timeout), 503. It must not block the thread.
    /// Default: everybody.
    ///
    /// ```
    /// use heartwire::engineio::{Rejection, Server};
    ///
    /// let builder = Server::builder().allow_request(|request| async move {
    ///     match request.header("authorization") {
    ///         Some("Bearer let-me-in") => Ok(()),
    ///         _ => Err(Rejection::forbidden("who are you?")),
    ///     }
    /// });
    /// ```
    pub fn allow_request<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Arc<RequestHead>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Rejection>> + Send + 'static,
    {
        self.options.hooks.allow = Some(Hooks::allow(hook));
        self
    }

    /// Makes the ids of sessions. Whoever knows an id can speak for its client, so ids must be
    /// impossible to guess. One that is in use already, or an error, refuses the client (400), as the Node
    /// server does; a panic and the time limit are those of [`allow_request`](Self::allow_request).
    /// Default: 22 characters that carry 128 random bits.
    pub fn session_id<F, Fut, E>(mut self, hook: F) -> Self
    where
        F: Fn(Arc<RequestHead>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<SessionId, E>> + Send + 'static,
        E: Display,
    {
        self.options.hooks.session_id = Some(Hooks::session_id(hook));
        self
    }

    /// Time that [`allow_request`](Self::allow_request) and [`session_id`](Self::session_id) may each
    /// take. Default: 5 s.
    pub fn hook_timeout(mut self, timeout: Duration) -> Self {
        self.options.hook_timeout = timeout;
        self
    }

    /// Adds a header to every answer, refusals included.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.options.headers.append(name, value);
        self
    }

    /// Adds headers to every answer, refusals included. Called when the request has arrived; if it
    /// panics, nothing is added.
    pub fn headers<F>(mut self, hook: F) -> Self
    where
        F: Fn(&RequestHead, &mut HeaderMap) + Send + Sync + 'static,
    {
        self.options.hooks.headers = Some(Arc::new(hook));
        self
    }

    /// Adds headers to the answer that opens a session: the handshake over polling, or the 101 of a
    /// WebSocket. If it panics, nothing is added.
    pub fn initial_headers<F>(mut self, hook: F) -> Self
    where
        F: Fn(&RequestHead, &mut HeaderMap) + Send + Sync + 'static,
    {
        self.options.hooks.initial_headers = Some(Arc::new(hook));
        self
    }

    /// Believes what proxies from these networks say about clients: their address, the host they have
    /// asked for, and whether they speak TLS. Default: nobody is believed.
    pub fn trusted_proxies(mut self, proxies: impl Into<TrustedProxies>) -> Self {
        self.options.proxies = Some(proxies.into());
        self
    }

    /// Clients that may be connected; more are refused (503). Default: as many as the system gives.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = Some(connections);
        self
    }

    /// Clients that may be connected from one address, as far as it is known
    /// ([`RequestFacts::client_ip`](super::RequestFacts::client_ip)); of IPv6, the first 64 bits count.
    /// More are refused (429). Default: no limit.
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.options.max_connections_per_address = Some(connections);
        self
    }

    /// Connections of listeners that may be open without belonging to a session: those whose TLS
    /// handshake or first request is still to come, and those that ask for something else. More are
    /// closed at once. Default: 10 000.
    pub fn max_newcomers(mut self, connections: usize) -> Self {
        self.options.max_newcomers = connections;
        self
    }

    /// The same from one address; of IPv6, the first 64 bits count. Addresses of
    /// [trusted proxies](Self::trusted_proxies) have no limit of their own. Default: 1000.
    pub fn max_newcomers_per_address(mut self, connections: usize) -> Self {
        self.options.max_newcomers_per_address = connections;
        self
    }

    /// Time that a listener gives a client for the headers of a request, for a TLS handshake, and
    /// between two requests. Default: 10 s; Node gives 60 s for headers and 5 s between requests, nginx
    /// 60 s and 75 s.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.options.header_timeout = timeout;
        self
    }

    /// Compresses answers to GETs that have at least `threshold` bytes, for clients that accept gzip or
    /// deflate. It costs time, and tells whoever sees the length something about messages that mix
    /// secrets with a stranger's words. Default: no; the Node server compresses from 1024 bytes on.
    #[cfg(feature = "http-compression")]
    pub fn http_compression(mut self, threshold: usize) -> Self {
        self.options.compression = Some(threshold);
        self
    }

    /// Compresses WebSocket messages with clients that want it too. It costs much time for each message,
    /// and memory where contexts are taken over. [`max_payload`](Self::max_payload) counts what messages
    /// inflate to. Needs the feature `deflate`. Default: off.
    #[cfg(feature = "deflate")]
    pub fn per_message_deflate(mut self, options: PerMessageDeflate) -> Self {
        self.options.per_message_deflate = Some(options);
        self
    }

    /// The options, if they do not contradict each other.
    pub(super) fn check(mut self) -> Result<Options, InvalidConfig> {
        let session = Arc::unwrap_or_clone(self.options.session).normalised();
        let conflict = if session.transports.is_empty() {
            Some("no transports")
        } else if session.ping_interval.is_zero() || session.ping_timeout.is_zero() {
            Some("ping interval and timeout must not be zero")
        } else if session.max_payload == 0 {
            Some("max payload must not be zero")
        } else if !self.options.path.starts_with('/') {
            Some("path must start with /")
        } else {
            let cors = self.options.cors.as_ref().and_then(Cors::conflict);
            cors.or(self.options.cookie.as_ref().and_then(Cookie::conflict))
        };
        self.options.session = Arc::new(session);
        match conflict {
            None => Ok(self.options),
            Some(conflict) => Err(InvalidConfig(conflict)),
        }
    }

    fn session(&mut self) -> &mut server::Config {
        Arc::make_mut(&mut self.options.session)
    }
}

/// Options that contradict each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidConfig(&'static str);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidConfig {}
