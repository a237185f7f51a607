//! A virtual clock, and what is on its way.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::chance::Chance;

/// What is on its way, sorted by when it arrives.
pub(crate) struct Network<P> {
    pub(crate) rng: Chance,
    /// When the run began, for sessions that want an instant.
    epoch: Instant,
    now: Duration,
    due: BinaryHeap<Reverse<Due<P>>>,
    count: u64,
    /// The least that a way through the network takes, and the most.
    latency: (Duration, Duration),
    /// Whether everything vanishes.
    silent: bool,
}

/// When something arrives; of two at once, what was sent first.
struct Due<P> {
    at: (Duration, u64),
    parcel: P,
}

impl<P> PartialEq for Due<P> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<P> Eq for Due<P> {}

impl<P> PartialOrd for Due<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Due<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

/// A stream through the network: what is sent first arrives first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lane {
    last: Duration,
}

impl<P> Network<P> {
    pub(crate) fn new(rng: Chance, latency: (Duration, Duration)) -> Self {
        Self {
            rng,
            epoch: Instant::now(),
            now: Duration::ZERO,
            due: BinaryHeap::new(),
            count: 0,
            latency,
            silent: false,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn instant(&self) -> Instant {
        self.epoch + self.now
    }

    /// The longest way there and back.
    pub(crate) fn round_trip(&self) -> Duration {
        2 * self.latency.1
    }

    /// The virtual time of an instant.
    pub(crate) fn time_of(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.epoch)
    }

    /// Sends something that is independent of everything else.
    pub(crate) fn send(&mut self, parcel: P) {
        let way = self.way();
        self.after(way, parcel);
    }

    /// Sends something behind what was sent on the same lane.
    pub(crate) fn send_on(&mut self, lane: &mut Lane, parcel: P) {
        let arrival = (self.now + self.way()).max(lane.last);
        lane.last = arrival;
        if !self.silent {
            self.put(arrival, parcel);
        }
    }

    /// Something that happens after a while, on the network.
    fn after(&mut self, wait: Duration, parcel: P) {
        if !self.silent {
            self.put(self.now + wait, parcel);
        }
    }

    /// Something that happens at a moment, whatever the network does.
    pub(crate) fn at(&mut self, moment: Duration, parcel: P) {
        self.put(moment, parcel);
    }

    fn put(&mut self, moment: Duration, parcel: P) {
        self.due.push(Reverse(Due { at: (moment, self.count), parcel }));
        self.count += 1;
    }

    fn way(&mut self) -> Duration {
        let (least, most) = self.latency;
        let micros = self.rng.u64(least.as_micros() as u64..=most.as_micros() as u64);
        Duration::from_micros(micros)
    }

    /// From now on everything that is sent vanishes, and what is on its way as well, but for what
    /// `stays`.
    pub(crate) fn go_silent(&mut self, stays: impl Fn(&P) -> bool) {
        self.silent = true;
        self.forget(|parcel| !stays(parcel));
    }

    /// Whether everything vanishes.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Loses what is on its way.
    pub(crate) fn forget(&mut self, lost: impl Fn(&P) -> bool) {
        self.due.retain(|Reverse(due)| !lost(&due.parcel));
    }

    /// When the next thing arrives.
    pub(crate) fn next_arrival(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse(due)| due.at.0)
    }

    /// Moves the clock.
    pub(crate) fn advance(&mut self, moment: Duration) {
        self.now = self.now.max(moment);
    }

    /// What has arrived by now, the oldest first.
    pub(crate) fn arrived(&mut self) -> Option<P> {
        self.next_arrival().filter(|moment| *moment <= self.now)?;
        self.due.pop().map(|Reverse(due)| due.parcel)
    }

    /// Cuts bytes into pieces, as a stream may.
    pub(crate) fn cut(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut pieces = vec![];
        let mut rest = bytes;
        // Most arrive whole; some are cut at every byte.
        let longest = match self.rng.u8(..8) {
            0 => 1,
            1 | 2 => 7,
            3 => 300,
            _ => usize::MAX,
        };
        while !rest.is_empty() {
            let longest = if longest == 1 && rest.len() > 2000 { 1000 } else { longest };
            let length = self.rng.usize(1..=longest.min(rest.len()));
            let length = if longest == usize::MAX { rest.len() } else { length };
            let (piece, more) = rest.split_at(length);
            pieces.push(piece.to_vec());
            rest = more;
        }
        pieces
    }
}
