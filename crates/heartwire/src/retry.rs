//! Connecting again: how often it was tried, and how long to wait.

use std::time::{Duration, Instant};

use heartwire_proto::shared::Backoff;

/// How often connecting was tried since the connection was last good for anything. Without a backoff, nothing
/// is tried again.
#[derive(Default)]
pub(crate) struct Retry {
    attempt: u32,
    /// The wait before the attempt that has succeeded, and when that was.
    opened: Option<(Duration, Instant)>,
}

impl Retry {
    /// The number of the attempt that goes on, counted from 1; 0 is the very first.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Takes the news that a connection is open.
    pub(crate) fn opened(&mut self, now: Instant, backoff: Option<&Backoff>) {
        let waited = match self.attempt {
            0 => None,
            attempt => backoff.and_then(|backoff| backoff.delay(attempt, MEAN)),
        };
        self.opened = Some((waited.unwrap_or_default(), now));
    }

    /// The next attempt and the wait before it; `None` to give up. A connection that did not live as
    /// long as it was waited for does not count: who accepts everybody and serves nobody is not to be
    /// called twice a second.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        backoff: Option<&Backoff>,
        chance: f64,
    ) -> Option<(u32, Duration)> {
        if let Some((waited, at)) = self.opened.take()
            && now.saturating_duration_since(at) >= waited.max(SHORT_LIFE)
        {
            self.attempt = 0;
        }
        let attempt = self.attempt.saturating_add(1);
        let delay = backoff?.delay(attempt, chance)?;
        self.attempt = attempt;
        Some((attempt, delay))
    }
}

/// The chance that lengthens a wait as often as it shortens it.
const MEAN: f64 = 0.5;

/// A connection that lives longer than this was good for something.
const SHORT_LIFE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff::new().initial(SECOND).max(8 * SECOND)
    }

    #[test]
    fn waits_grow_while_nothing_connects() {
        let (mut retry, backoff, now) = (Retry::default(), backoff(), Instant::now());
        let waits: Vec<_> =
            (0..5).map(|_| retry.next(now, Some(&backoff), MEAN).unwrap().1).collect();
        assert_eq!(waits, [1, 2, 4, 8, 8].map(|factor| factor * SECOND));
    }

    #[test]
    fn connections_that_end_at_once_do_not_reset_the_waits() {
        let (mut retry, backoff, now) = (Retry::default(), backoff(), Instant::now());
        for expected in [1, 2, 4, 8] {
            retry.opened(now, Some(&backoff));
            assert_eq!(retry.next(now, Some(&backoff), MEAN).unwrap().1, expected * SECOND);
        }
    }

    #[test]
    fn a_connection_that_lived_resets_the_waits() {
        let (mut retry, backoff, now) = (Retry::default(), backoff(), Instant::now());
        for _ in 0..3 {
            retry.next(now, Some(&backoff), MEAN);
        }
        retry.opened(now, Some(&backoff));
        assert_eq!(retry.next(now + 4 * SECOND, Some(&backoff), MEAN), Some((1, SECOND)));
    }

    #[test]
    fn nothing_is_tried_again_without_a_backoff() {
        assert_eq!(Retry::default().next(Instant::now(), None, MEAN), None);
    }
}
