//! What a channel of Python holds.

use std::net::SocketAddr;
use std::sync::Arc;

use heartwire::repod::{self, Frame, SendError};
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyTuple};

use super::courier::Courier;
use super::encode::encode;
use super::process::Owned;
use super::traffic;

/// One client of a server.
#[pyclass(frozen, module = "heartwire._native.repod")]
pub(super) struct Channel {
    channel: Owned<repod::Channel>,
    addr: SocketAddr,
    courier: Arc<Courier>,
}

/// A message that is encoded once, for many.
#[pyclass(frozen, module = "heartwire._native.repod", name = "Frame")]
pub(super) struct EncodedFrame(Frame);

#[pymethods]
impl EncodedFrame {
    #[new]
    fn new(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        encode(data).map(Self)
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

impl Channel {
    pub(super) fn new(channel: repod::Channel, courier: Arc<Courier>) -> Self {
        let addr = channel.addr();
        Self { channel: Owned::new(channel), addr, courier }
    }

    fn send_encoded(&self, frame: Frame) -> PyResult<usize> {
        let length = frame.len();
        match self.channel.get().map(|channel| channel.queue_frame(frame)) {
            Some(Ok(sleeper)) => {
                if let Some(sleeper) = sleeper {
                    self.courier.wake(sleeper);
                }
                Ok(length)
            }
            None | Some(Err(SendError::Closed)) => Ok(0),
            Some(Err(error)) => Err(PyBufferError::new_err(error.to_string())),
        }
    }
}

#[pymethods]
impl Channel {
    /// Queues a message. Returns the bytes of its frame; 0 where the connection has ended.
    fn send(&self, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        if self.is_closed() {
            return Ok(0);
        }
        self.send_encoded(encode(data)?)
    }

    /// Queues a message that is encoded already.
    fn send_frame(&self, frame: &EncodedFrame) -> PyResult<usize> {
        self.send_encoded(frame.0.clone())
    }

    /// Ends the connection when everything that was sent is on its way.
    fn close(&self) {
        if let Some(channel) = self.channel.get() {
            channel.close();
        }
    }

    /// The same, with a reason.
    fn kick(&self, reason: String) {
        if let Some(channel) = self.channel.get() {
            channel.kick(reason);
        }
    }

    /// Ends the connection at once.
    fn close_now(&self) {
        if let Some(channel) = self.channel.get() {
            channel.close_now();
        }
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.channel.get().is_none_or(repod::Channel::is_closed)
    }

    /// The client's address, as Python's sockets say it.
    #[getter]
    fn addr<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (ip, port) = (self.addr.ip().to_string(), self.addr.port());
        match self.addr {
            SocketAddr::V4(_) => (ip, port).into_pyobject(py),
            SocketAddr::V6(addr) => (ip, port, addr.flowinfo(), addr.scope_id()).into_pyobject(py),
        }
    }

    /// Messages sent, bytes sent, messages received, bytes received, ignored.
    #[getter]
    fn statistics(&self) -> traffic::Counts {
        traffic::counts(self.channel.get().map(repod::Channel::statistics).unwrap_or_default())
    }

    /// The round trip time and its variation, in seconds.
    #[getter]
    fn round_trip(&self) -> Option<(f64, f64)> {
        self.channel.get()?.round_trip().map(traffic::seconds)
    }

    /// Messages and bytes that wait to be sent.
    #[getter]
    fn waiting(&self) -> (usize, usize) {
        self.channel.get().map(repod::Channel::waiting).unwrap_or_default()
    }
}
