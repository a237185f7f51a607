//! Goes between the network's thread and Python's, so that each is woken once for many messages.
//!
//! A wake-up from one thread to the other is a system call, and may cost whoever makes it the processor. So
//! Python is told of what has arrived when everything that was ready has been read; and while its handlers
//! run, the tasks that have to send for them are written down, and woken together when the handlers have
//! returned. A handler may take its time: what was sent before is not kept for longer than [`PATIENCE`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

/// What a task of the network's thread has to do, and its bell.
#[derive(Default)]
pub(super) struct Courier {
    inner: Mutex<Inner>,
    bell: Notify,
}

#[derive(Default)]
struct Inner {
    /// Whether Python is to be told of news.
    has_news: bool,
    /// How many want wakers gathered.
    gathering: usize,
    sleepers: Vec<Waker>,
    /// Whether the task looks again after [`PATIENCE`] without being called.
    looks_again: bool,
    ended: bool,
}

impl Courier {
    /// Has Python told, when what is ready has been read. To be called on the network's thread, where it
    /// costs no system call.
    pub(super) fn bring_news(&self) {
        self.lock().has_news = true;
        self.bell.notify_one();
    }

    /// Handlers run from now on, or many messages are sent at once.
    pub(super) fn gather(&self) {
        self.lock().gathering += 1;
    }

    /// Ends what [`gather`](Self::gather) has begun: everybody is woken.
    pub(super) fn release(&self) {
        let mut inner = self.lock();
        inner.gathering = inner.gathering.saturating_sub(1);
        if inner.gathering == 0 && !inner.sleepers.is_empty() {
            drop(inner);
            self.bell.notify_one();
        }
    }

    /// Wakes a task: at once, or with the others.
    pub(super) fn wake(&self, sleeper: Waker) {
        let mut inner = self.lock();
        if inner.gathering == 0 || inner.ended {
            drop(inner);
            sleeper.wake();
            return;
        }
        inner.sleepers.push(sleeper);
        if !inner.looks_again {
            inner.looks_again = true;
            drop(inner);
            self.bell.notify_one();
        }
    }

    /// Lets the task end.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.bell.notify_one();
    }

    /// What the task does. `tell` tells Python that there are news.
    pub(super) async fn run(self: Arc<Self>, tell: impl Fn()) {
        let mut sleepers = vec![];
        let mut looks_again = false;
        loop {
            if looks_again {
                let _ = tokio::time::timeout(PATIENCE, self.bell.notified()).await;
            } else {
                self.bell.notified().await;
            }
            let mut inner = self.lock();
            let ended = inner.ended;
            let has_news = std::mem::take(&mut inner.has_news);
            std::mem::swap(&mut inner.sleepers, &mut sleepers);
            // Handlers run soon, or may go on to send. What never ends is no reason to look for ever.
            looks_again = has_news || !sleepers.is_empty();
            inner.looks_again = looks_again;
            drop(inner);
            if has_news {
                tell();
            }
            sleepers.drain(..).for_each(Waker::wake);
            if ended {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how long a message waits for the handlers that run.
const PATIENCE: Duration = Duration::from_millis(1);
