//! What a connection has sent, and what of it has been answered.

use std::collections::VecDeque;
use std::time::Duration;

/// What a connection has sent, and what of it has been answered.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Number of the first message in `since`.
    first: u64,
    /// From when on the answer is waited for, of each message from `first` on; `None` where it is there.
    since: VecDeque<Option<Duration>>,
    /// Messages without an answer.
    unanswered: usize,
    /// The number behind that of the newest answered message.
    newest: u64,
}

/// What an answer is, by the number that it has.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// What was waited for since then.
    Expected { since: Duration },
    /// The same, and a later message was answered before it.
    Overtaken { since: Duration },
    /// It was there before.
    Repeated,
    /// Nothing with this number was sent.
    NeverSent,
}

impl Ledger {
    /// Notes the next message. Its answer is waited for from `since` on.
    pub(super) fn sent(&mut self, since: Duration) {
        self.since.push_back(Some(since));
        self.unanswered += 1;
    }

    /// Notes an answer.
    pub(super) fn answered(&mut self, number: u64) -> Answer {
        let Some(place) = number.checked_sub(self.first) else { return Answer::Repeated };
        let slot = usize::try_from(place).ok().and_then(|place| self.since.get_mut(place));
        let Some(slot) = slot else { return Answer::NeverSent };
        let Some(since) = slot.take() else { return Answer::Repeated };
        self.unanswered -= 1;
        while self.since.front().is_some_and(Option::is_none) {
            self.since.pop_front();
            self.first += 1;
        }
        if number < self.newest {
            return Answer::Overtaken { since };
        }
        self.newest = number + 1;
        Answer::Expected { since }
    }

    /// Messages that have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ledger(messages: u64) -> Ledger {
        let mut ledger = Ledger::default();
        (0..messages).for_each(|number| ledger.sent(at(number)));
        ledger
    }

    #[test]
    fn answers_in_order() {
        let mut ledger = ledger(3);
        for number in 0..3 {
            assert_eq!(ledger.unanswered(), 3 - number as usize);
            assert_eq!(ledger.answered(number), Answer::Expected { since: at(number) });
        }
        assert_eq!((ledger.unanswered(), ledger.since.len()), (0, 0), "nothing is kept");
    }

    #[test]
    fn a_lost_answer_is_no_disorder() {
        let mut ledger = ledger(4);
        for number in [0, 2, 3] {
            assert_eq!(ledger.answered(number), Answer::Expected { since: at(number) });
        }
        assert_eq!(ledger.unanswered(), 1);
    }

    #[test]
    fn who_was_overtaken_is_named_once() {
        let mut ledger = ledger(4);
        assert_eq!(ledger.answered(1), Answer::Expected { since: at(1) });
        assert_eq!(ledger.answered(0), Answer::Overtaken { since: at(0) });
        assert_eq!(ledger.answered(3), Answer::Expected { since: at(3) });
        assert_eq!(ledger.answered(2), Answer::Overtaken { since: at(2) });
        assert_eq!(ledger.unanswered(), 0);
    }

    #[test]
    fn answers_too_many() {
        let mut ledger = ledger(3);
        assert_eq!(ledger.answered(3), Answer::NeverSent);
        assert_eq!(ledger.answered(u64::MAX), Answer::NeverSent);
        assert_eq!(ledger.answered(0), Answer::Expected { since: at(0) });
        assert_eq!(ledger.answered(0), Answer::Repeated);
        assert_eq!(ledger.answered(2), Answer::Expected { since: at(2) });
        assert_eq!(ledger.answered(2), Answer::Repeated, "although one before it is open");
        assert_eq!(ledger.unanswered(), 1);
    }
}
