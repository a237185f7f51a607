//! How fast a peer has to take what is sent to it.
//!
//! A peer that takes nothing is given up when its time is over. One that takes a byte now and then is no
//! better: it holds what waits for it. So the time starts anew only when the peer has taken
//! [`STEP_BYTES`], or all that waited when the time started, if that is less. What waits is therefore
//! held for its length in steps, times the patience, at most: with the defaults, 1 MiB for eleven minutes.

use std::time::{Duration, Instant};

use heartwire_proto::shared::after;

/// How far a peer has come with taking what waits for it.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    since: Instant,
    /// Bytes that the peer has yet to take before the time starts anew.
    due: usize,
}

impl Progress {
    /// Starts the time of a peer that `waiting` bytes wait for.
    pub(crate) fn new(now: Instant, waiting: usize) -> Self {
        Self { since: now, due: waiting.min(STEP_BYTES) }
    }

    /// The peer has taken `count` bytes, and `waiting` are left.
    pub(crate) fn take(&mut self, now: Instant, count: usize, waiting: usize) {
        if count >= self.due {
            *self = Self::new(now, waiting);
        } else {
            self.due -= count;
        }
    }

    /// When a peer that may take `patience` for each step is too slow.
    pub(crate) fn stalled_at(&self, patience: Duration) -> Instant {
        after(self.since, patience)
    }
}

/// With a patience of 10 s, 13 kbit/s: slower than any network that people use for this.
const STEP_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn who_takes_little_is_given_up() {
        let start = Instant::now();
        let mut progress = Progress::new(start, 1 << 20);
        for second in 1..10 {
            progress.take(start + Duration::from_secs(second), 1000, 1 << 20);
        }
        assert_eq!(progress.stalled_at(PATIENCE), start + PATIENCE);
    }

    #[test]
    fn a_step_starts_the_time_anew() {
        let start = Instant::now();
        let mut progress = Progress::new(start, 1 << 20);
        progress.take(start + PATIENCE / 2, STEP_BYTES - 1, 1 << 20);
        assert_eq!(progress.stalled_at(PATIENCE), start + PATIENCE);
        let later = start + PATIENCE;
        progress.take(later, 1, 1 << 20);
        assert_eq!(progress.stalled_at(PATIENCE), later + PATIENCE);
    }

    #[test]
    fn what_waited_first_is_a_step_too() {
        let start = Instant::now();
        // A thousand bytes wait, and as many are added as are taken: nothing is late.
        let mut now = start;
        let mut progress = Progress::new(now, 1000);
        for _ in 0..100 {
            now += PATIENCE / 10;
            progress.take(now, 500, 1000);
        }
        assert!(progress.stalled_at(PATIENCE) > now);
    }
}
