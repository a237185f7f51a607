//! How far a server's end has come, and which tasks keep it from it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// How far a server's end has come, and which tasks keep it from it.
pub(crate) struct Lifecycle {
    phase: AtomicU8,
    tasks: AtomicUsize,
    /// Notified when a task ends while the server closes.
    task_ended: Notify,
    /// Notified when the server stops.
    stopped: Arc<Notify>,
}

enum Phase {
    Running,
    /// Nobody new gets in.
    Draining,
    /// Nothing goes on.
    Stopped,
}

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Running as u8),
            tasks: AtomicUsize::new(0),
            task_ended: Notify::new(),
            stopped: Arc::default(),
        }
    }

    /// Lets nobody new in from now on.
    pub(crate) fn drain(&self) {
        self.phase.fetch_max(Phase::Draining as u8, Ordering::SeqCst);
    }

    /// Ends everything: listeners, and whatever waits for peers to go.
    pub(crate) fn stop(&self) {
        self.phase.fetch_max(Phase::Stopped as u8, Ordering::SeqCst);
        self.stopped.notify_waiters();
    }

    /// Whether nobody new is let in.
    pub(crate) fn is_draining(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= Phase::Draining as u8
    }

    /// Whether nothing goes on any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= Phase::Stopped as u8
    }

    pub(crate) fn task_started(&self) {
        self.tasks.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn task_ended(&self) {
        self.tasks.fetch_sub(1, Ordering::SeqCst);
        if self.is_draining() {
            self.task_ended.notify_waiters();
        }
    }

    /// Waits until no task runs, once nobody new is let in.
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.task_ended.notified();
            let mut ended = pin!(ended);
            ended.as_mut().enable();
            if self.tasks.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&self) {
        let stopped = self.stopped.notified();
        let mut stopped = pin!(stopped);
        stopped.as_mut().enable();
        if !self.is_stopped() {
            stopped.await;
        }
    }

    /// What wakes a task that has polled it once when the server stops.
    pub(crate) fn stop_signal(&self) -> OwnedNotified {
        self.stopped.clone().notified_owned()
    }
}
