//! What became of the messages of one direction.

use std::fmt::Debug;

/// What became of the messages of one direction: accepted, then handed over to the network, then
/// delivered; or left in the queue.
#[derive(Debug)]
pub(crate) struct Ledger<T> {
    name: &'static str,
    accepted: Vec<T>,
    handed_over: usize,
    delivered: usize,
}

impl<T: PartialEq + Clone + Debug> Ledger<T> {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, accepted: vec![], handed_over: 0, delivered: 0 }
    }

    /// The queue has taken a message.
    pub(crate) fn accept(&mut self, message: T) {
        self.accepted.push(message);
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.len()
    }

    pub(crate) fn handed_over(&self) -> usize {
        self.handed_over
    }

    pub(crate) fn delivered(&self) -> usize {
        self.delivered
    }

    /// A message leaves the queue for the network.
    pub(crate) fn hand_over(&mut self, message: &T) -> Result<(), String> {
        let place = self.handed_over;
        self.handed_over += 1;
        self.expect(place, message, "handed over")
    }

    /// A message reaches the other side's user.
    pub(crate) fn deliver(&mut self, message: &T) -> Result<(), String> {
        let place = self.delivered;
        self.delivered += 1;
        if place >= self.handed_over {
            return Err(format!("{}: message {place} was delivered and never sent", self.name));
        }
        self.expect(place, message, "delivered")
    }

    /// The session has ended, and this was left in the queue: the user is told of it.
    pub(crate) fn check_left(&self, left: &[T]) -> Result<(), String> {
        let rest = self.accepted.get(self.handed_over..).unwrap_or_default();
        if rest == left {
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

    fn expect(&self, place: usize, message: &T, what: &str) -> Result<(), String> {
        match self.accepted.get(place) {
            Some(accepted) if accepted == message => Ok(()),
            accepted => Err(format!(
                "{}: message {place} was {accepted:?} when it was accepted and {message:?} when it \
                 was {what}",
                self.name
            )),
        }
    }
}
