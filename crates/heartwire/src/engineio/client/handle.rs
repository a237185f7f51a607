//! The client as the user holds it.

use std::fmt;
use std::future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use heartwire_proto::engineio::{Handshake, Message, SessionId, Transport};
use heartwire_proto::shared::Ending;
use tokio::runtime;
use tokio::sync::oneshot;

use super::super::disconnected::SendError;
use super::error::{ConnectError, ConnectErrorKind};
use super::event::Event;
use super::http::Http;
use super::options::{ClientBuilder, Options};
use super::run;
use super::shared::{ClientState, Shared};

/// An Engine.IO client. Clones are handles to the same connection; when the last one is dropped, the
/// connection is closed, without waiting for it.
///
/// ```no_run
/// use heartwire::engineio::client::{Client, Event};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder("http://localhost:5000").connect().await?;
/// client.send("hello").await?;
/// while let Some(event) = client.next().await {
///     match event {
///         Event::Message(message) => println!("{message:?}"),
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
    /// The connection could not be opened over any of the transports.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        self.connect_on(&runtime::Handle::current()).await
    }

    /// Connects, with the task of the connection on `runtime`; the future itself can be awaited anywhere.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_on(self, runtime: &runtime::Handle) -> Result<Client, ConnectError> {
        let (client, opened) = self.launch(runtime)?;
        opened.await.map(|()| client)
    }

    /// Starts to connect, and does not wait for it: messages can be sent at once, and what becomes of the
    /// attempts is told by events. Needs a tokio runtime.
    ///
    /// ```no_run
    /// use heartwire::engineio::client::{Client, Event};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let backoff = heartwire::Backoff::new();
    /// let client =
    ///     Client::builder("http://localhost:5000").reconnect(backoff).retry_first(true).start()?;
    /// client.send("sent as soon as there is a session").await?;
    /// while let Some(event) = client.next().await {
    ///     match event {
    ///         Event::Connected(connected) => println!("connected over {}", connected.transport),
    ///         Event::ReconnectFailed { attempt, error } => println!("{attempt}: {error}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The address or an option cannot be used.
    pub fn start(self) -> Result<Client, ConnectError> {
        self.start_on(&runtime::Handle::current())
    }

    /// Starts to connect, with the task of the connection on `runtime`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_on(self, runtime: &runtime::Handle) -> Result<Client, ConnectError> {
        Client::spawn(self.check()?, runtime, None)
    }

    /// Starts to connect. The client is there at once; the future says when it is connected, or why not.
    pub(crate) fn launch(
        self,
        runtime: &runtime::Handle,
    ) -> Result<(Client, impl Future<Output = Result<(), ConnectError>> + use<>), ConnectError>
    {
        let (opened, result) = oneshot::channel();
        let client = Client::spawn(self.check()?, runtime, Some(opened))?;
        let result = async {
            result.await.unwrap_or_else(|_| {
                let message = "the runtime stopped before the connection was open";
                Err(ConnectError::new(ConnectErrorKind::Cancelled, message))
            })
        };
        Ok((client, result))
    }
}

impl Client {
    /// A client of the server at `url`, with options.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    /// Connects to the server at `url` with every option at its default.
    ///
    /// # Errors
    ///
    /// The connection could not be opened.
    pub async fn connect(url: impl Into<String>) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Starts the task of a client.
    fn spawn(
        options: Options,
        runtime: &runtime::Handle,
        opened: Option<oneshot::Sender<Result<(), ConnectError>>>,
    ) -> Result<Self, ConnectError> {
        let shared = Arc::new(Shared::new(&options));
        // Its agent belongs to the runtime that it is used on.
        let http = {
            let _entered = runtime.enter();
            Arc::new(Http::new(options)?)
        };
        // If the client is dropped, so is the handle, and the attempt ends.
        let client = Self { handle: Arc::new(Handle { shared: shared.clone() }) };
        runtime.spawn(run::run(run::EndGuard(shared), http, opened));
        Ok(client)
    }

    /// Receives the next event; `None` when the connection has ended for good and everything was
    /// received. Where several tasks receive, each event goes to one of them.
    ///
    /// The connection is kept alive whether this is called or not. It stops reading when more waits
    /// than [`ClientBuilder::receive_limit`].
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn next(&self) -> Option<Event> {
        future::poll_fn(|cx| self.handle.shared.inbox.poll_take(cx)).await
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

    /// Events that wait to be received.
    pub fn pending(&self) -> usize {
        self.handle.shared.inbox.len()
    }

    /// Sends a message, waiting for room if too much waits already. It is delivered once and in order,
    /// or counted in [`Disconnected::unsent`](super::super::Disconnected::unsent).
    ///
    /// Cancel safety: a message is either accepted or not touched; a future that is dropped before it
    /// is ready has not sent.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the connection ends or has ended, [`SendError::TooLarge`] when the
    /// server does not accept messages of this size.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = self.handle.shared.check(message.into())?;
        Ok(self.handle.shared.mailbox.push_when_ready(message).await?)
    }

    /// Sends a message, if there is room for it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`SendError::Full`] when too much waits already.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = self.handle.shared.check(message.into())?;
        Ok(self.handle.shared.mailbox.push(message)?)
    }

    /// The transport that messages travel over; `None` while no session is open.
    pub fn transport(&self) -> Option<Transport> {
        self.handle.shared.transport()
    }

    /// The session's id; `None` while no session is open.
    pub fn sid(&self) -> Option<SessionId> {
        self.handle.shared.handshake().map(|handshake| handshake.sid.clone())
    }

    /// What the server has told about the session; `None` while no session is open.
    pub fn handshake(&self) -> Option<Handshake> {
        self.handle.shared.handshake().map(Arc::unwrap_or_clone)
    }

    /// Where the client stands.
    pub fn state(&self) -> ClientState {
        self.handle.shared.state()
    }

    /// The one of the client's [subprotocols](ClientBuilder::subprotocols) that the server has chosen;
    /// `None` while no session is open, or messages travel by polling.
    pub fn subprotocol(&self) -> Option<String> {
        self.handle.shared.protocol()
    }

    /// Messages, and bytes of payload, that wait to be sent.
    pub fn waiting(&self) -> (usize, usize) {
        self.handle.shared.mailbox.waiting()
    }

    /// Ends the connection when everything that was sent is on its way, and returns when it has ended.
    /// Takes no longer than [`ClientBuilder::close_timeout`]. Events that were not received stay.
    pub async fn disconnect(&self) {
        self.close();
        self.closed().await;
    }

    /// Begins to end the connection, once everything that was sent is on its way.
    pub fn close(&self) {
        self.handle.shared.mailbox.close(Ending::Flush);
    }

    /// Ends the connection at once. What waits is not sent.
    pub fn close_now(&self) {
        self.handle.shared.mailbox.close(Ending::Discard);
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

/// Events, as [`next`](Client::next) gives them.
impl Stream for Client {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.handle.shared.inbox.poll_take(cx)
    }
}

/// Messages, as [`send`](Client::send) takes them. It is ready when there is room for a message, however
/// long that is: the bytes that wait may exceed their limit by one message for each clone that sends.
/// Flushing waits until the connection has taken everything; closing, until it has ended.
impl Sink<Message> for Client {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.handle.shared.mailbox.poll_room(cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let message = self.handle.shared.check(message)?;
        Ok(self.handle.shared.mailbox.push_over(message)?)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.handle.shared.mailbox.poll_empty(cx).map(Ok)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.close();
        match self.handle.shared.inbox.poll_closed(cx) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
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
        self.shared.mailbox.close(Ending::Flush);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("transport", &self.transport()).finish_non_exhaustive()
    }
}
