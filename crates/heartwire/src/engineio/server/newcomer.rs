//! A connection of a listener that is no session's yet, and the place that it takes among those.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::admission::Ticket;

/// A connection of a listener, for the requests that come over it. It is a newcomer until one of them
/// belongs to a session.
#[derive(Clone)]
pub(super) struct Newcomer(Arc<Mutex<Option<Ticket>>>);

impl Newcomer {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self(Arc::new(Mutex::new(Some(ticket))))
    }

    /// Makes its place free: a request belongs to a session.
    pub(super) fn settle(&self) {
        self.ticket().take();
    }

    fn ticket(&self) -> MutexGuard<'_, Option<Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
