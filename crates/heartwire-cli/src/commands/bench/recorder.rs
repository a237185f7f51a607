//! What one thread has seen: how long answers took, how many there were when, and which were wrong.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::figure::nanoseconds;

/// The time that is measured, from the start of the load on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Window {
    pub(super) fn length(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }

    fn contains(&self, now: Duration) -> bool {
        (self.from..self.until).contains(&now)
    }
}

/// What one thread has seen.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    /// How long answers took, in nanoseconds, of messages that were due while it is measured.
    pub(super) latency: Histogram<u64>,
    /// How late messages were sent by fault of this program, in nanoseconds.
    pub(super) lateness: Histogram<u64>,
    /// Messages sent, from the start on and while it is measured.
    pub(super) sent: u64,
    pub(super) sent_measured: u64,
    /// Right answers, from the start on and while it is measured.
    pub(super) answered: u64,
    pub(super) answered_measured: u64,
    pub(super) wrong: Mistakes,
    /// Messages that the server sent although none was expected.
    pub(super) unexpected: u64,
    /// Messages by the time when they were sent, in pieces of [`SLICE`].
    pub(super) sent_by_slice: Vec<u64>,
    /// Answers by the time when they came.
    pub(super) answered_by_slice: Vec<u64>,
    /// Nanoseconds that all right answers took together, from the start on.
    pub(super) latency_sum: u64,
}

/// Answers that should not have come as they did.
#[derive(Clone, Debug, Default)]
pub(super) struct Mistakes {
    /// After the answer to a later message.
    pub(super) reordered: u64,
    /// With other bytes than the message.
    pub(super) corrupted: u64,
    /// Once more.
    pub(super) repeated: u64,
    /// To the message of another connection.
    pub(super) misdirected: u64,
    /// The first of them, in words.
    pub(super) example: Option<String>,
}

impl Mistakes {
    pub(super) fn count(&self) -> u64 {
        self.reordered + self.corrupted + self.repeated + self.misdirected
    }

    fn add(&mut self, other: Self) {
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.repeated += other.repeated;
        self.misdirected += other.misdirected;
        self.example = self.example.take().or(other.example);
    }
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            latency: histogram(),
            lateness: histogram(),
            sent: 0,
            sent_measured: 0,
            answered: 0,
            answered_measured: 0,
            wrong: Mistakes::default(),
            unexpected: 0,
            sent_by_slice: vec![],
            answered_by_slice: vec![],
            latency_sum: 0,
        }
    }

    /// Notes that a message was handed over.
    pub(super) fn sent(&mut self, now: Duration, window: Window) {
        self.sent += 1;
        self.sent_measured += u64::from(window.contains(now));
        count(&mut self.sent_by_slice, now);
    }

    /// Notes how late that was, where nobody but this program is to blame.
    pub(super) fn late(&mut self, due: Duration, now: Duration, window: Window) {
        if window.contains(due) {
            self.lateness.saturating_record(nanoseconds(now.saturating_sub(due)));
        }
    }

    /// Notes a right answer to the message that was due at `since`.
    pub(super) fn answered(&mut self, since: Duration, now: Duration, window: Window) {
        self.answered += 1;
        self.answered_measured += u64::from(window.contains(now));
        count(&mut self.answered_by_slice, now);
        let latency = nanoseconds(now.saturating_sub(since));
        self.latency_sum = self.latency_sum.saturating_add(latency);
        if window.contains(since) {
            self.latency.saturating_record(latency);
        }
    }

    /// Adds what another thread has seen.
    pub(super) fn add(&mut self, other: Self) {
        self.latency.add(other.latency).expect("both have the same bounds");
        self.lateness.add(other.lateness).expect("both have the same bounds");
        self.sent += other.sent;
        self.sent_measured += other.sent_measured;
        self.answered += other.answered;
        self.answered_measured += other.answered_measured;
        self.wrong.add(other.wrong);
        self.unexpected += other.unexpected;
        add(&mut self.sent_by_slice, &other.sent_by_slice);
        add(&mut self.answered_by_slice, &other.answered_by_slice);
        self.latency_sum = self.latency_sum.saturating_add(other.latency_sum);
    }
}

/// A histogram of nanoseconds, exact to three digits, up to an hour.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("the bounds are in order")
}

/// Counts something that happens now.
fn count(slices: &mut Vec<u64>, now: Duration) {
    let slice = (now.as_nanos() / SLICE.as_nanos()) as usize;
    if slices.len() <= slice {
        slices.resize(slice + 1, 0);
    }
    slices[slice] += 1;
}

fn add(slices: &mut Vec<u64>, others: &[u64]) {
    if slices.len() < others.len() {
        slices.resize(others.len(), 0);
    }
    slices.iter_mut().zip(others).for_each(|(slice, other)| *slice += other);
}

/// What time is cut into, to see how rates change.
pub(super) const SLICE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const WINDOW: Window =
        Window { from: Duration::from_millis(1000), until: Duration::from_millis(2000) };

    #[test]
    fn the_warm_up_is_not_measured() {
        let mut recorder = Recorder::new();
        recorder.sent(at(999), WINDOW);
        recorder.answered(at(999), at(1001), WINDOW);
        recorder.sent(at(1000), WINDOW);
        recorder.answered(at(1000), at(1003), WINDOW);
        recorder.late(at(999), at(1001), WINDOW);
        recorder.late(at(1000), at(1005), WINDOW);
        assert_eq!((recorder.sent, recorder.sent_measured), (2, 1));
        assert_eq!((recorder.answered, recorder.answered_measured), (2, 2), "both came then");
        assert_eq!((recorder.latency.len(), recorder.lateness.len()), (1, 1));
        assert!(recorder.latency.equivalent(recorder.latency.max(), 3_000_000));
        assert!(recorder.lateness.equivalent(recorder.lateness.max(), 5_000_000));
    }

    #[test]
    fn an_answer_after_the_end_counts_as_slow_and_for_no_rate() {
        let mut recorder = Recorder::new();
        recorder.answered(at(1999), at(2500), WINDOW);
        assert_eq!((recorder.answered, recorder.answered_measured), (1, 0));
        assert!(recorder.latency.equivalent(recorder.latency.max(), 501_000_000));
    }

    #[test]
    fn threads_add_up() {
        let (mut one, mut other) = (Recorder::new(), Recorder::new());
        one.sent(at(0), WINDOW);
        one.sent(at(99), WINDOW);
        other.sent(at(100), WINDOW);
        other.sent(at(1399), WINDOW);
        other.answered(at(1100), at(1250), WINDOW);
        other.wrong = Mistakes {
            reordered: 1,
            corrupted: 2,
            repeated: 3,
            misdirected: 4,
            example: Some("this".to_owned()),
        };
        one.add(other);
        assert_eq!((one.sent, one.sent_measured), (4, 1));
        assert_eq!((one.answered, one.answered_measured), (1, 1));
        assert_eq!(one.sent_by_slice, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(one.answered_by_slice, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(one.wrong.count(), 10);
        assert_eq!(one.wrong.example.as_deref(), Some("this"));
        assert_eq!(one.latency.len(), 1);
    }
}
