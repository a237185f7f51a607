//! Events of the network, as the handlers of Python get them.

use heartwire::engineio::client::{Connected, Event};
use heartwire::engineio::{Disconnected, Message};
use pyo3::exceptions::{PyRecursionError, PyStopIteration, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::call::{call, call_method, call_method0};

/// Where the messages of a batch go.
pub(super) struct Delivery<'py> {
    /// The client, as the user holds it.
    owner: Bound<'py, PyAny>,
    /// Its handlers.
    handlers: Option<Bound<'py, PyAny>>,
    /// What takes messages, if it is not the handler itself.
    sink: Option<Bound<'py, PyAny>>,
    json: Json<'py>,
}

/// How JSON is read.
enum Json<'py> {
    /// By the scanner of the standard library.
    Standard,
    /// By a function that the user has chosen.
    Custom(Bound<'py, PyAny>),
    /// Not at all: what the user has chosen cannot read.
    Broken(PyErr),
}

impl<'py> Delivery<'py> {
    /// `owner` has the methods `_sink()`, which returns `None` or a function that takes messages,
    /// `_handle_event(name, facts)` and `_handle_error(error)`, and the attribute `handlers`.
    pub(super) fn new(owner: Bound<'py, PyAny>) -> Self {
        let py = owner.py();
        let known = |found: PyResult<Bound<'py, PyAny>>| {
            let found = found.map_err(|error| error.write_unraisable(py, Some(&owner)));
            found.ok().filter(|found| !found.is_none())
        };
        let sink = known(call_method0(&owner, intern!(py, "_sink")));
        let handlers = known(attribute(&owner, intern!(py, "handlers")));
        let json = Json::current(py).unwrap_or_else(Json::Broken);
        Self { owner, handlers, sink, json }
    }

    /// Hands an event to the user. Says what the handler has returned, if it was one for messages.
    pub(super) fn deliver(&self, event: Event) -> Option<Bound<'py, PyAny>> {
        match event {
            Event::Message(message) => {
                let result = self.message(&message);
                drop(message);
                result.unwrap_or_else(|error| {
                    self.report(error);
                    None
                })
            }
            event => {
                if let Err(error) = self.event(event) {
                    self.report(error);
                }
                None
            }
        }
    }

    fn message(&self, message: &Message) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.owner.py();
        let handler = match &self.sink {
            Some(sink) => sink.clone(),
            None => {
                let Some(handlers) = &self.handlers else { return Ok(None) };
                let name = intern!(py, "message");
                let handler = match handlers.cast::<PyDict>() {
                    Ok(handlers) => handlers.get_item(name)?,
                    Err(_) => {
                        let args = PyTuple::new(py, [name])?;
                        Some(call_method(handlers, intern!(py, "get"), &args)?)
                    }
                };
                match handler {
                    Some(handler) if !handler.is_none() => handler,
                    _ => return Ok(None),
                }
            }
        };
        let data = self.value(message)?;
        call(&handler, &PyTuple::new(py, [data])?).map(Some)
    }

    fn value(&self, message: &Message) -> PyResult<Bound<'py, PyAny>> {
        let py = self.owner.py();
        match message {
            Message::Binary(data) => Ok(PyBytes::new(py, data).into_any()),
            Message::Text(text) => self.json.read(py, text),
        }
    }

    fn event(&self, event: Event) -> PyResult<()> {
        let py = self.owner.py();
        let (name, facts) = describe(py, event)?;
        let args = (name, facts).into_pyobject(py)?;
        call_method(&self.owner, intern!(py, "_handle_event"), &args).map(drop)
    }

    /// A handler has raised. What it has to say is the interpreter's to print.
    fn report(&self, error: PyErr) {
        let py = self.owner.py();
        let told = PyTuple::new(py, [error.value(py)])
            .and_then(|args| call_method(&self.owner, intern!(py, "_handle_error"), &args));
        if let Err(error) = told {
            error.write_unraisable(py, Some(&self.owner));
        }
    }
}

impl<'py> Json<'py> {
    /// As `heartwire.engineio.packet.Packet.json` says, which users assign to.
    fn current(py: Python<'py>) -> PyResult<Self> {
        static PACKET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static STANDARD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let packet = PACKET.get_or_try_init(py, || {
            py.import("heartwire.engineio.packet")?.getattr("Packet").map(Bound::unbind)
        })?;
        let standard = STANDARD.get_or_try_init(py, || {
            py.import("heartwire.engineio.json").map(|m| m.into_any().unbind())
        })?;
        let module = packet.bind(py).getattr(intern!(py, "json"))?;
        if module.is(standard) {
            return Ok(Self::Standard);
        }
        Ok(Self::Custom(module.getattr(intern!(py, "loads"))?))
    }

    /// A text message, read as JSON if it is JSON and no number: `"x"` is x, `x` is x, `12` is `"12"`.
    fn read(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        let whole = PyString::new(py, text).into_any();
        if text.is_empty() {
            return Ok(whole);
        }
        match self {
            Self::Standard if !may_be_json(text) => Ok(whole),
            Self::Standard if has_huge_number(text) => {
                let loads = py.import(intern!(py, "heartwire.engineio.json"))?;
                let args = PyTuple::new(py, [&whole])?;
                or_text(py, call_method(loads.as_any(), intern!(py, "loads"), &args), whole)
            }
            Self::Standard => {
                let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
                let scanned = if trimmed.len() == text.len() {
                    scan(py, &whole)
                } else {
                    scan(py, PyString::new(py, trimmed).as_any())
                };
                or_text(py, scanned, whole)
            }
            Self::Broken(error) => Err(error.clone_ref(py)),
            Self::Custom(_) if starts_numeric(py, text)? => Ok(whole),
            Self::Custom(loads) => or_text(py, call(loads, &PyTuple::new(py, [&whole])?), whole),
        }
    }
}

/// An attribute, which may be a property.
fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    static GETATTR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    let getattr = GETATTR
        .get_or_try_init(py, || py.import("builtins")?.getattr("getattr").map(Bound::unbind))?;
    call(getattr.bind(py), &PyTuple::new(py, [object, name.as_any()])?)
}

/// The text itself, where it could not be read as JSON.
fn or_text<'py>(
    py: Python<'py>,
    read: PyResult<Bound<'py, PyAny>>,
    whole: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    match read {
        Ok(value) => Ok(value),
        Err(error) if error.is_instance_of::<PyValueError>(py) => Ok(whole),
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(whole),
        Err(error) if error.is_instance_of::<PyRecursionError>(py) => Ok(whole),
        Err(error) => Err(error),
    }
}

/// Reads a text that is one JSON value.
fn scan<'py>(py: Python<'py>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static SCAN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let scan = SCAN.get_or_try_init(py, || {
        let decoder = py.import("json")?.getattr("JSONDecoder")?.call0()?;
        decoder.getattr("scan_once").map(Bound::unbind)
    })?;
    let scanned = scan.bind(py).call1((text, 0))?;
    let scanned = scanned.cast::<PyTuple>()?;
    let end: usize = scanned.get_item(1)?.extract()?;
    if end != text.len()? {
        return Err(PyValueError::new_err("extra data"));
    }
    scanned.get_item(0)
}

/// Whether the standard library could read the text as JSON, by its first character.
fn may_be_json(text: &str) -> bool {
    matches!(
        text.as_bytes()[0],
        b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'N' | b'I' | b'-' | b' ' | b'\t' | b'\n' | b'\r'
    )
}

/// Whether there may be a number in it that costs more to read than a peer may ask for.
fn has_huge_number(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run >= MAX_DIGITS
    })
}

/// As `str.isnumeric` says of the first character.
fn starts_numeric(py: Python<'_>, text: &str) -> PyResult<bool> {
    let first = text.chars().next().unwrap_or_default();
    if first.is_ascii() {
        return Ok(first.is_ascii_digit());
    }
    let mut buffer = [0; 4];
    let first = PyString::new(py, first.encode_utf8(&mut buffer));
    first.call_method0(intern!(py, "isnumeric"))?.is_truthy()
}

/// An event that is no message: its name and what is known.
fn describe(py: Python<'_>, event: Event) -> PyResult<(&'static str, Bound<'_, PyDict>)> {
    let facts = PyDict::new(py);
    let name = match event {
        Event::Connected(connected) => {
            fill(&facts, &connected)?;
            "connected"
        }
        Event::Upgraded => "upgraded",
        Event::UpgradeFailed { detail } => {
            facts.set_item("detail", detail.as_deref())?;
            "upgrade_failed"
        }
        Event::Disconnected(Disconnected { reason, detail, status, unsent, transport, .. }) => {
            facts.set_item("reason", reason.name())?;
            facts.set_item("detail", detail.as_deref())?;
            facts.set_item("status", status)?;
            facts.set_item("unsent", unsent)?;
            facts.set_item("transport", transport.name())?;
            "disconnected"
        }
        Event::Reconnecting { attempt, delay } => {
            facts.set_item("attempt", attempt)?;
            facts.set_item("delay", delay.as_secs_f64())?;
            "reconnecting"
        }
        Event::ReconnectFailed { attempt, error } => {
            facts.set_item("attempt", attempt)?;
            facts.set_item("error", error.to_string())?;
            "reconnect_failed"
        }
        Event::GaveUp { unsent } => {
            facts.set_item("unsent", unsent)?;
            "gave_up"
        }
        _ => "unknown",
    };
    Ok((name, facts))
}

/// What a handshake has told.
pub(super) fn fill(facts: &Bound<'_, PyDict>, connected: &Connected) -> PyResult<()> {
    let handshake = &connected.handshake;
    facts.set_item("sid", handshake.sid.as_str())?;
    let upgrades: Vec<_> = handshake.upgrades.iter().map(|upgrade| upgrade.name()).collect();
    facts.set_item("upgrades", upgrades)?;
    facts.set_item("ping_interval", handshake.ping_interval.as_secs_f64())?;
    facts.set_item("ping_timeout", handshake.ping_timeout.as_secs_f64())?;
    facts.set_item("max_payload", handshake.max_payload)?;
    facts.set_item("transport", connected.transport.name())
}

/// Digits of a number from which on it is not read. The reference implementation reads 100.
const MAX_DIGITS: usize = 100;
