//! The client as the user holds it.

use std::fmt;
use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use heartwire_proto::repod::{Frame, Message};
use heartwire_proto::shared::Ending;
use heartwire_sys::RoundTrip;
use serde::Serialize;
use tokio::runtime;
use tokio::sync::oneshot;

use super::super::disconnected::{Disconnected, SendError};
use super::super::traffic::Statistics;
use super::error::{ConnectError, ConnectErrorKind};
use super::event::{Event, State};
use super::options::ClientBuilder;
use super::run::{self, EndGuard, Opened};
use super::shared::Shared;

/// A repod client. Clones are handles to the same connection; when the last is dropped, it is closed.
///
/// ```no_run
/// use heartwire::repod::client::{Client, Event};
/// use serde_json::json;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("localhost", 5071).await?;
/// client.send(&json!({"action": "login", "username": "alice"})).await?;
/// while let Some(event) = client.next().await {
///     match event {
///         Event::Message(message) => println!("{}: {message:?}", message.action()),
///         Event::Disconnected(disconnected) => println!("disconnected: {disconnected}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Closes the connection when the last client is dropped.
struct Handle {
    shared: Arc<Shared>,
}

impl ClientBuilder {
    /// Connects. Needs a tokio runtime.
    ///
    /// Cancel safety: dropping the future gives the attempt up.
    ///
    /// # Errors
    ///
    /// The connection could not be opened. It is not tried again, even where
    /// [`reconnect`](Self::reconnect) is on.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let (opened, result) = oneshot::channel();
        let client = self.start_with(&runtime::Handle::current(), Some(opened));
        match result.await {
            Ok(result) => result.map(|()| client),
            Err(_) => Err(ConnectError::new(
                ConnectErrorKind::Cancelled,
                "the runtime stopped before the connection was open",
            )),
        }
    }

    /// Begins to connect, and returns at once: what is sent meanwhile waits. How it goes is told by
    /// [events](Event). Needs a tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self) -> Client {
        self.start_with(&runtime::Handle::current(), None)
    }

    /// As [`start`](Self::start), with the task of the connection on `runtime`.
    pub(crate) fn start_on(self, runtime: &runtime::Handle) -> Client {
        self.start_with(runtime, None)
    }

    fn start_with(self, runtime: &runtime::Handle, opened: Opened) -> Client {
        let shared = Arc::new(Shared::new(&self.options));
        runtime.spawn(run::run(EndGuard(shared.clone()), self.options, opened));
        Client { handle: Arc::new(Handle { shared }) }
    }
}

impl Client {
    /// A client of the server at `host` and `port`, with options.
    pub fn builder(host: impl Into<String>, port: u16) -> ClientBuilder {
        ClientBuilder::new(host, port)
    }

    /// Connects to the server at `host` and `port`, with every option at its default.
    ///
    /// # Errors
    ///
    /// The connection could not be opened.
    pub async fn connect(host: impl Into<String>, port: u16) -> Result<Self, ConnectError> {
        Self::builder(host, port).connect().await
    }

    /// Receives the next event; `None` when the connection has ended for good and everything was
    /// received. Where several tasks receive, each event goes to one of them.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn next(&self) -> Option<Event> {
        future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same as [`next`](Self::next), for who polls.
    pub fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        self.handle.shared.inbox.poll_take(cx)
    }

    /// Receives up to `limit` events at once, and adds them to `events`. Returns how many: zero when the
    /// connection has ended for good and everything was received.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn next_many(&self, events: &mut Vec<Event>, limit: usize) -> usize {
        future::poll_fn(|cx| self.poll_next_many(cx, events, limit)).await
    }

    /// The same as [`next_many`](Self::next_many), for who polls.
    pub fn poll_next_many(
        &self,
        cx: &Context<'_>,
        events: &mut Vec<Event>,
        limit: usize,
    ) -> Poll<usize> {
        self.handle.shared.inbox.poll_take_many(cx, limit, events)
    }

    /// Receives the next message, and drops the events before it; `None` when the connection has ended
    /// for good and everything was received.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken no message.
    pub async fn recv(&self) -> Option<Message> {
        loop {
            if let Event::Message(message) = self.next().await? {
                return Some(message);
            }
        }
    }

    /// Events that wait to be received.
    pub fn pending(&self) -> usize {
        self.handle.shared.inbox.len()
    }

    /// Sends a message, which is any value that serialises to a map, waiting for room if too much waits
    /// already. It is delivered once and in order, or counted in [`Disconnected::unsent`] or
    /// [`Event::GaveUp`]. Before the connection is open, it waits.
    ///
    /// Cancel safety: a message is either accepted or not touched; a future that is dropped before it
    /// is ready has not sent.
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] when the value cannot be sent, [`SendError::Closed`] when the connection
    /// ends or has ended.
    pub async fn send<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), SendError> {
        let frame = Frame::encode(message)?;
        Ok(self.handle.shared.mailbox.push_when_ready(frame).await?)
    }

    /// Sends a message, if there is room for it. Returns the bytes of its frame.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`SendError::Full`] when too much waits already.
    pub fn try_send<T: Serialize + ?Sized>(&self, message: &T) -> Result<usize, SendError> {
        let frame = Frame::encode(message)?;
        let length = frame.len();
        self.try_send_frame(frame).map(|()| length)
    }

    /// Sends a message that is encoded already, if there is room for it.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_frame(&self, frame: Frame) -> Result<(), SendError> {
        Ok(self.handle.shared.send(frame)?)
    }

    /// The server's name or address, and its port, as they were given.
    pub fn address(&self) -> (&str, u16) {
        (&self.handle.shared.host, self.handle.shared.port)
    }

    /// The address of the server that the client is connected to; `None` while it is not.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.handle.shared.status().addr
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        match self.handle.shared.status().state {
            State::Connecting | State::Open if self.is_closed() => State::Closed,
            state => state,
        }
    }

    /// How the last connection has ended; `None` if none has.
    pub fn disconnected(&self) -> Option<Disconnected> {
        self.handle.shared.status().disconnected.clone()
    }

    /// What went over the client's connections so far.
    pub fn statistics(&self) -> Statistics {
        self.handle.shared.traffic.statistics()
    }

    /// How long the way to the server and back takes, as the kernel has measured it at the latest
    /// traffic; the server need not know of it. `None` where the system does not tell: only Linux does.
    pub fn round_trip(&self) -> Option<RoundTrip> {
        self.handle.shared.traffic.round_trip()
    }

    /// Messages, and bytes of their frames, that wait to be sent.
    pub fn waiting(&self) -> (usize, usize) {
        self.handle.shared.mailbox.waiting()
    }

    /// Ends the connection when everything that was sent is on its way, and returns when it has ended.
    /// Takes no longer than [`ClientBuilder::linger`]. Events that were not received stay.
    pub async fn disconnect(&self) {
        self.close();
        self.closed().await;
    }

    /// Begins to end the connection, once everything that was sent is on its way. An attempt to connect
    /// is given up, at once if nothing waits to be sent, or else after the linger time.
    pub fn close(&self) {
        self.handle.shared.close(Ending::Flush);
    }

    /// Ends the connection at once. What waits is not sent.
    pub fn close_now(&self) {
        self.handle.shared.close(Ending::Discard);
    }

    /// Waits until the connection has ended for good.
    pub async fn closed(&self) {
        let inbox = &self.handle.shared.inbox;
        future::poll_fn(|cx| if inbox.poll_closed(cx) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// Whether the connection ends or has ended for good.
    pub fn is_closed(&self) -> bool {
        self.handle.shared.mailbox.is_closed()
    }
}

impl Shared {
    fn close(&self, ending: Ending) {
        self.closed_at.get_or_init(Instant::now);
        self.mailbox.close(ending);
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }
}

impl Eq for Client {}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(Ending::Flush);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
