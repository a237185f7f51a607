//! When messages are due, where they are sent at a rate.

use std::time::Duration;

/// When the messages of one connection are due: at equal distances, whatever the server does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Seconds until the first.
    first: f64,
    /// Seconds from one to the next.
    interval: f64,
}

impl Pace {
    /// The pace of connection `place` of `connections`, which take turns to send `rate` messages a second
    /// together.
    pub(super) fn new(rate: f64, place: usize, connections: usize) -> Self {
        Self { first: place as f64 / rate, interval: connections as f64 / rate }
    }

    /// When a message is due, counted from the start.
    pub(super) fn due(&self, number: u64) -> Duration {
        // Multiplied, not added up: the millionth is as exact as the first.
        Duration::from_secs_f64(self.first + self.interval * number as f64)
    }

    /// How many messages are due before `end`.
    pub(super) fn due_before(&self, end: Duration) -> u64 {
        let estimate = ((end.as_secs_f64() - self.first) / self.interval).ceil().max(0.0) as u64;
        // Rounding can be off by one; what counts is when each is due.
        let from = estimate.saturating_sub(1);
        from + (from..from + 2).take_while(|number| self.due(*number) < end).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn connections_take_turns() {
        // Four connections, 1000 messages a second: one every millisecond, each connection every fourth.
        for place in 0..4 {
            let pace = Pace::new(1000.0, place, 4);
            let dues = [0, 1, 2].map(|number| pace.due(number));
            let expected = [0, 4, 8].map(|millis| MILLISECOND * (millis + place as u32));
            for (due, expected) in dues.into_iter().zip(expected) {
                assert!(due.abs_diff(expected) < Duration::from_nanos(2), "{due:?} {expected:?}");
            }
        }
    }

    #[test]
    fn the_end_is_not_due() {
        // 100 a second, from 0 on: at 0, 10, 20, … ms.
        let pace = Pace::new(100.0, 0, 1);
        for (end, count) in [(0, 0), (1, 1), (10, 1), (11, 2), (1000, 100), (1001, 101)] {
            assert_eq!(pace.due_before(MILLISECOND * end), count, "{end} ms");
        }
        // The second of two connections: at 5, 15, 25, … ms.
        let pace = Pace::new(200.0, 1, 2);
        for (end, count) in [(0, 0), (5, 0), (6, 1), (15, 1), (16, 2)] {
            assert_eq!(pace.due_before(MILLISECOND * end), count, "{end} ms");
        }
    }

    #[test]
    fn nothing_adds_up() {
        // A third of a millisecond has no exact form; three million of them are 1000 s.
        let pace = Pace::new(3000.0, 0, 1);
        let due = pace.due(3_000_000);
        assert!(due.abs_diff(Duration::from_secs(1000)) < Duration::from_nanos(2), "{due:?}");
    }
}
