//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Waiting times that grow from attempt to attempt, with chance in them so that clients which lost the
/// same server do not come back all at once.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
    max_attempts: Option<u32>,
}

impl Backoff {
    /// Half a second at first, doubling up to thirty seconds, each time shorter or longer by up to a
    /// half, for ever.
    pub const fn new() -> Self {
        Self {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            factor: 2.0,
            jitter: 0.5,
            max_attempts: None,
        }
    }

    /// The time before the first attempt.
    pub const fn initial(mut self, delay: Duration) -> Self {
        self.initial = delay;
        self
    }

    /// The longest time, before chance is added.
    pub const fn max(mut self, delay: Duration) -> Self {
        self.max = delay;
        self
    }

    /// How much longer each time is than the one before. Values below 1 count as 1.
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// By which part of itself each time is shortened or lengthened at most, from 0 to 1.
    pub const fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// How often to try before giving up.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// The time to wait before attempt number `attempt`, counted from 1; `None` to give up, which only the
    /// number of attempts decides. `chance` is a random number from 0 to 1. What is no number counts as 1
    /// for a factor, 0 for jitter, and the middle for chance.
    pub fn delay(&self, attempt: u32, chance: f64) -> Option<Duration> {
        if self.max_attempts.is_some_and(|max| attempt > max) {
            return None;
        }
        let exponent = f64::from(attempt.saturating_sub(1).min(1000));
        let growth = self.factor.max(1.0).powf(exponent).min(f64::MAX);
        let bounded = (self.initial.as_secs_f64() * growth).min(self.max.as_secs_f64());
        let jitter = if self.jitter.is_nan() { 0.0 } else { self.jitter.clamp(0.0, 1.0) };
        let chance = if chance.is_nan() { 0.5 } else { chance.clamp(0.0, 1.0) };
        let delay = bounded * (1.0 + jitter * (2.0 * chance - 1.0));
        Some(Duration::try_from_secs_f64(delay).unwrap_or(Duration::MAX))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_maximum() {
        let backoff = Backoff::new().initial(Duration::from_secs(1)).max(Duration::from_secs(5));
        let delays: Vec<_> =
            (1..=5).map(|attempt| backoff.delay(attempt, 0.5).unwrap().as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 5, 5]);
        assert_eq!(backoff.delay(u32::MAX, 0.5), Some(Duration::from_secs(5)));
    }

    #[test]
    fn chance_moves_it_both_ways() {
        let backoff = Backoff::new().initial(Duration::from_secs(2)).jitter(0.5);
        assert_eq!(backoff.delay(1, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(backoff.delay(1, 1.0), Some(Duration::from_secs(3)));
    }

    #[test]
    fn gives_up() {
        let backoff = Backoff::new().max_attempts(2);
        assert!(backoff.delay(2, 0.5).is_some());
        assert_eq!(backoff.delay(3, 0.5), None);
    }

    #[test]
    fn strange_numbers_do_no_harm() {
        let second = Duration::from_secs(1);
        let backoff = Backoff::new().initial(second).max(4 * second);
        for attempt in [1, 2, u32::MAX] {
            for factor in [f64::NAN, f64::NEG_INFINITY, 0.0] {
                let constant = backoff.factor(factor);
                assert_eq!(constant.jitter(f64::NAN).delay(attempt, 0.0), Some(second));
                assert_eq!(constant.jitter(1.0).delay(attempt, f64::NAN), Some(second));
                assert_eq!(constant.jitter(f64::INFINITY).delay(attempt, 2.0), Some(2 * second));
                assert_eq!(
                    constant.jitter(f64::INFINITY).delay(attempt, -1.0),
                    Some(Duration::ZERO)
                );
            }
        }
        let steep = backoff.factor(f64::INFINITY).jitter(-1.0);
        assert_eq!(steep.delay(1, 0.5), Some(second));
        assert_eq!(steep.delay(2, 0.5), Some(4 * second));
        assert_eq!(steep.initial(Duration::ZERO).delay(2, 0.5), Some(Duration::ZERO));
        let endless = Backoff::new().initial(Duration::MAX).max(Duration::MAX).jitter(1.0);
        assert_eq!(endless.delay(3, 1.0), Some(Duration::MAX));
    }
}
