//! Wakes Python's threads that wait for the network.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Rung by the network, heard by threads that wait.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<u64>,
    heard: Condvar,
}

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often it has rung so far.
    pub(super) fn count(&self) -> u64 {
        *self.lock()
    }

    pub(super) fn ring(&self) {
        *self.lock() += 1;
        self.heard.notify_all();
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Waits until it has rung more than `count` times, and not beyond `deadline`, with Python's lock
    /// released. A signal that arrives is handled meanwhile: its exception is the error.
    pub(super) fn wait(
        &self,
        py: Python<'_>,
        count: u64,
        deadline: Option<Instant>,
    ) -> PyResult<()> {
        loop {
            let slice = match deadline {
                None => SLICE,
                Some(deadline) => deadline.saturating_duration_since(Instant::now()).min(SLICE),
            };
            let rung = py.detach(|| {
                let guard = self.lock();
                let waited = self.heard.wait_timeout_while(guard, slice, |rung| *rung <= count);
                let (rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
                *rung > count
            });
            py.check_signals()?;
            if rung || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// Signals are seen after this time at the latest.
const SLICE: Duration = Duration::from_millis(50);
