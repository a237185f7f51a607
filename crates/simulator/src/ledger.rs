//! What became of the messages of one direction.

use std::fmt::Debug;
use std::time::Duration;

/// What became of the messages of one direction: accepted, then handed over to the network, then
/// delivered; or left in the queue.
///
/// A client that connects again goes on with what its queue holds: each session has a stretch of its own.
#[derive(Debug)]
pub(crate) struct Ledger<T> {
    name: &'static str,
    accepted: Vec<Entry<T>>,
    handed_over: usize,
    stretches: Vec<Stretch>,
}

#[derive(Debug)]
struct Entry<T> {
    message: T,
    /// When it has to be delivered at the latest, where nothing goes wrong.
    due: Duration,
}

/// The messages that one session has handed over.
#[derive(Debug)]
struct Stretch {
    first: usize,
    end: usize,
    delivered: usize,
}

impl<T: PartialEq + Clone + Debug> Ledger<T> {
    pub(crate) fn new(name: &'static str) -> Self {
        let stretch = Stretch { first: 0, end: 0, delivered: 0 };
        Self { name, accepted: vec![], handed_over: 0, stretches: vec![stretch] }
    }

    /// Another session goes on with what is left. Says which one it is.
    pub(crate) fn next_session(&mut self) -> usize {
        let first = self.handed_over;
        // They have waited for it.
        self.accepted[first..].iter_mut().for_each(|entry| entry.due = Duration::MAX);
        self.stretches.push(Stretch { first, end: first, delivered: 0 });
        self.stretches.len() - 1
    }

    /// The queue has taken a message.
    pub(crate) fn accept(&mut self, message: T, due: Duration) {
        self.accepted.push(Entry { message, due });
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.len()
    }

    pub(crate) fn handed_over(&self) -> usize {
        self.handed_over
    }

    pub(crate) fn delivered(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.delivered).sum()
    }

    /// A message leaves the queue for the network.
    pub(crate) fn hand_over(&mut self, message: &T) -> Result<(), String> {
        let place = self.handed_over;
        self.handed_over += 1;
        if let Some(stretch) = self.stretches.last_mut() {
            stretch.end = self.handed_over;
        }
        self.expect(place, message, "handed over").map(drop)
    }

    /// A message of a session reaches the other side's user.
    pub(crate) fn deliver(
        &mut self,
        session: usize,
        message: &T,
        now: Duration,
    ) -> Result<(), String> {
        let stretch = &mut self.stretches[session];
        let place = stretch.first + stretch.delivered;
        stretch.delivered += 1;
        if place >= stretch.end {
            return Err(format!("{}: message {place} was delivered and never sent", self.name));
        }
        let due = self.expect(place, message, "delivered")?;
        if now > due {
            let name = self.name;
            return Err(format!("{name}: message {place} was due at {due:?} and came at {now:?}"));
        }
        Ok(())
    }

    /// The last session has ended, and this was left in the queue: the user is told of it.
    pub(crate) fn check_left(&self, left: &[T]) -> Result<(), String> {
        let rest = self.accepted.get(self.handed_over..).unwrap_or_default();
        if rest.iter().map(|entry| &entry.message).eq(left) {
            return Ok(());
        }
        Err(format!(
            "{}: of {} messages {} were handed over and {} left: {} are lost without a word",
            self.name,
            self.accepted.len(),
            self.handed_over,
            left.len(),
            rest.len().abs_diff(left.len())
        ))
    }

    fn expect(&self, place: usize, message: &T, what: &str) -> Result<Duration, String> {
        match self.accepted.get(place) {
            Some(entry) if entry.message == *message => Ok(entry.due),
            entry => Err(format!(
                "{}: message {place} was {:?} when it was accepted and {message:?} when it was {what}",
                self.name,
                entry.map(|entry| &entry.message)
            )),
        }
    }
}
