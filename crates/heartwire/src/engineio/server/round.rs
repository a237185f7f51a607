//! Rounds of a runtime with one thread: in each, everything that was ready when it began has its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Counts rounds, while somebody asks for them.
pub(super) struct Rounds {
    /// Of the current round.
    number: AtomicU32,
    /// Whether a task waits for its end.
    counted: AtomicBool,
}

/// A task behind all that are ready: with its turn, or without one where the runtime stops, the round ends.
struct Last(Arc<Rounds>);

impl Rounds {
    /// The number of the round that ends when everything that is ready has had its turn. `None` on runtimes
    /// with several threads, and without one.
    pub(super) fn current(self: &Arc<Self>) -> Option<u32> {
        let runtime = Handle::try_current().ok()?;
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        let number = self.number.load(Ordering::Relaxed);
        if !self.counted.swap(true, Ordering::Relaxed) {
            let last = Last(self.clone());
            runtime.spawn(async move { drop(last) });
        }
        Some(number)
    }
}

impl Default for Rounds {
    fn default() -> Self {
        Self { number: AtomicU32::new(1), counted: AtomicBool::new(false) }
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        self.0.number.fetch_add(1, Ordering::Relaxed);
        self.0.counted.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::yield_now;

    use super::*;

    #[test]
    fn a_round_ends_when_what_was_ready_has_had_its_turn() {
        let rounds = Arc::new(Rounds::default());
        Builder::new_current_thread().build().unwrap().block_on(async {
            let first = rounds.current().expect("there is one thread");
            let other = tokio::spawn({
                let rounds = rounds.clone();
                async move { rounds.current() }
            });
            assert_eq!(rounds.current(), Some(first));
            while rounds.current() == Some(first) {
                yield_now().await;
            }
            // It became ready behind the end of the round.
            assert_ne!(other.await.unwrap(), Some(first));
        });
    }

    #[test]
    fn a_runtime_that_stops_ends_its_round() {
        let rounds = Arc::new(Rounds::default());
        let round =
            || Builder::new_current_thread().build().unwrap().block_on(async { rounds.current() });
        assert_ne!(round(), round());
    }

    #[test]
    fn several_threads_have_no_rounds() {
        let rounds = Arc::new(Rounds::default());
        assert_eq!(rounds.current(), None);
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert_eq!(runtime.block_on(async { rounds.current() }), None);
    }
}
