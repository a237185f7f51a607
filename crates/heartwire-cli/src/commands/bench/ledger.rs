//! What a connection has sent, and what of it has been answered.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a connection has sent, and what of it has been answered.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Messages without an answer, by number, and from when on it is waited for.
    waiting: BTreeMap<u64, Duration>,
    /// The number of the next message.
    next: u64,
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
        self.waiting.insert(self.next, since);
        self.next += 1;
    }

    /// Notes an answer.
    pub(super) fn answered(&mut self, number: u64) -> Answer {
        if number >= self.next {
            return Answer::NeverSent;
        }
        let Some(since) = self.waiting.remove(&number) else { return Answer::Repeated };
        if number < self.newest {
            return Answer::Overtaken { since };
        }
        self.newest = number + 1;
        Answer::Expected { since }
    }

    /// Messages that have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.waiting.len()
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
        assert_eq!(ledger.unanswered(), 0);
    }

    #[test]
    fn what_is_kept_does_not_grow_behind_an_answer_that_never_comes() {
        let mut ledger = ledger(1);
        for number in 1..1000 {
            ledger.sent(at(number));
            assert_eq!(ledger.answered(number), Answer::Expected { since: at(number) });
        }
        assert_eq!(ledger.waiting, BTreeMap::from([(0, at(0))]));
        assert_eq!(ledger.answered(999), Answer::Repeated);
        assert_eq!(ledger.answered(1000), Answer::NeverSent);
        assert_eq!(ledger.answered(0), Answer::Overtaken { since: at(0) });
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
