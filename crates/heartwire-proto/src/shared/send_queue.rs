//! Messages that the user has sent and the transport has not taken yet, bounded in number and bytes.

use std::collections::VecDeque;
use std::fmt;

use super::mutant::Mutant;

/// Something with a size that counts against a limit.
pub trait Weight {
    /// Bytes of payload.
    fn weight(&self) -> usize;
}

/// How much a queue holds before it refuses more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Messages.
    pub messages: usize,
    /// Bytes of payload. A single message that is larger is taken when the queue is empty, since it
    /// could not be sent otherwise.
    pub bytes: usize,
}

/// Whether, and how, the user wants the connection to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Not at all.
    Open,
    /// When everything that waits has been sent.
    Flush,
    /// At once; what waits is not sent.
    Discard,
}

/// A bounded first-in-first-out queue that can be closed.
///
/// Most queues are empty most of the time, so an empty queue keeps room for a few messages at most.
#[derive(Debug)]
pub struct SendQueue<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    limits: Limits,
    ending: Ending,
}

impl<T: Weight> SendQueue<T> {
    /// Creates an empty queue.
    pub fn new(limits: Limits) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, limits, ending: Ending::Open }
    }

    /// Adds a message at the end.
    ///
    /// # Errors
    ///
    /// The queue is full or closed. The error gives the message back.
    pub fn push(&mut self, message: T) -> Result<(), PushError<T>> {
        if self.ending != Ending::Open {
            return Err(PushError::Closed(message));
        }
        if !self.has_room_for(message.weight()) {
            return Err(PushError::Full { message, limits: self.limits });
        }
        self.push_over(message)
    }

    /// Adds a message at the end, above the limits too.
    ///
    /// # Errors
    ///
    /// The queue is closed. The error gives the message back.
    pub fn push_over(&mut self, message: T) -> Result<(), PushError<T>> {
        if self.ending != Ending::Open {
            return Err(PushError::Closed(message));
        }
        self.bytes += message.weight();
        self.waiting.push_back(message);
        if Mutant::Overtakes.is_back() && self.waiting.len() > 1 {
            self.waiting.swap(self.waiting.len() - 2, self.waiting.len() - 1);
        }
        Ok(())
    }

    /// Whether a message of `weight` bytes would be taken.
    pub fn has_room_for(&self, weight: usize) -> bool {
        self.waiting.is_empty()
            || self.waiting.len() < self.limits.messages
                && self.bytes.saturating_add(weight) <= self.limits.bytes
    }

    /// Takes the oldest message.
    pub fn pop(&mut self) -> Option<T> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.weight();
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT_SLOTS {
            self.waiting = VecDeque::new();
        }
        Some(message)
    }

    /// Refuses messages from now on, and asks the session to end. Asking to discard overrides asking
    /// to flush, not the other way round. Says whether this call was the first.
    pub fn close(&mut self, ending: Ending) -> bool {
        let first = self.ending == Ending::Open && ending != Ending::Open;
        self.ending = match (self.ending, ending) {
            (Ending::Discard, _) | (_, Ending::Discard) => Ending::Discard,
            (Ending::Flush, _) | (_, Ending::Flush) => Ending::Flush,
            (Ending::Open, Ending::Open) => Ending::Open,
        };
        first
    }

    /// Takes what can no longer be sent.
    pub fn drain(&mut self) -> Vec<T> {
        self.bytes = 0;
        if Mutant::DiscardsQueue.is_back() {
            self.waiting.clear();
        }
        std::mem::take(&mut self.waiting).into()
    }

    /// The oldest message, without taking it.
    pub fn front(&self) -> Option<&T> {
        self.waiting.front()
    }

    /// Whether the user wants the end at once, and nothing more sent.
    pub fn is_discarded(&self) -> bool {
        self.ending == Ending::Discard
    }

    /// How the user wants the connection to end.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Messages that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of payload that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much the queue holds before it refuses more.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

/// A message that the queue did not take.
#[derive(Debug, Eq, PartialEq)]
pub enum PushError<T> {
    /// The connection ends or has ended.
    Closed(T),
    /// The limits are reached.
    Full {
        /// The message that was not taken.
        message: T,
        /// What the queue holds at most.
        limits: Limits,
    },
}

impl<T> PushError<T> {
    /// The message that was not taken.
    pub fn into_message(self) -> T {
        match self {
            Self::Closed(message) | Self::Full { message, .. } => message,
        }
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("connection is closed"),
            Self::Full { limits, .. } => write!(
                f,
                "send queue is full: at most {} messages or {} bytes wait",
                limits.messages, limits.bytes
            ),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for PushError<T> {}

/// Room that an empty queue keeps, so that one message at a time costs no allocation.
const KEPT_SLOTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for &str {
        fn weight(&self) -> usize {
            self.len()
        }
    }

    const LIMITS: Limits = Limits { messages: 3, bytes: 10 };

    #[test]
    fn keeps_order_and_counts_bytes() {
        let mut queue = SendQueue::new(LIMITS);
        queue.push("one").unwrap();
        queue.push("two").unwrap();
        assert_eq!((queue.len(), queue.bytes()), (2, 6));
        assert_eq!(queue.pop(), Some("one"));
        assert_eq!((queue.len(), queue.bytes()), (1, 3));
        assert_eq!(queue.pop(), Some("two"));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn refuses_what_exceeds_either_limit() {
        let mut queue = SendQueue::new(LIMITS);
        queue.push("123456").unwrap();
        let full = |message| Err(PushError::Full { message, limits: LIMITS });
        assert_eq!(queue.push("12345"), full("12345"));
        queue.push("1234").unwrap();
        assert_eq!(queue.push("1"), full("1"));
        assert_eq!(queue.push(""), Ok(()), "ten bytes are the limit, an empty message adds none");
        assert_eq!(queue.push(""), full(""), "three messages are the limit");
    }

    #[test]
    fn takes_a_message_above_the_limit_when_empty() {
        let mut queue = SendQueue::new(LIMITS);
        queue.push("longer than ten bytes").unwrap();
        assert!(matches!(queue.push("x"), Err(PushError::Full { .. })));
    }

    #[test]
    fn closing_keeps_what_waits_and_refuses_the_rest() {
        let mut queue = SendQueue::new(LIMITS);
        queue.push("kept").unwrap();
        assert!(queue.close(Ending::Flush));
        assert!(!queue.close(Ending::Flush));
        assert_eq!(queue.push("late"), Err(PushError::Closed("late")));
        assert_eq!(queue.ending(), Ending::Flush);
        queue.close(Ending::Discard);
        queue.close(Ending::Flush);
        assert_eq!(queue.ending(), Ending::Discard);
        assert_eq!(queue.drain(), ["kept"]);
        assert_eq!(queue.bytes(), 0);
    }
}
