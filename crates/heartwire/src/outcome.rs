//! How a connection ended, for everybody who asks.

use std::future;
use std::task::{Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// How a connection ended, as soon as it has.
pub(crate) struct Outcome<D>(Mutex<Inner<D>>);

struct Inner<D> {
    /// Whether somebody is telling the user.
    begun: bool,
    /// Behind a pointer: most connections have not ended.
    ended: Option<Box<D>>,
    waiting: Vec<Waker>,
}

impl<D: Clone> Outcome<D> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner { begun: false, ended: None, waiting: vec![] }))
    }

    /// Whether the caller is the first to end the connection, and so the one who tells the user.
    pub(crate) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().begun, true)
    }

    /// Records how the connection ended, and tells whoever waits for it.
    pub(crate) fn set(&self, ended: D) {
        let mut inner = self.lock();
        inner.ended = Some(Box::new(ended));
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for the end of the connection.
    pub(crate) async fn wait(&self) -> D {
        future::poll_fn(|cx| {
            let mut inner = self.lock();
            match &inner.ended {
                Some(ended) => Poll::Ready(D::clone(ended)),
                None => {
                    if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                        inner.waiting.push(cx.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Inner<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
