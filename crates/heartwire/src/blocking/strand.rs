//! Runs handlers one after the other, on a thread that is there while there is something to handle.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use crate::background;

/// Something that brings events and handles them.
pub(super) trait Source: Send {
    /// Handles the next event. Ready with false when there will be no more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}

/// Handles the events of sources, one source after the other, one event after the other.
pub(super) struct Strand(Mutex<Inner>);

struct Inner {
    /// The first one is being handled; it is absent while it is.
    sources: VecDeque<Box<dyn Source>>,
    activity: Activity,
}

enum Activity {
    /// Nobody handles; a wake starts a thread.
    Resting,
    /// A thread handles, or is about to.
    Busy { woken: bool, on: Option<ThreadId> },
}

impl Strand {
    pub(super) fn new() -> Arc<Self> {
        // Mostly there is one.
        let inner = Inner { sources: VecDeque::with_capacity(1), activity: Activity::Resting };
        Arc::new(Self(Mutex::new(inner)))
    }

    /// Adds a source, behind those that have not ended.
    pub(super) fn add(self: &Arc<Self>, source: Box<dyn Source>) {
        self.lock().sources.push_back(source);
        self.wake_by_ref();
    }

    /// Whether the calling thread handles an event of this strand.
    pub(super) fn is_current(&self) -> bool {
        match self.lock().activity {
            Activity::Busy { on, .. } => on == Some(thread::current().id()),
            Activity::Resting => false,
        }
    }

    /// Handles events until there are none.
    fn run(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        let mut current = None;
        loop {
            {
                let mut inner = self.lock();
                let next = current.take().or_else(|| inner.sources.pop_front());
                let on = Some(thread::current().id());
                inner.activity = Activity::Busy { woken: false, on };
                match next {
                    Some(source) => current = Some(source),
                    None => {
                        inner.activity = Activity::Resting;
                        return;
                    }
                }
            }
            let source = current.as_mut().expect("it was just put there");
            loop {
                match source.poll(&mut cx) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => {
                        current = None;
                        break;
                    }
                    Poll::Pending => {
                        let mut inner = self.lock();
                        if let Activity::Busy { woken: true, .. } = inner.activity {
                            break;
                        }
                        inner.activity = Activity::Resting;
                        if let Some(source) = current.take() {
                            inner.sources.push_front(source);
                        }
                        return;
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Strand {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut inner = self.lock();
        match &mut inner.activity {
            Activity::Busy { woken, .. } => *woken = true,
            Activity::Resting => {
                inner.activity = Activity::Busy { woken: true, on: None };
                drop(inner);
                let strand = self.clone();
                match background::handle() {
                    Ok(runtime) => drop(runtime.spawn_blocking(move || strand.run())),
                    // It was started for the connection that brings the events.
                    Err(error) => tracing::error!(%error, "the background thread is gone"),
                }
            }
        }
    }
}
