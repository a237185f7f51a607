//! What a user has given to a session, and what has become of it.

use heartwire_proto::engineio::Message;
use heartwire_proto::shared::{Limits, SendQueue};

/// What a user has given to a session: each message is another.
pub(super) struct Accounts {
    pub(super) queue: SendQueue<Message>,
    limits: Limits,
    accepted: Vec<Message>,
    gone: usize,
    pushed: usize,
}

impl Accounts {
    pub(super) fn new(limits: Limits) -> Self {
        Self { queue: SendQueue::new(limits), limits, accepted: vec![], gone: 0, pushed: 0 }
    }

    /// Sends a message of about so many bytes, which is taken if and only if there is room.
    pub(super) fn push(&mut self, length: usize, is_text: bool) {
        self.pushed += 1;
        let content = format!("{}{}", self.pushed, "x".repeat(length));
        let message =
            if is_text { Message::from(content) } else { Message::from(content.into_bytes()) };
        let waiting = &self.accepted[self.gone..];
        let bytes: usize = waiting.iter().map(Message::len).sum();
        assert_eq!((self.queue.len(), self.queue.bytes()), (waiting.len(), bytes));
        let has_room = waiting.is_empty()
            || waiting.len() < self.limits.messages && bytes + message.len() <= self.limits.bytes;
        let is_open = self.queue.ending() == heartwire_proto::shared::Ending::Open;
        let result = self.queue.push(message.clone());
        assert_eq!(result.is_ok(), has_room && is_open, "{result:?}");
        if result.is_ok() {
            self.accepted.push(message);
        }
    }

    /// A message has left the queue: it is the oldest that was accepted and has not left before.
    pub(super) fn leave(&mut self, message: &Message) {
        assert_eq!(Some(message), self.accepted.get(self.gone), "message {} leaves", self.gone);
        self.gone += 1;
    }

    /// The session is over: what has not left is there for the user to be told of.
    pub(super) fn close(&mut self) {
        assert_eq!(self.queue.drain(), self.accepted[self.gone..], "they are lost without a word");
        self.gone = self.accepted.len();
    }
}
