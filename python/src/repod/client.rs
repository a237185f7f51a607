//! What a client of Python holds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use heartwire::repod::client::State;
use heartwire::repod::{self, ClientBuilder, SendError};
use heartwire::tls::ClientTls;
use heartwire_proto::shared::Backoff;
use pyo3::exceptions::{PyBufferError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::bell::Bell;
use super::encode::encode;
use super::farewell;
use super::item::{Item, Translator};
use super::process::Owned;
use super::traffic;

/// The connections of one client, one after the other, and what they brought.
///
/// No lock is held while Python code runs, and the network never runs Python code.
#[pyclass(frozen, module = "heartwire._native.repod")]
pub(super) struct Client {
    options: Options,
    queue: Mutex<Queue>,
}

/// Authorities and identity in PEM, and whether to look at the server's certificate.
type Certificates = (Option<Vec<u8>>, Option<Vec<u8>>, bool);

struct Options {
    builder: ClientBuilder,
    reconnects: bool,
}

struct Queue {
    /// What was taken from the network, and what the program has put there.
    ready: VecDeque<Item>,
    /// Whether a message would be the first of its connection.
    begins: bool,
    translator: Translator,
    start: Start,
    bell: Owned<Arc<Bell>>,
}

/// The last start of the client.
enum Start {
    Never,
    /// What it brings is of interest.
    On(Owned<repod::Client>),
    /// The program has closed it.
    Off(Owned<repod::Client>),
}

impl Start {
    fn client(&self) -> Option<&repod::Client> {
        match self {
            Self::Never => None,
            Self::On(client) | Self::Off(client) => client.get(),
        }
    }

    fn is_alive(&self) -> bool {
        match self {
            Self::On(client) => client
                .get()
                .is_some_and(|client| matches!(client.state(), State::Connecting | State::Open)),
            Self::Never | Self::Off(_) => false,
        }
    }
}

impl Queue {
    /// Takes some of what the network has brought, if nothing is there. Pending if there is nothing; the
    /// bell rings when there is. Ready with nothing there if nothing will come.
    fn poll_refill(&mut self) -> Poll<()> {
        while self.ready.is_empty() {
            match self.poll_more() {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(0) => break,
                // Not each event is something to take.
                Poll::Ready(_) => {}
            }
        }
        Poll::Ready(())
    }

    /// The next thing that waits, and whether it is the first message of its connection.
    fn take(&mut self) -> Option<(Item, bool)> {
        let _ = self.poll_refill();
        let item = self.ready.pop_front()?;
        let before = self.begins;
        self.begins = match item {
            Item::Connected | Item::SocketConnect => true,
            Item::Object(_) => before,
            _ => false,
        };
        Some((item, before))
    }

    /// Takes everything that the network has brought.
    fn drain(&mut self) {
        while let Poll::Ready(1..) = self.poll_more() {}
    }

    /// Takes some of what the network has brought, and says how many events it was: none if nothing will
    /// come.
    fn poll_more(&mut self) -> Poll<usize> {
        let Start::On(client) = &self.start else { return Poll::Ready(0) };
        let (Some(client), Some(bell)) = (client.get(), self.bell.get()) else {
            return Poll::Ready(0);
        };
        let waker = bell.waker();
        let mut events = vec![];
        let result = client.poll_next_many(&Context::from_waker(&waker), &mut events, BATCH);
        for event in events {
            self.translator.translate(event, |item| self.ready.push_back(item));
        }
        result
    }
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (host, port, *, connect_timeout, linger, max_frame, frame_timeout, stall_timeout,
        keep_alive, dead_peer_timeout, send_limits, receive_limit, backoff, tls))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn new(
        host: String,
        port: u16,
        connect_timeout: f64,
        linger: f64,
        max_frame: usize,
        frame_timeout: f64,
        stall_timeout: f64,
        keep_alive: Option<f64>,
        dead_peer_timeout: f64,
        send_limits: (usize, usize),
        receive_limit: usize,
        backoff: Option<(f64, f64, f64, f64, Option<u32>)>,
        tls: Option<Certificates>,
    ) -> PyResult<Self> {
        let mut builder = repod::Client::builder(host, port)
            .connect_timeout(seconds("connect_timeout", connect_timeout)?)
            .linger(seconds("linger", linger)?)
            .max_frame(max_frame)
            .frame_timeout(seconds("frame_timeout", frame_timeout)?)
            .stall_timeout(seconds("stall_timeout", stall_timeout)?)
            .keep_alive(keep_alive.map(|time| seconds("keep_alive", time)).transpose()?)
            .dead_peer_timeout(seconds("dead_peer_timeout", dead_peer_timeout)?)
            .send_limits(send_limits.0, send_limits.1)
            .receive_limit(receive_limit);
        let reconnects = backoff.is_some();
        if let Some((initial, max, factor, jitter, attempts)) = backoff {
            let backoff = Backoff::new()
                .initial(seconds("initial", initial)?)
                .max(seconds("max", max)?)
                .factor(factor)
                .jitter(jitter);
            builder = builder.reconnect(match attempts {
                Some(attempts) => backoff.max_attempts(attempts),
                None => backoff,
            });
        }
        if let Some((authorities, identity, verify)) = tls {
            let mut tls = ClientTls::builder().danger_accept_invalid_certificates(!verify);
            if let Some(pem) = authorities {
                tls = tls.authorities(pem);
            }
            if let Some(pem) = identity {
                tls = tls.identity(pem);
            }
            let tls = tls.build().map_err(|error| PyValueError::new_err(error.to_string()))?;
            builder = builder.tls(tls);
        }
        let queue = Queue {
            ready: VecDeque::new(),
            begins: false,
            translator: Translator::default(),
            start: Start::Never,
            bell: Owned::new(Bell::new()),
        };
        Ok(Self { options: Options { builder, reconnects }, queue: Mutex::new(queue) })
    }

    /// Starts to connect, unless it does already. Says whether it has started.
    fn start(&self) -> PyResult<bool> {
        let mut queue = self.queue();
        if queue.start.is_alive() {
            return Ok(false);
        }
        let runtime = heartwire::blocking::runtime().map_err(|error| {
            PyRuntimeError::new_err(format!("cannot start the background thread: {error}"))
        })?;
        queue.drain();
        queue.translator = Translator::default();
        if queue.bell.get().is_none() {
            queue.bell = Owned::new(Bell::new());
        }
        let builder = self.options.builder.clone();
        let client = {
            let _inside = runtime.enter();
            builder.start()
        };
        queue.start = Start::On(Owned::new(client));
        Ok(true)
    }

    /// Queues a message. Returns the bytes of its frame; 0 where nothing can be sent.
    fn send(&self, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        let client = match &self.queue().start {
            Start::On(client) => client.get().cloned(),
            Start::Never | Start::Off(_) => None,
        };
        let Some(client) = client.filter(|client| !client.is_closed()) else { return Ok(0) };
        let frame = encode(data)?;
        let length = frame.len();
        match client.try_send_frame(frame) {
            Ok(()) => Ok(length),
            Err(SendError::Closed) => Ok(0),
            Err(error) => Err(PyBufferError::new_err(error.to_string())),
        }
    }

    /// Closes the connection, or gives up to connect. What was sent is sent in the background. Says
    /// whether there was anything to close.
    fn close(&self) -> bool {
        let mut queue = self.queue();
        if !matches!(queue.start, Start::On(_)) {
            return false;
        }
        queue.drain();
        let ended = queue.ready.back().is_some_and(|item| item.is_last(self.options.reconnects));
        let start = std::mem::replace(&mut queue.start, Start::Never);
        let Start::On(client) = start else { return false };
        let closes = client.get().is_some_and(|client| !client.is_closed()) && !ended;
        if let Some(client) = client.get()
            && closes
        {
            farewell::close(client.clone());
            queue.ready.push_back(Item::Closed);
        }
        queue.start = if closes { Start::Off(client) } else { Start::On(client) };
        if let Some(bell) = queue.bell.get() {
            bell.ring();
        }
        closes
    }

    /// The next thing that waits: a message, or anything else in a tuple with its name.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let taken = self.queue().take();
        taken.map(|(item, is_first)| item.into_object(py, is_first)).transpose()
    }

    /// Adds an object behind what waits.
    fn put(&self, object: Py<PyAny>) {
        let mut queue = self.queue();
        queue.drain();
        queue.ready.push_back(Item::Object(object));
        if let Some(bell) = queue.bell.get() {
            bell.ring();
        }
    }

    /// How much waits.
    fn pending(&self) -> usize {
        let mut queue = self.queue();
        // An event may be more than one thing to take, or none: only what was looked at is counted.
        if queue.ready.len() < BATCH {
            let _ = queue.poll_more();
        }
        let behind = match &queue.start {
            Start::On(client) => client.get().map_or(0, repod::Client::pending),
            Start::Never | Start::Off(_) => 0,
        };
        queue.ready.len() + behind
    }

    /// Waits until there is something to take. False if nothing has come in time, or nothing will come.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = timeout.map(|timeout| seconds("timeout", timeout.max(0.0))).transpose()?;
        let deadline = deadline.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let (bell, count) = {
                let mut queue = self.queue();
                let bell = queue.bell.get().cloned();
                let count = bell.as_ref().map_or(0, |bell| bell.count());
                if queue.poll_refill().is_ready() {
                    return Ok(!queue.ready.is_empty());
                }
                let Some(bell) = bell else { return Ok(false) };
                (bell, count)
            };
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(false);
            }
            bell.wait(py, count, deadline)?;
        }
    }

    /// Where the client stands: idle, connecting, open, closed or failed.
    #[getter]
    fn state(&self) -> &'static str {
        let queue = self.queue();
        match &queue.start {
            Start::Never => "idle",
            Start::Off(_) => "closed",
            Start::On(client) => match client.get().map(repod::Client::state) {
                Some(State::Idle) => "idle",
                Some(State::Connecting) => "connecting",
                Some(State::Open) => "open",
                Some(State::Failed) => "failed",
                _ => "closed",
            },
        }
    }

    /// How the last connection has ended.
    #[getter]
    fn disconnected<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let disconnected = self.client().and_then(|client| client.disconnected());
        let Some(disconnected) = disconnected else { return Ok(None) };
        let dict = PyDict::new(py);
        super::item::describe(&dict, &disconnected)?;
        Ok(Some(dict))
    }

    /// Messages sent, bytes sent, messages received, bytes received, ignored.
    #[getter]
    fn statistics(&self) -> traffic::Counts {
        traffic::counts(self.client().map(|client| client.statistics()).unwrap_or_default())
    }

    /// The round trip time and its variation, in seconds.
    #[getter]
    fn round_trip(&self) -> Option<(f64, f64)> {
        self.client()?.round_trip().map(traffic::seconds)
    }

    /// Messages and bytes that wait to be sent.
    #[getter]
    fn waiting(&self) -> (usize, usize) {
        self.client().map(|client| client.waiting()).unwrap_or_default()
    }

    /// The address of the server that the client is connected to.
    #[getter]
    fn peer(&self) -> Option<(String, u16)> {
        let addr = self.client()?.peer_addr()?;
        Some((addr.ip().to_string(), addr.port()))
    }
}

impl Client {
    fn client(&self) -> Option<repod::Client> {
        self.queue().start.client().cloned()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Start::On(client) = &queue.start
            && let Some(client) = client.get()
            && !client.is_closed()
        {
            farewell::close(client.clone());
        }
    }
}

/// A time that Python gives in seconds.
pub(super) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        PyValueError::new_err(format!("{name} is {value}, expected seconds from 0 upwards"))
    })
}

/// Events that are taken from the network at once.
const BATCH: usize = 256;
