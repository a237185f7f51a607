//! What the handles, the service and the tasks of a server share.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use heartwire_proto::engineio::{DisconnectReason, Refusal, Transport};
use http::request::Parts;

use super::super::disconnected::Disconnected;
use super::super::outgoing::Outgoing;
use super::application::Application;
use super::config::Options;
use super::connection::{Connection, Shared};
use super::facts::{OverTls, RemoteAddr};
use super::home::End;
use super::newcomer::Newcomer;
use super::proxies::Origination;
use super::round::Rounds;
use super::sessions::Sessions;
use super::stats::{Counters, Stats};
use crate::admission::{Admission, Full, Ticket};
use crate::callback::UserFuture;
use crate::lifecycle::Lifecycle;

/// What the handles, the service and the tasks of a server share.
pub(super) struct Engine {
    pub(super) options: Options,
    pub(super) sessions: Sessions,
    application: OnceLock<Application>,
    admission: Option<Arc<Admission>>,
    newcomers: Arc<Admission>,
    pub(super) counters: Counters,
    pub(super) rounds: Arc<Rounds>,
    pub(super) lifecycle: Lifecycle,
}

impl Engine {
    pub(super) fn new(options: Options) -> Self {
        let limits = (options.max_connections, options.max_connections_per_address);
        let limited = limits.0.is_some() || limits.1.is_some();
        let newcomers = (Some(options.max_newcomers), Some(options.max_newcomers_per_address));
        Self {
            options,
            newcomers: Admission::new(newcomers.0, newcomers.1),
            sessions: Sessions::new(),
            admission: limited.then(|| Admission::new(limits.0, limits.1)),
            counters: Counters::new(),
            rounds: Arc::default(),
            application: OnceLock::new(),
            lifecycle: Lifecycle::new(),
        }
    }

    /// Bytes of a message that are accepted from a client.
    pub(super) fn max_payload(&self) -> usize {
        self.options.session.max_payload
    }

    /// Sets what the user does with connections.
    ///
    /// # Panics
    ///
    /// If it is set already.
    pub(super) fn set_application(&self, application: Application) {
        let set = self.application.set(application);
        assert!(set.is_ok(), "the server has a handler already");
    }

    /// What the user does with connections.
    pub(super) fn application(&self) -> &Application {
        self.application.get().expect("no session is opened before it is set")
    }

    /// What is known of the way of a request.
    pub(super) fn origination<'a>(&self, parts: &'a Parts) -> Origination<'a> {
        let peer = parts.extensions.get::<RemoteAddr>().map(|addr| addr.0);
        let mut known = match &self.options.proxies {
            Some(proxies) => proxies.origination(peer, &parts.headers),
            None => Origination { client: peer.map(|peer| peer.ip()), ..Origination::default() },
        };
        known.https |= parts.extensions.get::<OverTls>().is_some();
        known
    }

    /// Lets a client in, as far as the limits go. Without limits there is no ticket.
    pub(super) fn admit(&self, client: Option<IpAddr>) -> Result<Option<Box<Ticket>>, Refusal> {
        if self.lifecycle.is_draining() || self.application.get().is_none() {
            return Err(Refusal::ServiceUnavailable);
        }
        let Some(admission) = &self.admission else { return Ok(None) };
        match admission.admit(client) {
            Ok(ticket) => Ok(Some(Box::new(ticket))),
            Err(Full::Server) => Err(Refusal::ServiceUnavailable),
            Err(Full::Address) => Err(Refusal::TooManyConnections),
        }
    }

    /// Lets a listener's connection in, as far as the limits go.
    pub(super) fn welcome(&self, addr: SocketAddr, tls: bool) -> Result<Newcomer, Full> {
        let peer = addr.ip();
        let trusted = self.options.proxies.as_ref().is_some_and(|proxies| proxies.trusts(peer));
        self.newcomers
            .admit((!trusted).then_some(peer))
            .map(|ticket| Newcomer::new(ticket, addr, tls))
    }

    /// Tells the user of a session whose id was reserved. The user's future, if it is one, is returned
    /// for the connection's task to drive.
    pub(super) fn announce(&self, connection: &Connection) -> Option<UserFuture> {
        let shared = &connection.shared;
        self.sessions.announce(shared);
        self.counters.connected();
        tracing::debug!(
            session = shared.id.prefix(),
            transport = %shared.transport(),
            client = shared.request.client_ip().map(tracing::field::display),
            "connected"
        );
        let user = self.application().connect(connection);
        // Who stops the server has closed every connection that it saw.
        if self.lifecycle.is_draining() {
            connection.close();
        }
        user
    }

    /// Takes the news that the task of a connection has ended. If it ended before its session, as when
    /// the runtime stops, the session ends with it.
    pub(super) fn task_ended(&self, shared: &Arc<Shared>) {
        if shared.is_announced() {
            self.finish(shared, DisconnectReason::TransportError, None, 0);
        } else {
            self.sessions.remove(shared);
        }
        self.lifecycle.task_ended();
    }

    /// Takes the news that a WebSocket has not taken over a session.
    pub(super) fn upgrade_abandoned(&self, shared: &Shared) {
        self.counters.upgrade_abandoned();
        tracing::debug!(session = shared.id.prefix(), "upgrade abandoned");
    }

    /// Everything that was counted.
    pub(super) fn stats(&self) -> Stats {
        let [polling, websocket] =
            [Transport::Polling, Transport::WebSocket].map(|each| self.sessions.len_on(each));
        self.counters.stats(polling, websocket)
    }

    /// Tells the user how a polling session has ended, if it has.
    pub(super) fn finish_polling(&self, shared: &Arc<Shared>, end: Option<End>) {
        let Some(End { reason, detail, undelivered }) = end else { return };
        self.finish(shared, reason, detail, undelivered);
        let owner = shared.mailbox.lock().take_owner();
        owner.into_iter().for_each(Waker::wake);
    }

    /// Tells the user how a session has ended, once. `unsent` messages left the queue without
    /// arriving.
    pub(super) fn finish(
        &self,
        shared: &Arc<Shared>,
        reason: DisconnectReason,
        detail: Option<Cow<'static, str>>,
        unsent: usize,
    ) {
        if !shared.outcome.begin() {
            return;
        }
        self.sessions.remove(shared);
        let left: Vec<Outgoing> = shared.mailbox.close_and_drain();
        let undelivered = shared.home().undelivered();
        let disconnected = Disconnected {
            reason,
            detail,
            status: None,
            unsent: unsent + left.len() + undelivered,
            transport: shared.transport(),
        };
        self.counters.disconnected(reason, disconnected.unsent);
        tracing::debug!(
            session = shared.id.prefix(),
            %reason,
            detail = disconnected.detail.as_deref(),
            unsent = disconnected.unsent,
            "disconnected"
        );
        let connection = Connection { shared: shared.clone() };
        self.application().disconnect(&connection, &disconnected);
        shared.set_disconnected(disconnected);
    }
}
