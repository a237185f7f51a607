//! What a client is told, as the dicts that repod has for it.

use std::time::Duration;

use heartwire::repod::client::{ConnectError, ConnectErrorKind, Event};
use heartwire::repod::{DisconnectReason, Disconnected, Message};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::decode::decode;

/// One thing that waits to be taken.
pub(super) enum Item {
    /// The connection is open.
    Connected,
    /// The same, under repod's second name for it.
    SocketConnect,
    Message(Message),
    Disconnected(Disconnected),
    /// The program has closed the connection. How that goes is not known yet.
    Closed,
    /// No connection is open, and none will be.
    Failed {
        error: Option<ConnectError>,
        unsent: usize,
    },
    Reconnecting {
        attempt: u32,
        delay: Duration,
        error: Option<ConnectError>,
    },
    /// What the program has put there.
    Object(Py<PyAny>),
}

impl Item {
    /// Whether no event of the same start follows.
    pub(super) fn is_last(&self, reconnects: bool) -> bool {
        match self {
            Self::Failed { .. } | Self::Closed => true,
            Self::Disconnected(_) => !reconnects,
            _ => false,
        }
    }

    /// What Python is given: a message as it is, and anything else in a tuple that names it, so that they
    /// can be told apart whatever a server sends: an `event` of the connection, what the program has `put`
    /// there, and the `first` message of a connection.
    pub(super) fn into_object(self, py: Python<'_>, is_first: bool) -> PyResult<Bound<'_, PyAny>> {
        let (object, name) = match self {
            Self::Message(message) => {
                let object = decode(py, message.payload())?;
                if !is_first {
                    return Ok(object);
                }
                (object, intern!(py, "first"))
            }
            Self::Object(object) => (object.into_bound(py), intern!(py, "put")),
            event => (event.into_dict(py)?.into_any(), intern!(py, "event")),
        };
        Ok(PyTuple::new(py, [&object, name.as_any()])?.into_any())
    }

    fn into_dict(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let dict = PyDict::new(py);
        let action = intern!(py, "action");
        match self {
            Self::Connected => dict.set_item(action, "connected")?,
            Self::SocketConnect => dict.set_item(action, "socketConnect")?,
            Self::Disconnected(disconnected) => {
                dict.set_item(action, "disconnected")?;
                describe(&dict, &disconnected)?;
            }
            Self::Closed => {
                dict.set_item(action, "disconnected")?;
                dict.set_item("reason", DisconnectReason::Closed.name())?;
                dict.set_item("code", code(DisconnectReason::Closed))?;
                dict.set_item("unsent", 0)?;
            }
            Self::Failed { error, unsent } => {
                dict.set_item(action, "error")?;
                let text = error.as_ref().map_or_else(
                    || "no further attempt to connect".to_owned(),
                    ToString::to_string,
                );
                dict.set_item("error", text)?;
                dict.set_item("code", error.map_or("gave_up", |error| kind(error.kind())))?;
                dict.set_item("unsent", unsent)?;
            }
            Self::Reconnecting { attempt, delay, error } => {
                dict.set_item(action, "reconnecting")?;
                dict.set_item("attempt", attempt)?;
                dict.set_item("delay", delay.as_secs_f64())?;
                dict.set_item("error", error.map(|error| error.to_string()))?;
            }
            Self::Message(_) | Self::Object(_) => unreachable!("they are objects of their own"),
        }
        Ok(dict)
    }
}

/// Says how a connection has ended.
pub(super) fn describe(dict: &Bound<'_, PyDict>, disconnected: &Disconnected) -> PyResult<()> {
    dict.set_item("reason", disconnected.to_string())?;
    dict.set_item("code", code(disconnected.reason))?;
    dict.set_item("unsent", disconnected.unsent)
}

fn code(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Closed => "closed",
        DisconnectReason::PeerClosed => "peer_closed",
        DisconnectReason::ConnectionError => "connection_error",
        DisconnectReason::ProtocolError => "protocol_error",
        DisconnectReason::TooLarge => "too_large",
        DisconnectReason::FrameTimeout => "frame_timeout",
        DisconnectReason::RateExceeded => "rate_exceeded",
        DisconnectReason::SlowPeer => "slow_peer",
        _ => "other",
    }
}

fn kind(kind: ConnectErrorKind) -> &'static str {
    match kind {
        ConnectErrorKind::Cancelled => "cancelled",
        ConnectErrorKind::NoThread => "no_thread",
        ConnectErrorKind::Timeout => "timeout",
        ConnectErrorKind::Tls => "tls",
        ConnectErrorKind::Unreachable => "unreachable",
        _ => "other",
    }
}

/// Makes items of events.
#[derive(Default)]
pub(super) struct Translator {
    /// An attempt that failed: what follows says whether it was the last.
    failure: Option<ConnectError>,
}

impl Translator {
    pub(super) fn translate(&mut self, event: Event, mut give: impl FnMut(Item)) {
        match event {
            Event::Connected { .. } => {
                give(Item::Connected);
                give(Item::SocketConnect);
            }
            Event::Message(message) => give(Item::Message(message)),
            Event::Disconnected(disconnected) => give(Item::Disconnected(disconnected)),
            Event::ConnectFailed { error, .. } => self.failure = Some(error),
            Event::Reconnecting { attempt, delay } => {
                give(Item::Reconnecting { attempt, delay, error: self.failure.take() });
            }
            Event::GaveUp { unsent } => {
                give(Item::Failed { error: self.failure.take(), unsent });
            }
            _ => {}
        }
    }
}
