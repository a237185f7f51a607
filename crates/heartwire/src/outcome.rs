//! How a connection ended, for everybody who asks.

use std::future;
use std::task::{Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// How a connection ended, as soon as it has.
pub(crate) struct Outcome<D>(Mutex<Inner<D>>);

struct Inner<D> {
    /// Whether somebody is telling the user.
    begun: bool,
    state: State<D>,
}

enum State<D> {
    /// Who waits for the end.
    Open(Vec<Waker>),
    /// Behind a pointer: most connections have not ended.
    Ended(Box<D>),
}

impl<D: Clone> Outcome<D> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner { begun: false, state: State::Open(vec![]) }))
    }

    /// Whether the caller is the first to end the connection, and so the one who tells the user.
    pub(crate) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.lock().begun, true)
    }

    /// Records how the connection ended, and tells whoever waits for it.
    pub(crate) fn set(&self, ended: D) {
        let before = std::mem::replace(&mut self.lock().state, State::Ended(Box::new(ended)));
        if let State::Open(waiting) = before {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Waits for the end of the connection.
    pub(crate) async fn wait(&self) -> D {
        future::poll_fn(|cx| match &mut self.lock().state {
            State::Ended(ended) => Poll::Ready(D::clone(ended)),
            State::Open(waiting) => {
                if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Inner<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
