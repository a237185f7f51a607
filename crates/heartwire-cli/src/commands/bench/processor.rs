//! How busy a thread is.

use std::time::{Duration, Instant};

/// What a thread has had of the processors so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    at: Instant,
    busy: Option<Duration>,
    waiting: Option<Duration>,
}

/// How a thread has spent a time, in shares of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares {
    /// On a processor; `None` where the system does not tell.
    pub(super) busy: Option<f64>,
    /// Ready to run, while something else had the processor; `None` where the system does not tell.
    pub(super) waiting: Option<f64>,
}

impl Usage {
    /// That of the current thread.
    pub(super) fn now() -> Self {
        Self { at: Instant::now(), busy: busy(), waiting: waiting() }
    }

    /// What has come to it since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Shares {
        let time = (self.at - earlier.at).as_secs_f64();
        let share = |now: Option<Duration>, earlier: Option<Duration>| {
            let share = now?.saturating_sub(earlier?).as_secs_f64() / time;
            share.is_finite().then(|| share.min(1.0))
        };
        Shares {
            busy: share(self.busy, earlier.busy),
            waiting: share(self.waiting, earlier.waiting),
        }
    }
}

#[cfg(unix)]
fn busy() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}

#[cfg(not(unix))]
fn busy() -> Option<Duration> {
    None
}

/// Linux counts it where it keeps statistics of its scheduler.
fn waiting() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    waiting_in(&text)
}

/// Nanoseconds on a processor, nanoseconds in wait for one, and turns.
fn waiting_in(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_is_the_wait() {
        assert_eq!(waiting_in("70016 260729 12\n"), Some(Duration::from_nanos(260_729)));
        assert_eq!(waiting_in(""), None);
        assert_eq!(waiting_in("1 x 2"), None);
    }

    #[test]
    fn shares_are_of_the_time_between() {
        let at = Instant::now();
        let (millis, second) = (Duration::from_millis, Duration::from_secs(1));
        let earlier = Usage { at, busy: Some(millis(100)), waiting: None };
        let later = Usage { at: at + second, busy: Some(millis(350)), waiting: Some(second) };
        assert_eq!(later.since(&earlier), Shares { busy: Some(0.25), waiting: None });
        assert_eq!(earlier.since(&earlier), Shares { busy: None, waiting: None }, "no time");
    }
}
