//! A connection of a listener that is no session's yet, and the place that it takes among those.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admission::Ticket;

/// A connection of a listener, for the requests that come over it. It is a newcomer until one of them
/// belongs to a session.
#[derive(Clone)]
pub(super) struct Newcomer(Arc<Inner>);

struct Inner {
    ticket: Mutex<Option<Ticket>>,
    addr: SocketAddr,
    tls: bool,
}

impl Newcomer {
    pub(super) fn new(ticket: Ticket, addr: SocketAddr, tls: bool) -> Self {
        Self(Arc::new(Inner { ticket: Mutex::new(Some(ticket)), addr, tls }))
    }

    /// Who has connected.
    pub(super) fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    pub(super) fn is_over_tls(&self) -> bool {
        self.0.tls
    }

    /// Makes its place free: a request belongs to a session.
    pub(super) fn settle(&self) {
        self.ticket().take();
    }

    fn ticket(&self) -> MutexGuard<'_, Option<Ticket>> {
        self.0.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
