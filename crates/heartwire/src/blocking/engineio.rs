//! A blocking Engine.IO client: connect, handlers, send, wait.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::strand::{Source, Strand};
use crate::background::{self, block_on};
use crate::engineio::client::{self, ClientState, ConnectError, ConnectErrorKind, Event};
use crate::engineio::{
    ClientBuilder, Disconnected, Handshake, Message, SendError, SessionId, Transport,
};

/// An Engine.IO client with handlers. Clones are handles to the same client.
///
/// Handlers run one after the other, in the order in which things happen, never on the thread that
/// serves the network. They may call everything: `send`, `disconnect`, and, in the disconnect handler,
/// `connect`. The client that they are given is the one that they were registered with.
///
/// ```no_run
/// use heartwire::blocking::engineio::Client;
///
/// let client = Client::new();
/// client.on_connect(|client| client.send("hello").unwrap());
/// client.on_message(|_, message| println!("{message:?}"));
/// client.connect("http://localhost:5000")?;
/// client.wait();
/// # Ok::<_, heartwire::engineio::client::ConnectError>(())
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    handlers: RwLock<Handlers>,
    state: Mutex<State>,
    changed: Condvar,
    strand: Arc<Strand>,
}

#[derive(Clone, Default)]
#[expect(clippy::type_complexity, reason = "an alias would hide what a handler is given")]
struct Handlers {
    connect: Option<Arc<dyn Fn(&Client) + Send + Sync>>,
    message: Option<Arc<dyn Fn(&Client, Message) + Send + Sync>>,
    disconnect: Option<Arc<dyn Fn(&Client, &Disconnected) + Send + Sync>>,
    event: Option<Arc<dyn Fn(&Client, &Event) + Send + Sync>>,
}

/// Where the client stands.
enum State {
    /// No session, and none on its way.
    Disconnected,
    /// A session is being opened.
    Connecting(client::Client),
    /// A session is open, and the connect handler runs on that thread.
    Greeting(client::Client, ThreadId),
    /// A session is open, or its last events are being handled.
    Connected(client::Client),
    /// The session has ended, and the disconnect handler runs.
    Ending,
}

impl Client {
    /// A client that is not connected.
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                handlers: RwLock::default(),
                state: Mutex::new(State::Disconnected),
                changed: Condvar::new(),
                strand: Strand::new(),
            }),
        }
    }

    /// Calls `handler` when a session is open. It runs on the thread that calls
    /// [`connect`](Self::connect), before that returns.
    pub fn on_connect(&self, handler: impl Fn(&Self) + Send + Sync + 'static) {
        self.handlers_mut(|handlers| handlers.connect = Some(Arc::new(handler)));
    }

    /// Calls `handler` for each message from the server. Messages that come while there is no handler
    /// are dropped.
    pub fn on_message(&self, handler: impl Fn(&Self, Message) + Send + Sync + 'static) {
        self.handlers_mut(|handlers| handlers.message = Some(Arc::new(handler)));
    }

    /// Calls `handler` when a session has ended, whoever ended it. It may call
    /// [`connect`](Self::connect): who [waits](Self::wait) goes on waiting then.
    pub fn on_disconnect(&self, handler: impl Fn(&Self, &Disconnected) + Send + Sync + 'static) {
        self.handlers_mut(|handlers| handlers.disconnect = Some(Arc::new(handler)));
    }

    /// Calls `handler` for each [`Event`], before the handler that is there for it alone: upgrades and
    /// attempts to connect again are told this way only. The first event that it gets is the one after
    /// the connection has been opened by [`connect`](Self::connect).
    pub fn on_event(&self, handler: impl Fn(&Self, &Event) + Send + Sync + 'static) {
        self.handlers_mut(|handlers| handlers.event = Some(Arc::new(handler)));
    }

    /// Connects to the server at `url`, with every option at its default.
    ///
    /// # Errors
    ///
    /// The connection could not be opened, or the client is connected already.
    pub fn connect(&self, url: impl Into<String>) -> Result<(), ConnectError> {
        self.connect_with(crate::engineio::Client::builder(url))
    }

    /// Connects with options.
    ///
    /// # Errors
    ///
    /// The connection could not be opened, or the client is connected already.
    ///
    /// # Panics
    ///
    /// If the connect handler panics. The session is ended before.
    pub fn connect_with(&self, builder: ClientBuilder) -> Result<(), ConnectError> {
        let mut state = self.state_lock();
        match *state {
            State::Disconnected | State::Ending => {}
            State::Connecting(_) | State::Greeting(..) | State::Connected(_) => {
                return Err(ConnectError::new(
                    ConnectErrorKind::InvalidState,
                    "the client is not in a disconnected state",
                ));
            }
        }
        // Under the lock: whoever gives the attempt up finds it.
        let runtime = background::handle().map_err(|error| {
            let message = "cannot start the background thread";
            ConnectError::with_source(ConnectErrorKind::InvalidOption, message, error)
        })?;
        let (connection, opened) = builder.launch(&runtime)?;
        *state = State::Connecting(connection.clone());
        drop(state);
        self.inner.changed.notify_all();
        let opened = block_on(opened).map(|()| connection);
        let connection = match opened {
            Ok(connection) => connection,
            Err(error) => {
                self.set_state(State::Disconnected);
                return Err(error);
            }
        };
        self.set_state(State::Greeting(connection.clone(), thread::current().id()));
        let handled = self
            .handlers()
            .connect
            .map(|handler| panic::catch_unwind(AssertUnwindSafe(|| handler(self))));
        self.set_state(State::Connected(connection.clone()));
        // From here on events are handled, also those that came in the meantime.
        let client = Arc::downgrade(&self.inner);
        self.inner.strand.add(Box::new(Session {
            client,
            connection: connection.clone(),
            stage: Stage::Starting,
        }));
        if let Some(Err(panic)) = handled {
            connection.close_now();
            panic::resume_unwind(panic);
        }
        Ok(())
    }

    /// Waits until the connection has ended and its disconnect handler has returned. If that has
    /// connected again, waits on. Returns at once if the client is not connected.
    pub fn wait(&self) {
        let mut state = self.state_lock();
        while !matches!(*state, State::Disconnected) {
            state = self.inner.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits as [`wait`](Self::wait) does, but no longer than `timeout`. Says whether the connection
    /// has ended.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let state = self.state_lock();
        let connected = |state: &mut State| !matches!(*state, State::Disconnected);
        let (state, _) = self
            .inner
            .changed
            .wait_timeout_while(state, timeout, connected)
            .unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Disconnected)
    }

    /// Sends a message, waiting for room if too much waits already. It is delivered once and in order,
    /// or counted in [`Disconnected::unsent`].
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] when the client is not connected, [`SendError::TooLarge`] when the server
    /// does not accept messages of this size.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let Some(connection) = self.connection() else {
            return Err(SendError::Closed(message));
        };
        match connection.try_send(message) {
            Err(SendError::Full { message, .. }) => block_on(connection.send(message)),
            result => result,
        }
    }

    /// Sends a message, if there is room for it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`SendError::Full`] when too much waits already.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        match self.connection() {
            Some(connection) => connection.try_send(message),
            None => Err(SendError::Closed(message)),
        }
    }

    /// Ends the connection: sends everything that waits, tells the server, and returns when the
    /// disconnect handler has returned. It takes no longer than the close timeout, and for a handler
    /// that is busy as long again. Called by a handler, it leaves the disconnect handler for later. Where
    /// another thread is [connecting](Self::connect), it gives up, and says so.
    pub fn disconnect(&self) {
        let Some(connection) = self.any_connection() else { return };
        connection.close();
        block_on(connection.closed());
        if self.inner.strand.is_current() || self.greets() {
            return;
        }
        let deadline = Instant::now() + HANDLER_PATIENCE;
        let mut state = self.state_lock();
        while state.is_of(&connection) || matches!(*state, State::Ending) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.inner.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the connection, or another thread's attempt to [connect](Self::connect), at once. What waits is
    /// not sent.
    pub fn abort(&self) {
        if let Some(connection) = self.any_connection() {
            connection.close_now();
        }
    }

    /// The transport that messages travel over; `None` while the client is not connected.
    pub fn transport(&self) -> Option<Transport> {
        self.connection()?.transport()
    }

    /// The session's id; `None` while the client is not connected.
    pub fn sid(&self) -> Option<SessionId> {
        self.connection()?.sid()
    }

    /// What the server has told about the session; `None` while the client is not connected.
    pub fn handshake(&self) -> Option<Handshake> {
        self.connection()?.handshake()
    }

    /// Where the client stands. While its handlers work through the last events of a connection, it is not
    /// connected any more.
    pub fn state(&self) -> ClientState {
        match &*self.state_lock() {
            State::Disconnected | State::Ending => ClientState::Disconnected,
            State::Connecting(connection)
            | State::Greeting(connection, _)
            | State::Connected(connection) => connection.state(),
        }
    }

    /// Messages, and bytes of payload, that wait to be sent.
    pub fn waiting(&self) -> (usize, usize) {
        self.connection().map_or((0, 0), |connection| connection.waiting())
    }

    /// Whether a session is open.
    pub fn is_connected(&self) -> bool {
        self.connection().is_some_and(|connection| !connection.is_closed())
    }

    /// Runs `task` on a thread of its own.
    pub fn start_background_task<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        thread::spawn(task)
    }

    /// Lets the calling thread sleep. The connection lives on.
    pub fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }

    fn connection(&self) -> Option<client::Client> {
        match &*self.state_lock() {
            State::Greeting(connection, _) | State::Connected(connection) => {
                Some(connection.clone())
            }
            State::Disconnected | State::Connecting(_) | State::Ending => None,
        }
    }

    /// Whether the connect handler runs on the calling thread.
    fn greets(&self) -> bool {
        matches!(*self.state_lock(), State::Greeting(_, on) if on == thread::current().id())
    }

    /// The connection that is open, or on its way.
    fn any_connection(&self) -> Option<client::Client> {
        match &*self.state_lock() {
            State::Connecting(connection)
            | State::Greeting(connection, _)
            | State::Connected(connection) => Some(connection.clone()),
            State::Disconnected | State::Ending => None,
        }
    }

    fn state_lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        *self.state_lock() = state;
        self.inner.changed.notify_all();
    }

    fn handlers(&self) -> Handlers {
        self.inner.handlers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn handlers_mut(&self, change: impl FnOnce(&mut Handlers)) {
        change(&mut self.inner.handlers.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Handles an event of `connection`.
    fn handle(&self, connection: &client::Client, event: Event) {
        if let Some(handler) = self.handlers().event {
            guard("event", || handler(self, &event));
        }
        match event {
            Event::Connected(_) => {
                if let Some(handler) = self.handlers().connect {
                    guard("connect", || handler(self));
                }
            }
            Event::Message(message) => {
                if let Some(handler) = self.handlers().message {
                    guard("message", || handler(self, message));
                }
            }
            Event::Disconnected(disconnected) => {
                // A connection that will be opened again goes on being the client's.
                if connection.is_closed() {
                    self.end(connection);
                }
                if let Some(handler) = self.handlers().disconnect {
                    guard("disconnect", || handler(self, &disconnected));
                }
            }
            Event::Upgraded
            | Event::UpgradeFailed { .. }
            | Event::NotSent(_)
            | Event::Reconnecting { .. }
            | Event::ReconnectFailed { .. }
            | Event::GaveUp { .. } => {}
        }
    }

    /// Lets go of `connection`, if it is still the client's.
    fn end(&self, connection: &client::Client) {
        let mut state = self.state_lock();
        if state.is_of(connection) {
            *state = State::Ending;
            self.inner.changed.notify_all();
        }
    }

    /// Takes the end of everything that `connection` brought.
    fn ended(&self, connection: &client::Client) {
        self.end(connection);
        let mut state = self.state_lock();
        if let State::Ending = *state {
            *state = State::Disconnected;
            self.inner.changed.notify_all();
        }
    }
}

impl State {
    fn is_of(&self, connection: &client::Client) -> bool {
        match self {
            Self::Greeting(current, _) | Self::Connected(current) => current == connection,
            Self::Disconnected | Self::Connecting(_) | Self::Ending => false,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Connecting(connection)
        | State::Greeting(connection, _)
        | State::Connected(connection) = state
        {
            connection.close();
        }
    }
}

/// The events of one connection, for the handlers.
struct Session {
    /// Weak, so that a client that nobody holds any more ends its connection.
    client: Weak<Inner>,
    connection: client::Client,
    stage: Stage,
}

enum Stage {
    /// The first event is the connect event, which `connect` has handled.
    Starting,
    Running,
}

impl Source for Session {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let event = ready!(self.connection.poll_next(cx));
        let client = self.client.upgrade().map(|inner| Client { inner });
        match (event, client, &self.stage) {
            (Some(Event::Connected(_)), _, Stage::Starting) => self.stage = Stage::Running,
            (Some(event), Some(client), _) => client.handle(&self.connection, event),
            (Some(_), None, _) => {}
            (None, client, _) => {
                if let Some(client) = client {
                    client.ended(&self.connection);
                }
                return Poll::Ready(false);
            }
        }
        Poll::Ready(true)
    }
}

/// Runs a handler; a panic ends nothing but the handler.
fn guard(handler: &str, call: impl FnOnce()) {
    if panic::catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!(handler, "handler panicked");
    }
}

/// Time for handlers that are running when the connection has ended.
const HANDLER_PATIENCE: Duration = Duration::from_secs(5);

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("transport", &self.transport()).finish_non_exhaustive()
    }
}
