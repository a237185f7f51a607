//! The time since a load has begun, and when it ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::figure::nanoseconds;
use super::recorder::Window;

/// The time since a load has begun, and when it ends: all its threads have the same.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    from: Duration,
    /// Nanoseconds until nothing more is sent.
    until: AtomicU64,
    patience: Duration,
}

impl Clock {
    /// A load that begins now. It is measured from `from` until `until`; answers are waited for with
    /// `patience` then.
    pub(super) fn start(from: Duration, until: Duration, patience: Duration) -> Self {
        Self { start: Instant::now(), from, until: AtomicU64::new(nanoseconds(until)), patience }
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// From when on is measured.
    pub(super) fn from(&self) -> Duration {
        self.from
    }

    /// Until when messages are sent, and is measured.
    pub(super) fn until(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Relaxed))
    }

    /// Until when answers are waited for.
    pub(super) fn patience_ends(&self) -> Duration {
        self.until() + self.patience
    }

    /// Ends the load, if it has not ended.
    pub(super) fn stop(&self) {
        self.until.fetch_min(nanoseconds(self.now()), Ordering::Relaxed);
    }

    /// What was measured.
    pub(super) fn window(&self) -> Window {
        Window { from: self.from.min(self.until()), until: self.until() }
    }
}
