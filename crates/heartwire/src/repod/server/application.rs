//! What the user does with channels: callbacks, or a future for each.

use std::future::Future;
use std::task::{Context as TaskContext, Poll};

use heartwire_proto::repod::{Frame, MessageRef};
use serde::Serialize;

use super::super::disconnected::{Disconnected, SendError};
use super::super::driver::Replies;
use super::channel::Channel;
use crate::callback::{self, HandlerResult, UserFuture, guard};

/// Callbacks for the channels of a server: the way with the least work a message.
/// [`Actions`](super::Actions) sorts messages by what they want done.
///
/// They run on the thread that serves the channel, and everything else that this thread serves waits:
/// return soon. Work that takes long, or waits, belongs into a task of its own, or into
/// [`Server::on_connection`](super::Server::on_connection).
///
/// A callback that panics is reported and the connection goes on.
pub trait Handler: Send + Sync + 'static {
    /// A client has connected, and its greeting is on its way. Called once, before anything else for this
    /// channel.
    fn connect(&self, channel: &Channel) {
        let _ = channel;
    }

    /// Whether messages of this channel are taken now. If not, nothing more is read from the client, who
    /// is slowed down by its own connection, until the task is woken. Default: always.
    ///
    /// It is asked before each read: what one read brings is given to [`message`](Self::message) all the
    /// same.
    fn poll_ready(&self, channel: &Channel, cx: &TaskContext<'_>) -> Poll<()> {
        let _ = (channel, cx);
        Poll::Ready(())
    }

    /// A client has sent a message. Called in the order in which they were sent.
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>);

    /// A connection has ended. Called once, after everything else for this channel.
    fn disconnect(&self, channel: &Channel, disconnected: &Disconnected) {
        let _ = (channel, disconnected);
    }
}

/// The channel that a message came from, and the shortest way back.
pub struct Context<'a> {
    channel: &'a Channel,
    /// Bytes that are written next, and how many messages are among them.
    output: &'a mut Vec<u8>,
    count: &'a mut usize,
}

impl<'a> Context<'a> {
    pub(super) fn new(channel: &'a Channel, replies: &'a mut Replies<'_>) -> Self {
        Self { channel, output: replies.output, count: &mut replies.count }
    }

    /// The channel that the message came from.
    pub fn channel(&self) -> &Channel {
        self.channel
    }

    /// Answers with a message. It is encoded straight into what is written next, which costs no
    /// allocation. Returns the bytes of its frame.
    ///
    /// # Errors
    ///
    /// As [`Channel::try_send`].
    pub fn reply<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<usize, SendError> {
        if !self.goes_directly() {
            return self.channel.try_send(message);
        }
        let length = Frame::encode_to(message, self.output)?;
        *self.count += 1;
        Ok(length)
    }

    /// Answers with a message as it was received.
    ///
    /// # Errors
    ///
    /// As [`Channel::try_send`].
    #[inline]
    pub fn forward(&mut self, message: MessageRef<'_>) -> Result<(), SendError> {
        if !self.goes_directly() {
            return self.channel.try_send_frame(message.to_frame());
        }
        message.encode(self.output);
        *self.count += 1;
        Ok(())
    }

    /// Whether nothing else is to be sent before.
    fn goes_directly(&self) -> bool {
        !self.channel.shared.mailbox.is_dirty() && self.output.len() < MAX_DIRECT_BYTES
    }
}

/// What the user does with channels.
pub(super) enum Application {
    /// Callbacks.
    Handler(Box<dyn Handler>),
    /// A future for each channel.
    Futures(Box<dyn Fn(Channel) -> UserFuture + Send + Sync>),
}

impl Application {
    pub(super) fn futures<F, Fut>(on_connection: F) -> Self
    where
        F: Fn(Channel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerResult> + Send + 'static,
    {
        Self::Futures(Box::new(move |channel| {
            let id = channel.id();
            callback::reporting(on_connection(channel), id)
        }))
    }

    /// Tells the user that a client has connected. The user's future, if it is one, is returned for
    /// the channel's task to drive.
    pub(super) fn connect(&self, channel: &Channel) -> Option<UserFuture> {
        match self {
            Self::Handler(handler) => {
                guard(channel.id(), "connect", || handler.connect(channel));
                None
            }
            Self::Futures(on_connection) => {
                let future =
                    guard(channel.id(), "on_connection", || on_connection(channel.clone()));
                if future.is_none() {
                    channel.close();
                }
                future
            }
        }
    }

    /// Tells the user that a connection has ended.
    pub(super) fn disconnect(&self, channel: &Channel, disconnected: &Disconnected) {
        match self {
            Self::Handler(handler) => {
                guard(channel.id(), "disconnect", || handler.disconnect(channel, disconnected));
            }
            Self::Futures(_) => {} // recv() returns `None`
        }
    }

    /// Whether the user takes messages of this channel now. If not, the task is woken when that changes.
    pub(super) fn has_room(&self, channel: &Channel, cx: &TaskContext<'_>) -> bool {
        match self {
            // A handler that panics is no reason to stop reading for ever.
            Self::Handler(handler) => {
                guard(channel.id(), "poll_ready", || handler.poll_ready(channel, cx))
                    .is_none_or(|ready| ready.is_ready())
            }
            Self::Futures(_) => {
                let inbox = &channel.shared.inbox;
                inbox.as_ref().is_none_or(|inbox| inbox.poll_room(cx).is_ready())
            }
        }
    }

    /// Whether messages are to be queued for `recv()`.
    pub(super) fn wants_inbox(&self) -> bool {
        matches!(self, Self::Futures(_))
    }
}

/// Bytes of replies that are gathered in one go before they queue like other messages.
const MAX_DIRECT_BYTES: usize = 1 << 20;
