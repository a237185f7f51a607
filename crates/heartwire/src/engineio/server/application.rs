//! What the user does with connections: callbacks, or a future for each.

use std::future::Future;

use heartwire_proto::engineio::{Message, MessageRef};
use heartwire_proto::websocket::CompressionPool;

use super::super::disconnected::{Disconnected, SendError};
use super::super::outgoing::{Outgoing, encode_message};
use super::connection::Connection;
use crate::callback::{self, HandlerResult, UserFuture, guard};
use crate::codec::Codec;

/// Callbacks for the connections of a server: the way with the least work a message.
///
/// They run on the thread that serves the connection, and everything else that this thread serves
/// waits: return soon. Work that takes long, or waits, belongs into a task of its own, or into
/// [`Server::on_connection`](super::Server::on_connection).
///
/// A callback that panics is reported and the connection goes on.
pub trait Handler: Send + Sync + 'static {
    /// A client has connected. Called once, before anything else for this connection.
    fn connect(&self, connection: &Connection) {
        let _ = connection;
    }

    /// A client has sent a message. Called in the order in which they were sent.
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>);

    /// A client that has come over polling goes on over a WebSocket. Called once, before anything that
    /// the WebSocket brings; messages of a POST that is still under way may come at the same time.
    fn upgraded(&self, connection: &Connection) {
        let _ = connection;
    }

    /// A connection has ended. Called once, after everything else for this connection.
    fn disconnect(&self, connection: &Connection, disconnected: &Disconnected) {
        let _ = (connection, disconnected);
    }
}

/// The connection that a message came from, and the shortest way back.
pub struct Context<'a> {
    connection: &'a Connection,
    /// Where frames for a WebSocket are gathered; polling has no such shortcut.
    output: Option<Direct<'a>>,
    /// Messages that took the shortcut.
    replies: &'a mut usize,
}

/// Where the frames of a WebSocket are gathered.
pub(super) struct Direct<'a> {
    pub(super) codec: &'a mut Codec,
    pub(super) pool: &'a mut CompressionPool,
    pub(super) output: &'a mut Vec<u8>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        output: Option<Direct<'a>>,
        replies: &'a mut usize,
    ) -> Self {
        Self { connection, output, replies }
    }

    /// The connection that the message came from.
    pub fn connection(&self) -> &Connection {
        self.connection
    }

    /// Answers with a message. Over a WebSocket it is encoded straight into what is written next, which
    /// costs no allocation.
    ///
    /// # Errors
    ///
    /// As [`Connection::try_send`].
    #[inline]
    pub fn reply(&mut self, message: MessageRef<'_>) -> Result<(), SendError> {
        let mailbox = &self.connection.shared.mailbox;
        match &mut self.output {
            // What waits in the mailbox was sent earlier and goes first.
            Some(Direct { codec, pool, output })
                if !mailbox.is_dirty() && output.len() < MAX_DIRECT_BYTES =>
            {
                encode_message(message, codec, pool, output);
                *self.replies += 1;
                Ok(())
            }
            _ => Ok(mailbox.push(Outgoing::Message(Message::from(message)))?),
        }
    }
}

/// What the user does with connections.
pub(super) enum Application {
    /// Callbacks.
    Handler(Box<dyn Handler>),
    /// A future for each connection.
    Futures(Box<dyn Fn(Connection) -> UserFuture + Send + Sync>),
}

impl Application {
    pub(super) fn futures<F, Fut>(on_connection: F) -> Self
    where
        F: Fn(Connection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: HandlerResult> + Send + 'static,
    {
        Self::Futures(Box::new(move |connection| {
            let name = connection.id().prefix().to_owned();
            callback::reporting(on_connection(connection), name)
        }))
    }

    /// Tells the user that a client has connected. The user's future, if it is one, is returned for
    /// the connection's task to drive.
    pub(super) fn connect(&self, connection: &Connection) -> Option<UserFuture> {
        match self {
            Self::Handler(handler) => {
                guard(connection.id().prefix(), "connect", || handler.connect(connection));
                None
            }
            Self::Futures(on_connection) => {
                let future = guard(connection.id().prefix(), "on_connection", || {
                    on_connection(connection.clone())
                });
                if future.is_none() {
                    connection.close();
                }
                future
            }
        }
    }

    /// Tells the user that a client has left polling for a WebSocket.
    pub(super) fn upgraded(&self, connection: &Connection) {
        match self {
            Self::Handler(handler) => {
                guard(connection.id().prefix(), "upgraded", || handler.upgraded(connection));
            }
            Self::Futures(_) => {} // the transport tells
        }
    }

    /// Tells the user that a connection has ended.
    pub(super) fn disconnect(&self, connection: &Connection, disconnected: &Disconnected) {
        match self {
            Self::Handler(handler) => {
                guard(connection.id().prefix(), "disconnect", || {
                    handler.disconnect(connection, disconnected)
                });
            }
            Self::Futures(_) => {} // recv() returns `None`
        }
    }

    /// Whether messages are to be queued for `recv()`.
    pub(super) fn wants_inbox(&self) -> bool {
        matches!(self, Self::Futures(_))
    }
}

/// Bytes of replies that are gathered in one go before they queue like other messages.
const MAX_DIRECT_BYTES: usize = 1 << 20;
