//! What the handles, the listener and the tasks of a server share.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use heartwire_proto::repod::DisconnectReason;

use super::super::disconnected::Disconnected;
use super::super::traffic::Traffic;
use super::application::Application;
use super::channel::{Channel, ChannelId, Shared, Verdict};
use super::config::Options;
use crate::admission::Admission;
use crate::inbox::Inbox;
use crate::lifecycle::Lifecycle;
use crate::mailbox::Mailbox;
use crate::outcome::Outcome;

/// What the handles, the listener and the tasks of a server share.
pub(super) struct Engine {
    pub(super) options: Options,
    pub(super) lifecycle: Lifecycle,
    pub(super) admission: Arc<Admission>,
    application: OnceLock<Application>,
    channels: Mutex<HashMap<ChannelId, Channel>>,
    next_id: AtomicU64,
}

impl Engine {
    pub(super) fn new(options: Options) -> Self {
        Self {
            lifecycle: Lifecycle::new(),
            admission: Admission::new(options.max_connections, options.max_connections_per_address),
            application: OnceLock::new(),
            channels: Mutex::default(),
            next_id: AtomicU64::new(1),
            options,
        }
    }

    /// Sets what the user does with channels.
    ///
    /// # Panics
    ///
    /// If it is set already.
    pub(super) fn set_application(&self, application: Application) {
        let set = self.application.set(application);
        assert!(set.is_ok(), "the server has a handler already");
    }

    /// What the user does with channels.
    pub(super) fn application(&self) -> Option<&Application> {
        self.application.get()
    }

    /// Adds a channel for a client, and counts its task; or does neither, when the server stops.
    pub(super) fn open(&self, addr: SocketAddr, application: &Application) -> Option<Channel> {
        // Counted before the look: who stops the server waits for the task, or is seen here.
        self.lifecycle.task_started();
        if self.lifecycle.is_draining() {
            self.lifecycle.task_ended();
            return None;
        }
        let inbox =
            application.wants_inbox().then(|| Box::new(Inbox::new(self.options.receive_bytes)));
        let id = ChannelId(self.next_id.fetch_add(1, Ordering::Relaxed));
        let shared = Arc::new(Shared {
            id,
            addr,
            mailbox: Mailbox::new(self.options.send_limits),
            inbox,
            traffic: Traffic::default(),
            slow_peer: self.options.slow_peer,
            verdict: OnceLock::new(),
            outcome: Outcome::new(),
        });
        let channel = Channel { shared };
        self.channels().insert(id, channel.clone());
        // Who stops the server has closed every channel that it saw.
        if self.lifecycle.is_draining() {
            channel.close();
        }
        Some(channel)
    }

    /// Tells the user how a connection has ended, once. `unsent` messages left the queue without
    /// arriving.
    pub(super) fn finish(
        &self,
        channel: &Channel,
        reason: DisconnectReason,
        detail: Option<String>,
        unsent: usize,
    ) {
        let shared = &channel.shared;
        if !shared.outcome.begin() {
            return;
        }
        self.channels().remove(&shared.id);
        let unsent = unsent + shared.mailbox.close_and_drain().len();
        let (reason, detail) = match (reason, shared.verdict.get()) {
            (DisconnectReason::Closed, Some(Verdict { reason, detail })) => {
                (*reason, Some(detail.clone()))
            }
            _ => (reason, detail),
        };
        let disconnected = Disconnected { reason, detail: detail.map(Cow::Owned), unsent };
        tracing::debug!(
            channel = shared.id.0,
            addr = %shared.addr,
            %reason,
            detail = disconnected.detail.as_deref(),
            unsent,
            "disconnected"
        );
        if let Some(application) = self.application() {
            application.disconnect(channel, &disconnected);
        }
        shared.outcome.set(disconnected);
        if let Some(inbox) = &shared.inbox {
            inbox.close();
        }
    }

    /// Every channel, under its lock: do not open or close connections meanwhile.
    pub(super) fn channels(&self) -> MutexGuard<'_, HashMap<ChannelId, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
