//! A blocking repod client: start, send, receive, close.

use std::collections::VecDeque;
use std::fmt;
use std::iter;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use heartwire_proto::shared::after;
use serde::Serialize;

use super::super::strand::{Source, Strand};
use crate::background::{self, block_on, block_on_until};
use crate::repod::client::{ConnectError, ConnectErrorKind, Event, State};
use crate::repod::{self, Disconnected, Message, RoundTrip, SendError, Statistics};

/// What [`Client::builder`] collects.
pub type ClientBuilder = repod::ClientBuilder;

/// A repod client for programs without an async runtime. Clones are handles to the same client.
///
/// The network has a thread of its own: no call waits for it, except those that say so. What the server
/// sends is either taken, by [`pump`](Self::pump), [`recv`](Self::recv) and their kin, or handled, by
/// handlers that were set before the client was started.
///
/// ```no_run
/// use heartwire::blocking::repod::Client;
/// use serde_json::json;
///
/// let client = Client::new("localhost", 5071);
/// client.start_background();
/// client.send(&json!({"action": "login", "username": "alice"}))?;
/// while let Some(message) = client.recv() {
///     println!("{}: {message:?}", message.action());
/// }
/// # Ok::<_, heartwire::repod::SendError>(())
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    builder: ClientBuilder,
    /// Starts of the client, the oldest of which something may be left to take.
    starts: Mutex<Starts>,
    handlers: RwLock<Handlers>,
    strand: Arc<Strand>,
}

#[derive(Default)]
struct Starts {
    clients: VecDeque<repod::Client>,
    /// Why the client could not be started, until that is taken.
    failure: Option<ConnectError>,
    failed: bool,
}

#[derive(Clone, Default)]
#[expect(clippy::type_complexity, reason = "an alias would hide what a handler is given")]
struct Handlers {
    message: Option<Arc<dyn Fn(&Client, Message) + Send + Sync>>,
    event: Option<Arc<dyn Fn(&Client, &Event) + Send + Sync>>,
}

impl Client {
    /// A client of the server at `host` and `port`, with every option at its default. It connects when
    /// it is [started](Self::start_background).
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self::with(repod::Client::builder(host, port))
    }

    /// Options for a client of the server at `host` and `port`, for [`with`](Self::with).
    pub fn builder(host: impl Into<String>, port: u16) -> ClientBuilder {
        repod::Client::builder(host, port)
    }

    /// A client with options. It connects when it is [started](Self::start_background).
    pub fn with(builder: ClientBuilder) -> Self {
        Self {
            inner: Arc::new(Inner {
                builder,
                starts: Mutex::default(),
                handlers: RwLock::default(),
                strand: Strand::new(),
            }),
        }
    }

    /// The server's name or address, and its port, as they were given.
    pub fn address(&self) -> (&str, u16) {
        self.inner.builder.address()
    }

    /// Calls `handler` for each message. Handlers run one after the other, in the order in which things
    /// happen, never on the thread that serves the network, and may call everything. Set it before the
    /// client is started: from then on messages can not be taken otherwise.
    pub fn on_message(&self, handler: impl Fn(&Self, Message) + Send + Sync + 'static) {
        self.handlers_mut(|handlers| handlers.message = Some(Arc::new(handler)));
    }

    /// Calls `handler` for each event, messages included, before the handler for messages. As
    /// [`on_message`](Self::on_message) otherwise.
    pub fn on_event(&self, handler: impl Fn(&Self, &Event) + Send + Sync + 'static) {
        self.handlers_mut(|handlers| handlers.event = Some(Arc::new(handler)));
    }

    /// Starts to connect, in the background, and returns at once: what is sent meanwhile waits. Does
    /// nothing while the client is connected or connects. When that has ended, connects anew.
    pub fn start_background(&self) {
        let mut starts = self.starts();
        if starts.clients.back().is_some_and(|client| !client.is_closed()) {
            return;
        }
        let runtime = match background::handle() {
            Ok(runtime) => runtime,
            Err(error) => {
                let message = "cannot start the background thread";
                let kind = ConnectErrorKind::NoThread;
                starts.failure = Some(ConnectError::caused(kind, message, error));
                starts.failed = true;
                return;
            }
        };
        starts.failed = false;
        let client = self.inner.builder.clone().start_on(&runtime);
        let handlers = self.handlers();
        if handlers.message.is_some() || handlers.event.is_some() {
            let handled = Handled { client: Arc::downgrade(&self.inner), start: client.clone() };
            starts.clients.clear(); // those before have handlers, too
            starts.clients.push_back(client);
            drop(starts);
            self.inner.strand.add(Box::new(handled));
        } else {
            starts.clients.push_back(client);
        }
    }

    /// Sends a message, which is any value that serialises to a map. Returns the bytes that were
    /// queued; 0 when the client was never started, could not connect, or is closed. While it connects,
    /// messages wait. What is queued is delivered once and in order, or counted in
    /// [`Disconnected::unsent`] or [`Event::GaveUp`].
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] when the value cannot be sent, [`SendError::Full`] when too much waits
    /// already ([`ClientBuilder::send_limits`]). It is not looked at where 0 is returned.
    pub fn send<T: Serialize + ?Sized>(&self, message: &T) -> Result<usize, SendError> {
        let Some(client) = self.current().filter(|client| !client.is_closed()) else {
            return Ok(0);
        };
        match client.try_send(message) {
            Err(SendError::Closed) => Ok(0),
            result => result,
        }
    }

    /// Takes the messages that wait at this moment, in order, without waiting for more. Other events
    /// between them are dropped: take [events](Self::pump_events) to see them.
    pub fn pump(&self) -> impl Iterator<Item = Message> {
        self.pump_events().filter_map(|event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        })
    }

    /// Takes the events that wait at this moment, in order, without waiting for more.
    pub fn pump_events(&self) -> impl Iterator<Item = Event> {
        let mut left = self.pending();
        iter::from_fn(move || {
            left = left.checked_sub(1)?;
            self.try_next()
        })
    }

    /// Waits for the next message; `None` when the connection has ended for good, or was never started,
    /// and everything was taken. Other events before it are dropped.
    pub fn recv(&self) -> Option<Message> {
        loop {
            if let Event::Message(message) = self.next()? {
                return Some(message);
            }
        }
    }

    /// Waits for the next message as [`recv`](Self::recv) does, but no longer than `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Message> {
        let deadline = after(Instant::now(), timeout);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Event::Message(message) = self.next_timeout(left)? {
                return Some(message);
            }
        }
    }

    /// The messages from now on, waiting for each, as [`recv`](Self::recv) does.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        iter::from_fn(|| self.recv())
    }

    /// Waits for the next event; `None` when the connection has ended for good, or was never started, and
    /// everything was taken.
    pub fn next(&self) -> Option<Event> {
        block_on(std::future::poll_fn(|cx| self.poll_next(cx)))
    }

    /// Waits for the next event as [`next`](Self::next) does, but no longer than `timeout`.
    pub fn next_timeout(&self, timeout: Duration) -> Option<Event> {
        let next = std::future::poll_fn(|cx| self.poll_next(cx));
        block_on_until(next, after(Instant::now(), timeout)).flatten()
    }

    /// The next event, if it is there already.
    pub fn try_next(&self) -> Option<Event> {
        match self.poll_next(&Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }

    /// Events that wait to be taken.
    pub fn pending(&self) -> usize {
        let starts = self.starts();
        let waiting: usize = starts.clients.iter().map(repod::Client::pending).sum();
        waiting + usize::from(starts.failure.is_some())
    }

    /// Ends the connection: sends everything that waits and returns when that is on its way, after
    /// [`ClientBuilder::linger`] at the latest. An attempt to connect is given up, at once if nothing
    /// waits to be sent. Does nothing where there is no connection. Events that were not taken stay.
    pub fn close(&self) {
        if let Some(client) = self.current() {
            client.close();
            block_on(client.closed());
        }
    }

    /// Ends the connection at once. What waits is not sent.
    pub fn close_now(&self) {
        if let Some(client) = self.current() {
            client.close_now();
        }
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        let starts = self.starts();
        match starts.clients.back() {
            _ if starts.failed => State::Failed,
            Some(client) => client.state(),
            None => State::Idle,
        }
    }

    /// Whether a connection is open.
    pub fn is_connected(&self) -> bool {
        self.state() == State::Open
    }

    /// How the last connection has ended; `None` if none has.
    pub fn disconnected(&self) -> Option<Disconnected> {
        self.current()?.disconnected()
    }

    /// What went over the client's connections since it was last started.
    pub fn statistics(&self) -> Statistics {
        self.current().map(|client| client.statistics()).unwrap_or_default()
    }

    /// How long the way to the server and back takes, as [`repod::Client::round_trip`].
    pub fn round_trip(&self) -> Option<RoundTrip> {
        self.current()?.round_trip()
    }

    /// Messages, and bytes of their frames, that wait to be sent.
    pub fn waiting(&self) -> (usize, usize) {
        self.current().map(|client| client.waiting()).unwrap_or_default()
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut starts = self.starts();
        while let Some(client) = starts.clients.front() {
            match client.poll_next(cx) {
                // The last one stays, for its state.
                Poll::Ready(None) if starts.clients.len() > 1 => {
                    starts.clients.pop_front();
                }
                Poll::Ready(None) => break,
                Poll::Ready(event) => return Poll::Ready(event),
                Poll::Pending => return Poll::Pending,
            }
        }
        let failure = starts.failure.take();
        Poll::Ready(failure.map(|error| Event::ConnectFailed { attempt: 0, error }))
    }

    /// The client as it was last started.
    fn current(&self) -> Option<repod::Client> {
        self.starts().clients.back().cloned()
    }

    fn starts(&self) -> MutexGuard<'_, Starts> {
        self.inner.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handlers(&self) -> Handlers {
        self.inner.handlers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn handlers_mut(&self, change: impl FnOnce(&mut Handlers)) {
        change(&mut self.inner.handlers.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn handle(&self, event: Event) {
        let handlers = self.handlers();
        if let Some(handler) = handlers.event {
            guard("event", || handler(self, &event));
        }
        if let (Event::Message(message), Some(handler)) = (event, handlers.message) {
            guard("message", || handler(self, message));
        }
    }
}

/// The events of one start, for the handlers.
struct Handled {
    /// Weak, so that a client that nobody holds any more ends its connection.
    client: Weak<Inner>,
    start: repod::Client,
}

impl Source for Handled {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let event = ready!(self.start.poll_next(cx));
        match (event, self.client.upgrade()) {
            (Some(event), Some(inner)) => Client { inner }.handle(event),
            (Some(_), None) => {}
            (None, _) => return Poll::Ready(false),
        }
        Poll::Ready(true)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // With handlers, the strand holds the client too, until its connection has ended.
        let starts = self.starts.get_mut().unwrap_or_else(PoisonError::into_inner);
        starts.clients.iter().for_each(repod::Client::close);
    }
}

/// Runs a handler; a panic ends nothing but the handler.
fn guard(handler: &str, call: impl FnOnce()) {
    if panic::catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!(handler, "handler panicked");
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
