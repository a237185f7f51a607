//! Requests that Python sends: for sessions of HTTP libraries that do more than options can say.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use heartwire::engineio::client::{Answer, Requester};
use http::{Response, StatusCode};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::oneshot;

use super::bell::Rope;

/// Requests on their way from the network thread to threads or tasks of Python.
#[pyclass(frozen, module = "heartwire._native")]
#[derive(Clone)]
pub(super) struct Requests(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Where an event loop is told that a request waits.
    rope: Option<Arc<Rope>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Exchange>,
    closed: bool,
}

type Sent = Result<Response<bytes::Bytes>, Box<dyn std::error::Error + Send + Sync>>;

/// A request, and the place for its answer.
#[pyclass(frozen, module = "heartwire._native")]
pub(super) struct Exchange {
    request: http::Request<bytes::Bytes>,
    answer: Mutex<Option<oneshot::Sender<Sent>>>,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl Requester for Requests {
    fn send(&self, request: http::Request<bytes::Bytes>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let exchange = Exchange { request, answer: Mutex::new(Some(answer)) };
        let mut queue = self.queue();
        if !queue.closed {
            queue.waiting.push_back(exchange);
        }
        drop(queue);
        self.0.arrived.notify_one();
        if let Some(rope) = &self.0.rope {
            rope.ring();
        }
        Box::pin(async {
            answered.await.unwrap_or_else(|_| Err("the request was not sent".into()))
        })
    }
}

#[pymethods]
impl Requests {
    /// The next request, when there is one; `None` when there will be none.
    fn take(&self, py: Python<'_>) -> Option<Exchange> {
        py.detach(|| {
            let mut queue = self.queue();
            loop {
                if let Some(exchange) = queue.waiting.pop_front() {
                    return Some(exchange);
                }
                if queue.closed {
                    return None;
                }
                queue = self.0.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        })
    }

    /// The next request, if there is one.
    fn take_now(&self) -> Option<Exchange> {
        self.queue().waiting.pop_front()
    }

    /// Sends no more requests.
    fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.waiting.clear();
        drop(queue);
        self.0.arrived.notify_all();
    }
}

impl Requests {
    pub(super) fn new(rope: Option<Arc<Rope>>) -> Self {
        Self(Arc::new(Shared { queue: Mutex::default(), arrived: Condvar::new(), rope }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Exchange {
    #[getter]
    fn method(&self) -> &str {
        self.request.method().as_str()
    }

    #[getter]
    fn url(&self) -> String {
        self.request.uri().to_string()
    }

    #[getter]
    fn headers(&self) -> Vec<(String, String)> {
        let latin =
            |value: &http::HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        self.request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), latin(value)))
            .collect()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.request.body())
    }

    /// Whether the answer is still waited for.
    fn is_wanted(&self) -> bool {
        self.answer().as_ref().is_some_and(|answer| !answer.is_closed())
    }

    /// The answer: status, headers and body.
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 gives it so")]
    fn succeed(&self, status: u16, headers: Vec<(String, String)>, body: &[u8]) -> PyResult<()> {
        let status = StatusCode::from_u16(status)
            .map_err(|_| PyValueError::new_err(format!("{status} is no HTTP status")))?;
        let mut response = Response::new(bytes::Bytes::copy_from_slice(body));
        *response.status_mut() = status;
        for (name, value) in &headers {
            let value: Vec<u8> = value.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
            // Libraries of Python let pass what is no header: it means nothing here.
            if let (Ok(name), Ok(value)) = (
                http::HeaderName::from_bytes(name.as_bytes()),
                http::HeaderValue::from_bytes(&value),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        self.give(Ok(response));
        Ok(())
    }

    /// There is no answer.
    fn fail(&self, why: String) {
        self.give(Err(why.into()));
    }
}

impl Exchange {
    fn give(&self, sent: Sent) {
        if let Some(answer) = self.answer().take() {
            // Whoever waited may have given up.
            let _ = answer.send(sent);
        }
    }

    fn answer(&self) -> MutexGuard<'_, Option<oneshot::Sender<Sent>>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
