//! The server that is loaded, and how connections to it are opened.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use heartwire::engineio::client::ConnectErrorKind as EngineIoErrorKind;
use heartwire::engineio::{self, ClientBuilder, Transport};
use heartwire::repod;
use heartwire::repod::client::ConnectErrorKind as RepodErrorKind;

use super::body::Body;
use super::client::{Client, Happening, Inbox, Refused};
use super::plan::Plan;
use crate::address::Address;
use crate::args::{Bench, Carrier};
use crate::exit::Exit;

/// The server that is loaded, and how connections to it are opened.
#[derive(Clone)]
pub(super) enum Target {
    EngineIo { builder: Box<ClientBuilder>, carrier: Carrier },
    Repod { host: String, port: u16, action: Arc<str> },
}

/// A connection that is open, and what comes over it.
pub(super) struct Opened {
    pub(super) client: Client,
    pub(super) inbox: Inbox,
}

/// Why a connection is not open.
#[derive(Debug)]
pub(super) struct Failure {
    /// In a few words that are always the same.
    pub(super) kind: &'static str,
    pub(super) words: String,
    exit: fn(String) -> Exit,
}

impl Failure {
    fn new(kind: &'static str, words: impl fmt::Display, exit: fn(String) -> Exit) -> Self {
        Self { kind, words: words.to_string(), exit }
    }

    /// How the program ends, if it can do nothing else.
    pub(super) fn into_exit(self) -> Exit {
        (self.exit)(self.words)
    }
}

impl Target {
    /// The server that the arguments name.
    pub(super) fn new(args: &Bench) -> Result<Self, Exit> {
        Ok(match Address::parse(&args.url)? {
            Address::EngineIo => {
                let builder = Box::new(args.access.client(&args.url)?);
                Self::EngineIo { builder, carrier: args.transport }
            }
            Address::Repod { host, port } => {
                Self::Repod { host, port, action: args.action.as_str().into() }
            }
        })
    }

    /// The name of the protocol.
    pub(super) fn protocol(&self) -> &'static str {
        match self {
            Self::EngineIo { .. } => "Engine.IO",
            Self::Repod { .. } => "repod",
        }
    }

    /// What carries the messages, where there is a choice.
    pub(super) fn carrier(&self) -> Option<Carrier> {
        match self {
            Self::EngineIo { carrier, .. } => Some(*carrier),
            Self::Repod { .. } => None,
        }
    }

    /// Files that a connection needs.
    pub(super) fn files_per_connection(&self) -> usize {
        match self.carrier() {
            // A request that waits for messages, and one that brings some.
            Some(Carrier::Polling) => 2,
            Some(Carrier::Websocket | Carrier::Upgrade) | None => 1,
        }
    }

    /// The same load for a server in this program, which has neither TLS nor proxies before it.
    pub(super) fn moved_to(&self, addr: SocketAddr) -> Self {
        match self {
            Self::EngineIo { carrier, .. } => {
                let builder = engineio::Client::builder(format!("http://{addr}")).no_proxy();
                Self::EngineIo { builder: Box::new(builder), carrier: *carrier }
            }
            Self::Repod { action, .. } => {
                let action = action.clone();
                Self::Repod { host: addr.ip().to_string(), port: addr.port(), action }
            }
        }
    }

    /// Opens a connection; if the server is to answer, one message has come back then.
    pub(super) async fn open(&self, plan: &Plan, body: &Body) -> Result<Opened, Failure> {
        let client = self.connect(plan).await?;
        let mut opened = Opened { inbox: client.inbox(), client };
        let late = |kind, what: &str| {
            let seconds = plan.patience.as_secs_f64();
            Failure::new(kind, format!("{what} (waited {seconds} s)"), Exit::Failed)
        };
        if self.carrier() == Some(Carrier::Upgrade) {
            let upgraded = tokio::time::timeout(plan.patience, opened.upgraded());
            let what = "the connection is not upgraded";
            upgraded.await.map_err(|_| late("not upgraded", what))??;
        }
        if plan.replies {
            let answered = tokio::time::timeout(plan.patience, opened.probe(body));
            let what = "the server does not send messages back; without --no-reply it has to";
            answered.await.map_err(|_| late("no answer", what))??;
        }
        Ok(opened)
    }

    async fn connect(&self, plan: &Plan) -> Result<Client, Failure> {
        match self {
            Self::EngineIo { builder, carrier } => {
                let transports: &[Transport] = match carrier {
                    Carrier::Polling => &[Transport::Polling],
                    Carrier::Websocket => &[Transport::WebSocket],
                    Carrier::Upgrade => &[Transport::Polling, Transport::WebSocket],
                };
                // An answer to a poll brings all that waits, as text where it is bytes.
                let answer = plan.depth.saturating_mul(2 * plan.size);
                let client = ClientBuilder::clone(builder)
                    .transports(transports.iter().copied())
                    .fallback(false)
                    .request_timeout(plan.patience)
                    .close_timeout(plan.patience)
                    .send_limits(plan.depth, usize::MAX)
                    .max_message(answer.max(LEAST_LIMIT))
                    .connect();
                let failed = |error: engineio::client::ConnectError| {
                    Failure::new(engineio_kind(error.kind()), error, Exit::NotConnected)
                };
                client.await.map(Client::EngineIo).map_err(failed)
            }
            Self::Repod { host, port, action } => {
                let client = repod::Client::builder(host, *port)
                    .connect_timeout(plan.patience)
                    .linger(plan.patience)
                    .send_limits(plan.depth, usize::MAX)
                    .max_frame(LEAST_LIMIT.max(2 * plan.size))
                    .connect();
                let failed = |error: repod::client::ConnectError| {
                    Failure::new(repod_kind(error.kind()), error, Exit::NotConnected)
                };
                let client = client.await.map_err(failed)?;
                Ok(Client::Repod { client, action: action.clone() })
            }
        }
    }
}

impl Opened {
    /// Waits until the connection has gone on to a WebSocket.
    async fn upgraded(&mut self) -> Result<(), Failure> {
        if let Client::EngineIo(client) = &self.client
            && let Some(handshake) = client.handshake()
            && handshake.upgrades.is_empty()
            && client.transport() == Some(Transport::Polling)
        {
            let words = "the server offers no upgrade to a WebSocket";
            return Err(Failure::new("not upgraded", words, Exit::Failed));
        }
        self.until(|happening| match happening {
            Happening::Upgraded => Some(Ok(())),
            Happening::NotUpgraded(why) => {
                let words = format!("the connection is not upgraded: {why}");
                Some(Err(Failure::new("not upgraded", words, Exit::Failed)))
            }
            _ => None,
        })
        .await
    }

    /// Sends a message and waits until it comes back. What comes before it is a greeting.
    async fn probe(&mut self, body: &Body) -> Result<(), Failure> {
        let message = body.write(0);
        self.client.try_send(message, body.is_binary()).or_else(|refused| match refused {
            // Nothing else was sent.
            Refused::Full(_) | Refused::Closed => Ok(()),
            Refused::Never(why) => Err(Failure::new("not sent", why, Exit::Failed)),
        })?;
        self.until(|happening| match happening {
            Happening::Message(message) => body.read(message).is_ok().then_some(Ok(())),
            _ => None,
        })
        .await
    }

    /// Waits for what `test` finds among that which happens.
    async fn until(
        &mut self,
        mut test: impl FnMut(Happening<'_>) -> Option<Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let mut found = None;
        while self.inbox.fill().await {
            self.inbox.drain(|happening| {
                let lost = match &happening {
                    Happening::Ended(end) => {
                        let words = format!("connection lost before it was used: {}", end.words);
                        Some(Err(Failure::new("lost", words, Exit::Lost)))
                    }
                    _ => None,
                };
                let this = test(happening).or(lost);
                found = found.take().or(this);
            });
            if let Some(found) = found.take() {
                return found;
            }
        }
        Err(Failure::new("lost", "connection lost before it was used", Exit::Lost))
    }
}

fn engineio_kind(kind: &EngineIoErrorKind) -> &'static str {
    match kind {
        EngineIoErrorKind::Broken => "broken",
        EngineIoErrorKind::UnknownHost => "unknown host",
        EngineIoErrorKind::Unreachable => "unreachable",
        EngineIoErrorKind::Tls => "tls",
        EngineIoErrorKind::Proxy => "proxy",
        EngineIoErrorKind::Refused { .. } => "refused",
        EngineIoErrorKind::Timeout => "timeout",
        EngineIoErrorKind::Protocol => "protocol",
        _ => "other",
    }
}

fn repod_kind(kind: RepodErrorKind) -> &'static str {
    match kind {
        RepodErrorKind::Timeout => "timeout",
        RepodErrorKind::Tls => "tls",
        RepodErrorKind::Unreachable => "unreachable",
        _ => "other",
    }
}

/// Bytes of a message, or of an answer to a poll, that are accepted in any case.
const LEAST_LIMIT: usize = 64 << 20;
