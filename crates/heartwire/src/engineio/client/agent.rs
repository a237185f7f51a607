//! What makes and keeps connections: proxies, TLS, and a pool of connections that rest.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::{self, Handle};
use tower_service::Service;

use super::dial::{DialError, Dialer, Line, Preparation, Purpose, Way};
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls::ClientTls;

/// Who is connected to, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct HttpOptions {
    pub(super) proxy: Proxy,
    /// Where connections come from.
    pub(super) local: Option<IpAddr>,
    /// Without it, servers that the system trusts are trusted.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<ClientTls>,
    /// What WebSockets go through instead.
    pub(super) websocket_proxy: Option<Proxy>,
    /// What the sockets of WebSockets go through before they connect.
    pub(super) preparation: Option<Preparation>,
    /// Which servers WebSockets trust instead.
    #[cfg(feature = "tls")]
    pub(super) websocket_tls: Option<ClientTls>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Proxy {
    /// What the environment names.
    #[default]
    Environment,
    None,
    /// This one, except for some servers.
    At {
        url: String,
        except: String,
    },
}

impl Proxy {
    fn matcher(&self) -> Option<Matcher> {
        match self {
            Self::Environment => Some(Matcher::from_system()),
            Self::None => None,
            Self::At { url, except } => {
                Some(Matcher::builder().all(url.clone()).no(except.clone()).build())
            }
        }
    }
}

impl HttpOptions {
    /// Whether nothing special is wanted.
    pub(super) fn is_default(&self) -> bool {
        #[cfg(feature = "tls")]
        let tls = self.tls.is_some() || self.websocket_tls.is_some();
        #[cfg(not(feature = "tls"))]
        let tls = false;
        let proxy = !matches!(self.proxy, Proxy::Environment) || self.websocket_proxy.is_some();
        !proxy && !tls && self.local.is_none() && self.preparation.is_none()
    }
}

/// What makes and keeps connections.
pub(super) struct Agent {
    pub(super) client: Client<Connector, Full<Bytes>>,
    pub(super) dialer: Dialer,
}

impl Agent {
    fn new(options: &HttpOptions) -> Self {
        #[cfg(feature = "tls")]
        let tls = options.tls.clone().unwrap_or_else(ClientTls::system);
        let dialer = Dialer::new(
            options.local,
            Way::new(
                options.proxy.matcher(),
                None,
                #[cfg(feature = "tls")]
                tls.clone(),
            ),
            Way::new(
                options.websocket_proxy.as_ref().unwrap_or(&options.proxy).matcher(),
                options.preparation.clone(),
                #[cfg(feature = "tls")]
                options.websocket_tls.clone().unwrap_or(tls),
            ),
        );
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_timer(TokioTimer::new())
            .build(Connector(dialer.clone()));
        Self { client, dialer }
    }
}

/// The agents of those who share their options, one a runtime: a connection lives on the runtime that it
/// was made on.
#[derive(Debug, Default)]
pub(super) struct SharedAgent(Mutex<Vec<Home>>);

/// An agent, and where it lives.
#[derive(Debug)]
struct Home {
    process: u32,
    runtime: runtime::Id,
    agent: Arc<Agent>,
}

impl SharedAgent {
    pub(super) fn get(&self, options: &HttpOptions) -> Arc<Agent> {
        // A connection of the parent process is not this one's either.
        let (process, runtime) = (std::process::id(), Handle::current().id());
        let mut homes = self.lock();
        if homes.iter().any(|home| home.process != process) {
            // What the parent left cannot be dropped: its locks may be held.
            std::mem::forget(std::mem::take(&mut *homes));
        }
        // The last used stands at the end.
        let home = match homes.iter().position(|home| home.runtime == runtime) {
            Some(index) => homes.remove(index),
            None => Home { process, runtime, agent: Arc::new(Agent::new(options)) },
        };
        let agent = home.agent.clone();
        if homes.len() == MAX_RUNTIMES {
            homes.remove(0);
        }
        homes.push(home);
        agent
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Home>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").finish_non_exhaustive()
    }
}

/// The agent of all clients of the process whose options are the default.
pub(super) static DEFAULT: SharedAgent = SharedAgent(Mutex::new(vec![]));

/// The dialer, for requests.
#[derive(Clone)]
pub(super) struct Connector(Dialer);

impl Service<Uri> for Connector {
    type Response = Pooled;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Pooled, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move {
            let Line { stream, forwards } = dialer.dial(&uri, Purpose::Requests).await?;
            Ok(Pooled { io: TokioIo::new(stream), forwards })
        })
    }
}

/// A connection in the pool.
pub(super) struct Pooled {
    io: TokioIo<Stream>,
    forwards: bool,
}

impl Connection for Pooled {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.forwards)
    }
}

impl Read for Pooled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Pooled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Runtimes whose agents are remembered: nobody tells when one has ended.
const MAX_RUNTIMES: usize = 16;

/// Below the time after which servers close idle connections (Node's: 5 s), so that a request does not
/// meet a connection that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn runtimes_that_take_turns_keep_their_agents() {
        let shared = SharedAgent::default();
        let runtimes = [(); MAX_RUNTIMES].map(|()| Builder::new_current_thread().build().unwrap());
        let visit = |runtime: &runtime::Runtime| {
            let _entered = runtime.enter();
            let before = shared.lock().iter().any(|home| home.runtime == runtime.handle().id());
            shared.get(&HttpOptions::default());
            before
        };
        assert!(!runtimes.iter().any(visit), "all are new");
        assert!(runtimes.iter().all(visit), "all are known");
        assert!(visit(&runtimes[0]));
        let another = Builder::new_current_thread().build().unwrap();
        assert!(!visit(&another));
        assert!(visit(&runtimes[0]), "it was used lately");
        assert!(!visit(&runtimes[1]), "it was used longest ago");
        assert_eq!(shared.lock().len(), MAX_RUNTIMES);
    }
}
