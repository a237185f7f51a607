//! What wakes connections when something is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::Clock;
use super::pace::Pace;

/// The places of each thread's connections, in the order in which all take turns.
#[derive(Debug)]
pub(super) struct Places(Vec<Vec<usize>>);

impl Places {
    /// Those of threads with so many connections each: as long as all have some, they take turns as well.
    pub(super) fn new(connections: &[usize]) -> Self {
        let mut places = vec![vec![]; connections.len()];
        let most = connections.iter().copied().max().unwrap_or_default();
        let threads =
            |turn| (0..connections.len()).filter(move |thread| connections[*thread] > turn);
        for (place, thread) in (0..most).flat_map(threads).enumerate() {
            places[thread].push(place);
        }
        Self(places)
    }

    /// Those of a thread.
    pub(super) fn of(&self, thread: usize) -> &[usize] {
        self.0.get(thread).map_or(&[], Vec::as_slice)
    }

    /// How many there are in all.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// What wakes the connections of a thread.
#[derive(Default)]
pub(super) struct Bells {
    bells: Vec<Arc<Notify>>,
    /// Of each connection, where messages are due at a rate.
    paces: Vec<Pace>,
    /// Whose turn is next, and how many each had before.
    turn: usize,
    round: u64,
    /// Whether all were told that nothing is sent any more, and that nothing is waited for.
    ended: bool,
    given_up: bool,
}

impl Bells {
    /// The bell of a connection, whose place is behind those that were added before.
    pub(super) fn add(&mut self, pace: Option<Pace>) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        self.bells.push(bell.clone());
        self.paces.extend(pace);
        bell
    }

    /// Wakes whoever has something to do.
    pub(super) fn ring(&mut self, now: Duration, clock: &Clock) {
        while self.due().is_some_and(|due| due <= now) && !self.ended {
            self.bells[self.turn].notify_one();
            self.turn += 1;
            if self.turn == self.bells.len() {
                (self.turn, self.round) = (0, self.round + 1);
            }
        }
        if now >= clock.until() && !self.ended {
            self.ended = true;
            self.bells.iter().for_each(|bell| bell.notify_one());
        }
        if now >= clock.patience_ends() && !self.given_up {
            self.given_up = true;
            self.bells.iter().for_each(|bell| bell.notify_one());
        }
    }

    /// When to ring the next time.
    pub(super) fn next(&self, clock: &Clock) -> Duration {
        match (self.ended, self.given_up) {
            (false, _) => self.due().unwrap_or(Duration::MAX).min(clock.until()),
            (true, false) => clock.patience_ends(),
            // Who was woken the last time ends by itself.
            (true, true) => clock.now() + Duration::from_secs(1),
        }
    }

    /// When the next message is due.
    fn due(&self) -> Option<Duration> {
        self.paces.get(self.turn).map(|pace| pace.due(self.round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_take_turns() {
        let places = Places::new(&[3, 0, 2, 1]);
        let of = [0, 1, 2, 3, 4].map(|thread| places.of(thread));
        assert_eq!(of, [&[0, 3, 5][..], &[], &[1, 4], &[2], &[]]);
        assert_eq!(places.count(), 6);
    }

    #[test]
    fn bells_ring_in_turn() {
        let second = Duration::from_secs(1);
        let clock = Clock::start(Duration::ZERO, 10 * second, 5 * second);
        // Two connections of four: due at 0 and 2 s, 4 and 6 s, and so on.
        let mut bells = Bells::default();
        let own = [0, 2].map(|place| bells.add(Some(Pace::new(1.0, place, 4))));
        let mut next = vec![];
        for now in [0, 1, 2, 6, 10, 15] {
            bells.ring(now * second, &clock);
            next.push(bells.next(&clock).as_secs());
        }
        assert_eq!(next[..5], [2, 2, 4, 8, 15]);
        assert!(next[5] < 10, "no later than soon");
        assert_eq!(own.len(), 2);
    }
}
