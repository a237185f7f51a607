//! One client, as the application sees it.

use std::fmt;
use std::future;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heartwire_proto::engineio::{Message, SessionId, Transport};
use heartwire_proto::shared::Ending;

use super::super::disconnected::{Disconnected, SendError};
use super::super::outgoing::{Outgoing, PreparedMessage};
use super::super::written::Written;
use super::facts::RequestFacts;
use super::home::Home;
use super::socket::Socket;
use crate::inbox::Inbox;
use crate::mailbox::Mailbox;
use crate::outcome::Outcome;

/// One client, as the application sees it. Clones are handles to the same connection, for use from any
/// thread or task.
#[derive(Clone)]
pub struct Connection {
    pub(super) shared: Arc<Shared>,
}

/// What everybody who has to do with a session holds.
pub(super) struct Shared {
    pub(super) id: SessionId,
    pub(super) request: RequestFacts,
    pub(super) mailbox: Mailbox<Outgoing>,
    /// Where messages wait for `recv()`, if the application asks for them that way.
    pub(super) inbox: Option<Box<Inbox<Message>>>,
    /// Where the session lives.
    home: Mutex<Home>,
    flags: AtomicU8,
    /// What the session's WebSocket has taken, and its network has not.
    unsent: Unsent,
    pub(super) outcome: Outcome<Disconnected>,
}

/// Messages and bytes behind the queue.
#[derive(Default)]
struct Unsent {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

impl Connection {
    /// The id of the session. It is what the client shows to be let in: treat it as a secret.
    pub fn id(&self) -> &SessionId {
        &self.shared.id
    }

    /// The transport that messages travel over; after the end, the last one.
    pub fn transport(&self) -> Transport {
        self.shared.transport()
    }

    /// What is kept of the request that opened the connection.
    pub fn request(&self) -> &RequestFacts {
        &self.shared.request
    }

    /// Sends a message, waiting for room if too much waits already. It is delivered once and in order,
    /// or counted in [`Disconnected::unsent`].
    ///
    /// Cancel safety: a message is either accepted or not touched; a future that is dropped before it
    /// is ready has not sent.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection ends or has ended.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = Outgoing::Message(message.into());
        Ok(self.shared.mailbox.push_when_ready(message).await?)
    }

    /// Sends a message, if there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] when too much waits already ([`ServerBuilder::send_limits`]), and
    /// [`SendError::Closed`] when the connection ends or has ended.
    ///
    /// [`ServerBuilder::send_limits`]: super::ServerBuilder::send_limits
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        Ok(self.shared.mailbox.push(Outgoing::Message(message.into()))?)
    }

    /// Sends a message as [`send`](Self::send) does, and tells when it was written. Several can be under
    /// way.
    ///
    /// ```
    /// # use heartwire::engineio::{Connection, SendError};
    /// # async fn run(connection: Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let written = connection.send_tracked("the last one").await?;
    /// written.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_tracked(&self, message: impl Into<Message>) -> Result<Written, SendError> {
        let (message, written) = Outgoing::tracked(message.into());
        self.shared.mailbox.push_when_ready(message).await?;
        Ok(written)
    }

    /// Sends a message as [`try_send`](Self::try_send) does, and tells when it was written.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_tracked(&self, message: impl Into<Message>) -> Result<Written, SendError> {
        let (message, written) = Outgoing::tracked(message.into());
        self.shared.mailbox.push(message)?;
        Ok(written)
    }

    /// Sends a message that many connections get, as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared(&self, message: &PreparedMessage) -> Result<(), SendError> {
        let message = Outgoing::Prepared(message.clone());
        Ok(self.shared.mailbox.push_when_ready(message).await?)
    }

    /// Sends a message that many connections get, if there is room for it.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_prepared(&self, message: &PreparedMessage) -> Result<(), SendError> {
        Ok(self.shared.mailbox.push(Outgoing::Prepared(message.clone()))?)
    }

    /// Receives the next message; `None` when the connection has ended and everything was received.
    /// Where several tasks receive, each message goes to one of them.
    ///
    /// A server with a [`Handler`](super::Handler) gives its messages to that: there, this waits for the
    /// end.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn recv(&self) -> Option<Message> {
        match &self.shared.inbox {
            Some(inbox) => future::poll_fn(|cx| inbox.poll_take(cx)).await,
            None => {
                self.closed().await;
                None
            }
        }
    }

    /// Ends the connection when everything that was sent is on its way. Says nothing where it ends
    /// already.
    pub fn close(&self) {
        self.shared.mailbox.close(Ending::Flush);
    }

    /// Ends the connection at once. What waits is not sent.
    pub fn close_now(&self) {
        self.shared.mailbox.close(Ending::Discard);
    }

    /// Whether messages are refused, because the connection ends or has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.mailbox.is_closed()
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> Disconnected {
        self.shared.outcome.wait().await
    }

    /// Stops reading from the client: once this has returned, the message that is being handled is the
    /// last for now. What the client sends meanwhile waits with it, and its heartbeat is not expected; a
    /// client that disappears is not noticed before reading goes on.
    ///
    /// With [`recv`](Self::recv) there is no need for it: who does not receive is not read from
    /// ([`ServerBuilder::receive_limit`]).
    ///
    /// [`ServerBuilder::receive_limit`]: super::ServerBuilder::receive_limit
    pub fn pause_reading(&self) {
        self.shared.flags.fetch_or(PAUSED, Ordering::Relaxed);
    }

    /// Goes on reading from the client.
    pub fn resume_reading(&self) {
        if self.shared.flags.fetch_and(!PAUSED, Ordering::Relaxed) & PAUSED != 0 {
            self.shared.mailbox.nudge();
        }
    }

    /// Messages, and bytes, that wait: in the queue, or behind it for a network that does not take them.
    /// The [limits](super::ServerBuilder::send_limits) are those of the queue. What was given to the
    /// network counts until all of it is taken, message by message, and byte by byte.
    pub fn waiting(&self) -> (usize, usize) {
        let (messages, bytes) = self.shared.mailbox.waiting();
        let Unsent { messages: given, bytes: left } = &self.shared.unsent;
        (messages + given.load(Ordering::Relaxed), bytes + left.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.shared.id)
            .field("transport", &self.transport())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Connection {}

impl Shared {
    pub(super) fn new(
        id: SessionId,
        request: RequestFacts,
        mailbox: Mailbox<Outgoing>,
        inbox: Option<Box<Inbox<Message>>>,
        home: Home,
        transport: Transport,
    ) -> Self {
        Self {
            id,
            request,
            mailbox,
            inbox,
            home: Mutex::new(home),
            flags: AtomicU8::new(match transport {
                Transport::Polling => 0,
                Transport::WebSocket => WEBSOCKET,
            }),
            unsent: Unsent::default(),
            outcome: Outcome::new(),
        }
    }

    pub(super) fn transport(&self) -> Transport {
        if self.has(WEBSOCKET) { Transport::WebSocket } else { Transport::Polling }
    }

    pub(super) fn set_upgraded(&self) {
        self.flags.fetch_or(WEBSOCKET, Ordering::Relaxed);
    }

    /// Whether the application knows of the session.
    pub(super) fn is_announced(&self) -> bool {
        self.has(ANNOUNCED)
    }

    pub(super) fn set_announced(&self) {
        self.flags.fetch_or(ANNOUNCED, Ordering::Relaxed);
    }

    /// Whether nothing is to be read from the client.
    #[inline]
    pub(super) fn is_paused(&self) -> bool {
        self.has(PAUSED)
    }

    /// Whether the application takes what the client sends: it has not paused, and has received enough
    /// of what is there.
    pub(super) fn listens(&self) -> bool {
        !self.is_paused() && self.inbox.as_ref().is_none_or(|inbox| inbox.has_room())
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    /// Takes the news of what the session's WebSocket has taken, and its network has not.
    #[inline]
    pub(super) fn set_unsent(&self, messages: usize, bytes: usize) {
        let Unsent { messages: known, bytes: left } = &self.unsent;
        // It is mostly nothing, and was so before.
        if known.load(Ordering::Relaxed) != messages || left.load(Ordering::Relaxed) != bytes {
            known.store(messages, Ordering::Relaxed);
            left.store(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn home(&self) -> MutexGuard<'_, Home> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the session from where it rests, for its task to drive.
    pub(super) fn take_socket(&self) -> Option<Box<Socket>> {
        self.home().socket()?.take()
    }

    /// Lays the session down until its task drives it again.
    pub(super) fn rest_socket(&self, socket: Box<Socket>) {
        *self.home().socket().expect("a session does not go back to polling") = Some(socket);
    }

    /// Lets somebody who is not its task use the session, if nobody else does.
    pub(super) fn with_socket<R>(&self, use_it: impl FnOnce(&mut Socket) -> R) -> Option<R> {
        let mut home = self.home.try_lock().ok()?;
        home.socket()?.as_deref_mut().map(use_it)
    }

    /// Records how the session ended and tells whoever waits for it.
    pub(super) fn set_disconnected(&self, disconnected: Disconnected) {
        self.set_unsent(0, 0);
        self.outcome.set(disconnected);
        if let Some(inbox) = &self.inbox {
            inbox.close();
        }
    }
}

/// The session is on its WebSocket.
const WEBSOCKET: u8 = 1;

/// The application knows of the session.
const ANNOUNCED: u8 = 2;

/// The application wants nothing to be read.
const PAUSED: u8 = 4;
