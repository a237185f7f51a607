//! Which message a connection may send, and when. It knows no clock and no network: what time it is, it is
//! told.

use std::time::Duration;

use super::ledger::{Answer, Ledger};
use super::pace::Pace;

/// What a connection sends and gets.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Without it, a message is due as soon as there is room.
    pace: Option<Pace>,
    /// Messages that may be without an answer.
    depth: usize,
    /// Whether there are answers.
    replies: bool,
    ledger: Ledger,
    sent: u64,
    /// Whether messages that are due could not be sent for want of answers.
    held_up: bool,
}

/// A message that is to be sent.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Order {
    pub(super) number: u64,
    /// When it was to be sent.
    pub(super) due: Duration,
    /// Whether it is the server's doing that it was not sent then.
    pub(super) held_up: bool,
}

impl Exchange {
    pub(super) fn new(pace: Option<Pace>, depth: usize, replies: bool) -> Self {
        Self { pace, depth, replies, ledger: Ledger::default(), sent: 0, held_up: false }
    }

    /// The next message, if one is to be sent now; it counts as sent then. From `until` on none is due, and
    /// those that wait for a slow server are not sent any more.
    pub(super) fn order(&mut self, now: Duration, until: Duration) -> Option<Order> {
        let due = match self.pace {
            Some(pace) => Some(pace.due(self.sent)).filter(|due| *due <= now && *due < until),
            None => (now < until).then_some(now),
        };
        let Some(due) = due else {
            self.held_up = false;
            return None;
        };
        if self.ledger.unanswered() >= self.depth {
            self.held_up = true;
        }
        if self.held_up && (now >= until || self.ledger.unanswered() >= self.depth) {
            return None;
        }
        let number = self.sent;
        self.sent += 1;
        if self.replies {
            self.ledger.sent(due);
        }
        Some(Order { number, due, held_up: self.held_up })
    }

    /// Notes an answer. What it took is counted from when its message was due, not from when it was sent:
    /// a message that waits because the server holds up those before it is delayed by the server, too.
    pub(super) fn answered(&mut self, number: u64) -> Answer {
        self.ledger.answered(number)
    }

    /// Messages that have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.ledger.unanswered()
    }

    /// Messages that were due before `until` and not sent.
    pub(super) fn behind(&self, until: Duration) -> u64 {
        self.pace.map_or(0, |pace| pace.due_before(until).saturating_sub(self.sent))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::recorder::{Recorder, Window};
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    const END: Duration = Duration::from_secs(10);

    /// A server that answers one message after the other, each `service` after it can begin with it, and
    /// does nothing between the second and the third second.
    struct Server {
        service: Duration,
        /// When it will have answered all that it has.
        free: Duration,
        answers: VecDeque<(u64, Duration)>,
    }

    impl Server {
        fn new(service: Duration) -> Self {
            Self { service, free: Duration::ZERO, answers: VecDeque::new() }
        }

        fn take(&mut self, number: u64, now: Duration) {
            let begin = self.free.max(now);
            let stall = 2000 * MILLISECOND..3000 * MILLISECOND;
            let begin = if stall.contains(&begin) { stall.end } else { begin };
            self.free = begin + self.service;
            self.answers.push_back((number, self.free));
        }
    }

    /// Runs an exchange of 10 s with that server, a tick a millisecond.
    fn run(mut exchange: Exchange, mut server: Server) -> (Recorder, Exchange) {
        let window = Window { from: Duration::ZERO, until: END };
        let mut recorder = Recorder::new();
        let mut now = Duration::ZERO;
        while now < END + Duration::from_secs(5) {
            while server.answers.front().is_some_and(|(_, at)| *at <= now) {
                let (number, _) = server.answers.pop_front().unwrap();
                match exchange.answered(number) {
                    Answer::Expected { since } => recorder.answered(since, now, window),
                    other => panic!("{other:?}"),
                }
            }
            while let Some(order) = exchange.order(now, END) {
                server.take(order.number, now);
            }
            now += MILLISECOND;
        }
        (recorder, exchange)
    }

    /// The latencies at places in their order, which begins with 1: in milliseconds, as exact as three
    /// digits are.
    fn assert_latencies(recorder: &Recorder, expected: &[(u32, u64)]) {
        for (place, millis) in expected {
            // From the middle of its share: at its end, rounding could lead to the next.
            let quantile = (f64::from(*place) - 0.5) / recorder.latency.len() as f64;
            let got = recorder.latency.value_at_quantile(quantile) as f64 / 1e6;
            let expected = *millis as f64;
            assert!((got - expected).abs() <= expected / 1000.0, "{place}: {got} {expected}");
        }
    }

    /// 1000 messages, one due every 10 ms, answered by the next tick. Those due at 2000, 2010, … 2990 ms are
    /// answered by the tick after the stall, at 3001 ms: after 1001, 991, … 11 ms.
    ///
    /// In order, that is 900 times 1 ms, then 11, 21, … 1001 ms: the 900th is 1 ms, the 910th 101 ms, the
    /// 950th 501 ms, the 990th 901 ms, the 999th 991 ms.
    #[test]
    fn a_stall_counts_for_all_who_wait() {
        let exchange = Exchange::new(Some(Pace::new(100.0, 0, 1)), 1000, true);
        // So quick that a hundred answers take no tick.
        let (recorder, exchange) = run(exchange, Server::new(Duration::from_nanos(1)));
        assert_eq!(recorder.latency.len(), 1000);
        assert_latencies(
            &recorder,
            &[(500, 1), (900, 1), (910, 101), (950, 501), (990, 901), (999, 991), (1000, 1001)],
        );
        assert_eq!((exchange.unanswered(), exchange.behind(END)), (0, 0));
    }

    /// The same where only one message may be without an answer, and an answer takes 1 ms: those that are
    /// due during the stall cannot even be sent, and count all the same.
    ///
    /// The one due at 2000 ms is answered at 3001 ms, the next at 3002 ms, and so on: the one due at
    /// 2000 + 10 j ms after 1001 - 9 j ms, until nobody waits any more; that is after j = 111, with 2 ms.
    /// In order: 888 times 1 ms, then 2, 11, 20, … 1001 ms: the 889th is 2 ms, the 950th 551 ms, the 990th
    /// 911 ms, the 999th 992 ms.
    #[test]
    fn who_may_not_send_waits_as_well() {
        let exchange = Exchange::new(Some(Pace::new(100.0, 0, 1)), 1, true);
        let (recorder, exchange) = run(exchange, Server::new(MILLISECOND));
        assert_eq!(recorder.latency.len(), 1000);
        assert_latencies(
            &recorder,
            &[(500, 1), (888, 1), (889, 2), (950, 551), (990, 911), (999, 992), (1000, 1001)],
        );
        assert_eq!((exchange.unanswered(), exchange.behind(END)), (0, 0));
    }

    /// Without a rate, the next message follows an answer: the stall is one slow answer among thousands.
    #[test]
    fn without_a_rate_a_stall_is_one_answer() {
        let (recorder, _) = run(Exchange::new(None, 1, true), Server::new(MILLISECOND));
        // A message every millisecond for 9 s, and none during the tenth.
        assert_eq!(recorder.latency.len(), 9000);
        assert_latencies(&recorder, &[(1, 1), (8999, 1), (9000, 1001)]);
    }

    #[test]
    fn as_many_are_under_way_as_allowed() {
        let mut exchange = Exchange::new(None, 3, true);
        let orders = std::iter::from_fn(|| exchange.order(MILLISECOND, END));
        assert_eq!(orders.map(|order| order.number).collect::<Vec<_>>(), [0, 1, 2]);
        exchange.answered(1);
        assert_eq!(exchange.order(MILLISECOND, END).unwrap().number, 3);
        assert_eq!(exchange.order(MILLISECOND, END), None);
        exchange.answered(0);
        assert_eq!(exchange.order(END, END), None, "the end has come");
        assert_eq!(exchange.unanswered(), 2);
    }

    #[test]
    fn what_could_not_be_sent_is_counted() {
        // 100 a second for 10 s, and an answer to the first alone.
        let mut exchange = Exchange::new(Some(Pace::new(100.0, 0, 1)), 2, true);
        let second = Duration::from_secs(1);
        assert!(exchange.order(second, END).is_some_and(|order| !order.held_up));
        assert!(exchange.order(second, END).is_some_and(|order| !order.held_up));
        assert_eq!(exchange.order(second, END), None);
        exchange.answered(0);
        let order = exchange.order(second, END).unwrap();
        assert_eq!(order, Order { number: 2, due: 20 * MILLISECOND, held_up: true });
        assert_eq!(exchange.behind(END), 997);
        assert_eq!(exchange.behind(second), 97, "if it were to end now");
    }

    #[test]
    fn who_is_late_by_own_fault_sends_all_the_same() {
        let mut exchange = Exchange::new(Some(Pace::new(100.0, 0, 1)), 1000, true);
        let late = END + MILLISECOND;
        let orders = std::iter::from_fn(|| exchange.order(late, END));
        assert_eq!(orders.filter(|order| !order.held_up).count(), 1000);
        assert_eq!(exchange.behind(END), 0);
        // Who has been held up before the end does not go on after it.
        let mut exchange = Exchange::new(Some(Pace::new(100.0, 0, 1)), 1, true);
        assert!(exchange.order(MILLISECOND, END).is_some());
        assert_eq!(exchange.order(END / 2, END), None);
        exchange.answered(0);
        assert_eq!(exchange.order(late, END), None);
        assert_eq!(exchange.behind(END), 999);
    }

    #[test]
    fn without_answers_nothing_is_waited_for() {
        let mut exchange = Exchange::new(None, 1, false);
        for number in 0..100 {
            assert_eq!(exchange.order(MILLISECOND, END).unwrap().number, number);
        }
        assert_eq!(exchange.unanswered(), 0);
    }
}
