//! Moments in the future: when something is late, and which of several comes first.

use std::time::{Duration, Instant};

/// The moment that comes `wait` after `moment`. A wait that is too long for the clock, as
/// [`Duration::MAX`] is, is as good as for ever.
pub fn after(moment: Instant, wait: Duration) -> Instant {
    moment.checked_add(wait).unwrap_or_else(|| moment + CENTURY)
}

/// The earliest of the moments that are set.
pub fn earliest<const N: usize>(deadlines: [Option<Instant>; N]) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some moment is needed, no matter which")]
    fn waits_may_be_endless() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(after(now, second), now + second);
        assert!(after(now, Duration::MAX) > now + 1_000_000_000 * second);
    }
}
