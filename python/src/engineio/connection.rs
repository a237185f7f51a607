//! One client of the network, from the attempt to connect to its end.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use heartwire::blocking::runtime;
use heartwire::engineio::client::{
    Client, ConnectError, ConnectErrorKind, Connected, CookieJar, Event,
};
use heartwire::engineio::{Message, SendError};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::bell::{Bell, Rope};
use super::call::call_method;
use super::delivery::{self, Delivery};
use super::dispatch::Dispatch;
use super::options;
use super::process;
use super::requests::Requests;
use super::threads::Threads;

/// One client of the network, from the attempt to connect to its end.
#[pyclass(frozen, module = "heartwire._native")]
pub(super) struct Connection {
    runtime: Handle,
    shared: Arc<Shared>,
    /// Until its result was taken: it would keep all that the attempt takes.
    attempt: Mutex<Option<AbortHandle>>,
    /// Where an event loop is told that something has arrived.
    rope: Option<Arc<Rope>>,
    /// Requests that are left to Python.
    requests: Option<Requests>,
    cookies: CookieJar,
    dispatch: OnceLock<Arc<Dispatch>>,
    /// Whether messages are dropped: the user wants no more of them.
    silent: Arc<AtomicBool>,
    /// The process that it belongs to, counted in forks.
    generation: u32,
}

/// What the attempt to connect and who waits for it share.
struct Shared {
    opening: Mutex<Opening>,
    changed: Condvar,
    client: OnceLock<Client>,
    /// Whether nobody wants the attempt to succeed any more.
    given_up: AtomicBool,
}

enum Opening {
    Pending,
    Open(Box<Connected>),
    Failed(ConnectError),
    /// The result was taken.
    Told,
}

#[pymethods]
impl Connection {
    /// Begins to connect. With a `bell`, an event loop is told when there is something to look at. With
    /// `requests`, the requests of polling sessions are left to Python. `cookies` are names and values
    /// that the server is sent until it sets others.
    #[new]
    fn new(
        py: Python<'_>,
        url: String,
        options: &Bound<'_, PyDict>,
        bell: Option<&Bell>,
        requests: bool,
        cookies: Vec<(String, String)>,
    ) -> PyResult<Self> {
        let jar = CookieJar::new();
        for (name, value) in cookies {
            jar.add(&url, name, value);
        }
        let mut builder = options::builder(url, options)?.cookie_jar(jar.clone());
        let runtime = py.detach(runtime).map_err(|error| {
            PyOSError::new_err(format!("the background thread cannot be started: {error}"))
        })?;
        let rope = bell.map(Bell::rope);
        let requests = requests.then(|| Requests::new(rope.clone()));
        if let Some(requests) = &requests {
            builder = builder.requester(Arc::new(requests.clone()));
        }
        let shared = Arc::new(Shared {
            opening: Mutex::new(Opening::Pending),
            changed: Condvar::new(),
            client: OnceLock::new(),
            given_up: AtomicBool::new(false),
        });
        let (told, ring) = (shared.clone(), rope.clone());
        let attempt = runtime.spawn(async move {
            let result = match builder.connect().await {
                Ok(client) => {
                    let first = client.next().await;
                    let client = told.client.get_or_init(|| client);
                    if told.given_up.load(Ordering::SeqCst) {
                        client.close_now();
                    }
                    match first {
                        Some(Event::Connected(connected)) => Opening::Open(Box::new(connected)),
                        _ => unreachable!("the first event of a client says that it is connected"),
                    }
                }
                Err(error) => Opening::Failed(error),
            };
            let mut opening = told.opening();
            *opening = result;
            // Who has seen the result is not called for it later.
            if let Some(rope) = ring {
                rope.ring();
            }
            told.changed.notify_all();
        });
        let attempt = Mutex::new(Some(attempt.abort_handle()));
        let generation = process::generation();
        let (dispatch, silent) = (OnceLock::new(), Arc::default());
        let cookies = jar;
        Ok(Self { runtime, shared, attempt, rope, requests, cookies, dispatch, silent, generation })
    }

    /// What the handshake has told; `None` while there was none, for `timeout` seconds. Raises
    /// `ConnectFailed` if there will be none.
    fn opened<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.check_process()?;
        let deadline = Instant::now() + duration(timeout);
        let result = loop {
            let waited = py.detach(|| {
                let mut opening = self.shared.opening();
                let now = Instant::now();
                if let Opening::Pending = *opening
                    && now < deadline
                {
                    let slice = (deadline - now).min(SLICE);
                    let waited = self.shared.changed.wait_timeout(opening, slice);
                    opening = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                match *opening {
                    Opening::Pending => None,
                    _ => Some(std::mem::replace(&mut *opening, Opening::Told)),
                }
            });
            match waited {
                Some(result) => break result,
                None if Instant::now() >= deadline => return Ok(None),
                None => py.check_signals()?,
            }
        };
        self.attempt().take();
        match result {
            Opening::Open(connected) => {
                let facts = PyDict::new(py);
                delivery::fill(&facts, &connected)?;
                Ok(Some(facts))
            }
            Opening::Failed(error) => Err(failed(py, &error)),
            Opening::Pending | Opening::Told => {
                Err(PyRuntimeError::new_err("the result of the attempt was taken already"))
            }
        }
    }

    /// From now on, threads of the process call the handlers of `owner`. At the end they call its
    /// `_handle_end()`. Raises if there can be no thread.
    fn begin(&self, py: Python<'_>, owner: Py<PyAny>, ordered: bool) -> PyResult<()> {
        let client = self.client()?;
        if self.silent.load(Ordering::Relaxed) {
            return Ok(());
        }
        let threads = Threads::of_process(py, &self.runtime);
        let membership = threads.join(py)?;
        let dispatch = self.dispatch.get_or_init(|| {
            let (client, runtime) = (client.clone(), self.runtime.clone());
            let silent = self.silent.clone();
            let dispatch =
                Dispatch::new(client, runtime, threads, membership, owner, ordered, silent);
            Arc::new(dispatch)
        });
        dispatch.begin();
        Ok(())
    }

    /// Calls the handlers of `owner` for up to `limit` events that have arrived, on the caller's thread.
    /// Returns `MORE`, `REST` when the bell rings for the next, or `ENDED`.
    fn drain(&self, py: Python<'_>, owner: Bound<'_, PyAny>, limit: usize) -> PyResult<u8> {
        let client = self.client()?;
        let waker = match &self.rope {
            Some(rope) => Waker::from(rope.clone()),
            None => Waker::noop().clone(),
        };
        let cx = Context::from_waker(&waker);
        let mut events = vec![];
        let outcome = loop {
            let room = limit - events.len();
            if room == 0 {
                break MORE;
            }
            match client.poll_next_many(&cx, &mut events, room) {
                Poll::Pending => break REST,
                Poll::Ready(0) => break if events.is_empty() { ENDED } else { MORE },
                Poll::Ready(_) => {}
            }
        };
        if events.is_empty() {
            return Ok(outcome);
        }
        let delivery = Delivery::new(owner.clone());
        for event in events {
            if matches!(event, Event::Message(_)) && self.silent.load(Ordering::Relaxed) {
                continue;
            }
            let result = delivery.deliver(event);
            if !self.is_of_this_process() {
                // A handler has forked, and this is the child: the rest is the parent's.
                return Ok(REST);
            }
            if let Some(result) = result
                && !result.is_none()
            {
                let args = PyTuple::new(py, [result])?;
                call_method(&owner, intern!(py, "_handle_result"), &args)?;
            }
        }
        Ok(outcome)
    }

    /// Drops messages from now on: the user wants no more of them. Says whether no thread will find the end.
    fn silence(&self) -> bool {
        if let Some(dispatch) = self.own_dispatch() {
            return dispatch.silence();
        }
        self.silent.store(true, Ordering::Relaxed);
        true
    }

    /// Waits until none of the handlers runs on another thread, `timeout` seconds at most. Says whether that is
    /// so.
    fn await_handlers(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let Some(dispatch) = self.own_dispatch() else { return Ok(true) };
        let deadline = Instant::now() + duration(timeout);
        loop {
            let now = Instant::now();
            let slice = now + deadline.saturating_duration_since(now).min(SLICE);
            let returned = py.detach(|| dispatch.await_handlers(slice));
            if returned || slice >= deadline {
                return Ok(returned);
            }
            py.check_signals()?;
        }
    }

    /// Rings the bell: there may be more to look at than was.
    fn ring(&self) {
        if let Some(rope) = &self.rope {
            rope.ring();
        }
    }

    /// What the bell calls this one.
    #[getter]
    fn number(&self) -> Option<u64> {
        self.rope.as_ref().map(|rope| rope.number())
    }

    /// Events that wait to be handled.
    fn pending(&self) -> usize {
        self.client().map_or(0, Client::pending)
    }

    /// Requests that are left to Python, if any are.
    #[getter]
    fn requests(&self) -> Option<Requests> {
        self.requests.clone()
    }

    /// What the server has set since this was called last: addresses, and cookies as they stood in the
    /// answer.
    fn take_cookies(&self) -> Vec<(String, String)> {
        if self.is_of_this_process() { self.cookies.take_received() } else { vec![] }
    }

    /// Sends text. Returns `SENT`, `CLOSED` or `FULL`.
    fn send_text(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<u8> {
        self.send(py, Message::from(&*text))
    }

    /// Sends bytes, as [`send_text`](Self::send_text).
    fn send_binary(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<u8> {
        self.send(py, Message::from(bytes_of(data)?))
    }

    /// Waits for room in the queue, and sends text.
    fn send_text_patiently(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<u8> {
        self.send_patiently(py, Message::from(&*text))
    }

    /// Waits for room in the queue, and sends bytes.
    fn send_binary_patiently(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<u8> {
        self.send_patiently(py, Message::from(bytes_of(data)?))
    }

    /// Begins to end the client: once what waits is sent, or at once. Gives up an attempt to connect.
    fn close(&self, flush: bool) {
        if !self.is_of_this_process() {
            return;
        }
        // Whichever comes first, this or the success of the attempt, the other sees it.
        self.shared.given_up.store(true, Ordering::SeqCst);
        match self.shared.client.get() {
            Some(client) if flush => client.close(),
            Some(client) => client.close_now(),
            None => self.abort(),
        }
    }

    /// Waits for the end of the client, `timeout` seconds at most. Says whether it has ended.
    fn closed(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let client = self.client()?.clone();
        let deadline = Instant::now() + duration(timeout);
        self.wait_until(py, deadline, || client.closed()).map(|ended| ended.is_some())
    }

    /// The name of the transport that messages travel over, while a session is open.
    fn transport(&self) -> Option<&'static str> {
        Some(self.client().ok()?.transport()?.name())
    }

    /// Messages, and bytes of payload, that wait to be sent.
    fn waiting(&self) -> (usize, usize) {
        self.client().map_or((0, 0), Client::waiting)
    }

    /// Whether the calling thread runs handlers of this client.
    fn is_dispatching(&self) -> bool {
        self.own_dispatch().is_some_and(|dispatch| dispatch.is_mine())
    }

    #[classattr]
    const SENT: u8 = SENT;
    #[classattr]
    const CLOSED: u8 = CLOSED;
    #[classattr]
    const FULL: u8 = FULL;
    #[classattr]
    const MORE: u8 = MORE;
    #[classattr]
    const REST: u8 = REST;
    #[classattr]
    const ENDED: u8 = ENDED;
}

impl Connection {
    fn client(&self) -> PyResult<&Client> {
        self.check_process()?;
        let client = self.shared.client.get();
        client.ok_or_else(|| PyRuntimeError::new_err("the connection was never open"))
    }

    fn send(&self, py: Python<'_>, message: Message) -> PyResult<u8> {
        match self.client()?.try_send(message) {
            Ok(()) => Ok(SENT),
            Err(error) => outcome(py, error),
        }
    }

    fn send_patiently(&self, py: Python<'_>, message: Message) -> PyResult<u8> {
        let client = self.client()?.clone();
        let far = Instant::now() + FAR;
        let sent = self.wait_until(py, far, || {
            let (client, message) = (client.clone(), message.clone());
            async move { client.send(message).await }
        })?;
        match sent {
            Some(Ok(())) => Ok(SENT),
            Some(Err(error)) => outcome(py, error),
            None => Ok(FULL),
        }
    }

    /// Waits for a future, which must be one that may be dropped. Signals are heeded meanwhile.
    fn wait_until<F: Future>(
        &self,
        py: Python<'_>,
        deadline: Instant,
        future: impl Fn() -> F + Sync,
    ) -> PyResult<Option<F::Output>>
    where
        F::Output: Send,
    {
        loop {
            let now = Instant::now();
            let slice = deadline.saturating_duration_since(now).min(SLICE);
            let output = py.detach(|| {
                self.runtime.block_on(async { tokio::time::timeout(slice, future()).await.ok() })
            });
            if output.is_some() || now >= deadline {
                return Ok(output);
            }
            py.check_signals()?;
        }
    }

    fn abort(&self) {
        if let Some(attempt) = self.attempt().take() {
            attempt.abort();
        }
    }

    fn attempt(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_dispatch(&self) -> Option<&Arc<Dispatch>> {
        self.dispatch.get().filter(|_| self.is_of_this_process())
    }

    fn is_of_this_process(&self) -> bool {
        self.generation == process::generation()
    }

    fn check_process(&self) -> PyResult<()> {
        if self.is_of_this_process() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "the client belongs to the process that this one was forked from",
        ))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            self.abort();
        } else {
            // The thread that drives it does not exist here, and its locks may be held for ever.
            std::mem::forget(self.shared.clone());
            if let Some(dispatch) = self.dispatch.take() {
                std::mem::forget(dispatch);
            }
        }
    }
}

impl Shared {
    fn opening(&self) -> MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code for an error that callers handle; others are raised.
fn outcome(py: Python<'_>, error: SendError) -> PyResult<u8> {
    match error {
        SendError::Closed(_) => Ok(CLOSED),
        SendError::Full { .. } => Ok(FULL),
        error => {
            static TOO_LONG: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let class = TOO_LONG.import(py, "heartwire.engineio.exceptions", "ContentTooLongError");
            Err(PyErr::from_value(class?.call1((error.to_string(),))?))
        }
    }
}

/// The exception for an attempt to connect: its kind, in words, the HTTP status and the answer.
fn failed(py: Python<'_>, error: &ConnectError) -> PyErr {
    static FAILED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let (status, body) = match error.kind() {
        ConnectErrorKind::Refused { status, body } => (Some(*status), Some(body.as_str())),
        _ => (None, None),
    };
    let kind = match error.kind() {
        ConnectErrorKind::Timeout => "timeout",
        ConnectErrorKind::InvalidUrl => "url",
        ConnectErrorKind::InvalidOption => "option",
        ConnectErrorKind::Refused { .. } => "refused",
        ConnectErrorKind::Protocol => "protocol",
        ConnectErrorKind::UnknownHost => "host",
        ConnectErrorKind::Tls => "tls",
        ConnectErrorKind::Proxy => "proxy",
        _ => "connection",
    };
    let raise = || {
        let class = FAILED.import(py, "heartwire.engineio._connecting", "ConnectFailed")?;
        class.call1((kind, error.to_string(), status, body)).map(PyErr::from_value)
    };
    raise().unwrap_or_else(|error| error)
}

/// The bytes of anything that has some.
fn bytes_of(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(data) = data.cast::<PyBytes>() {
        return Ok(data.as_bytes().to_vec());
    }
    let bytes = data.py().get_type::<PyBytes>().call1(PyTuple::new(data.py(), [data])?)?;
    Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(FAR).min(FAR)
}

const SENT: u8 = 0;
const CLOSED: u8 = 1;
const FULL: u8 = 2;

const MORE: u8 = 0;
const REST: u8 = 1;
const ENDED: u8 = 2;

/// How long signals may have to wait.
const SLICE: Duration = Duration::from_millis(50);

/// No wait is longer.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
