//! As `outgoing` in heartwire: what waits in a send queue. Nobody is told that a message was written.

use heartwire_proto::engineio::{self, Message, MessageRef};
use heartwire_proto::shared::Weight;

#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Message),
}

impl Outgoing {
    pub(crate) fn into_message(self) -> Message {
        let Self::Message(message) = self;
        message
    }
}

impl Weight for Outgoing {
    fn weight(&self) -> usize {
        let Self::Message(message) = self;
        message.weight()
    }
}

impl engineio::Outgoing for Outgoing {
    fn message(&self) -> MessageRef<'_> {
        let Self::Message(message) = self;
        message.as_message_ref()
    }
}
