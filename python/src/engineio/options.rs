//! The options of a client, as Python gives them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use heartwire::Backoff;
use heartwire::engineio::Transport;
use heartwire::engineio::client::{Client, ClientBuilder};
use heartwire::tls::{ClientTls, ClientTlsBuilder, TlsError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::sockopt::Sockopt;

/// A client of the server at `url`. Every option is optional; what Python means by them stands in
/// `heartwire/engineio/_settings.py`.
pub(super) fn builder(url: String, options: &Bound<'_, PyDict>) -> PyResult<ClientBuilder> {
    let mut builder = Client::builder(url);
    for (name, value) in options {
        let name = name.cast::<PyString>()?.to_str()?.to_owned();
        builder = apply(builder, &name, &value).map_err(|error| named(&value, &name, error))?;
    }
    Ok(builder)
}

/// The error for an option whose value is of another type, with its name.
fn named(value: &Bound<'_, PyAny>, name: &str, error: PyErr) -> PyErr {
    if error.is_instance_of::<PyTypeError>(value.py()) {
        return PyTypeError::new_err(format!("{name}: {}", error.value(value.py())));
    }
    error
}

fn apply(builder: ClientBuilder, name: &str, value: &Bound<'_, PyAny>) -> PyResult<ClientBuilder> {
    Ok(match name {
        "path" => builder.path(value.extract::<String>()?),
        "headers" => {
            let headers: Vec<(String, Vec<u8>)> = value.extract()?;
            headers.into_iter().fold(builder, |builder, (name, value)| {
                builder.header(name.as_str(), value.as_slice())
            })
        }
        "websocket_headers" => {
            let headers: Vec<(String, Vec<u8>)> = value.extract()?;
            headers.into_iter().fold(builder, |builder, (name, value)| {
                let transport = Transport::WebSocket;
                builder.transport_header(transport, name.as_str(), value.as_slice())
            })
        }
        "queries" => {
            let queries: Vec<(String, String, String)> = value.extract()?;
            let mut builder = builder;
            for (name, key, value) in queries {
                builder = builder.transport_query(transport(&name)?, key, value);
            }
            builder
        }
        "transports" => builder.transports(transports(value)?),
        "request_timeout" => builder.request_timeout(seconds(value)?),
        "close_timeout" => builder.close_timeout(seconds(value)?),
        "timestamp_requests" => builder.timestamp_requests(value.is_truthy()?),
        "tls" => builder.tls(tls(value)?),
        "websocket_tls" => builder.websocket_tls(tls(value)?),
        "proxy" if value.is_none() => builder.no_proxy(),
        "proxy" => {
            let (url, except): (String, String) = value.extract()?;
            builder.proxy(url).proxy_except(except)
        }
        "websocket_proxy" if value.is_none() => builder.no_websocket_proxy(),
        "websocket_proxy" => {
            let (url, except): (String, String) = value.extract()?;
            builder.websocket_proxy(url, except)
        }
        "websocket_timeout" => builder.websocket_timeout(seconds(value)?),
        "sockopt" => {
            let given: Vec<Bound<'_, PyAny>> = value.extract()?;
            let options: Vec<_> = given.iter().map(Sockopt::read).collect::<PyResult<_>>()?;
            builder.websocket_socket(move |socket| {
                options.iter().try_for_each(|option| option.set(socket))
            })
        }
        "subprotocols" => builder.subprotocols(value.extract::<Vec<String>>()?),
        "send_limits" => {
            let (messages, bytes) = value.extract()?;
            builder.send_limits(messages, bytes)
        }
        "receive_limit" => builder.receive_limit(value.extract()?),
        "max_message" => builder.max_message(value.extract()?),
        "reconnect" => builder.reconnect(backoff(value)?),
        "retry_first" => builder.retry_first(value.is_truthy()?),
        _ => return Err(PyTypeError::new_err(format!("there is no option {name:?}"))),
    })
}

fn transports(value: &Bound<'_, PyAny>) -> PyResult<Vec<Transport>> {
    let names: Vec<String> = value.extract()?;
    names.iter().map(|name| transport(name)).collect()
}

fn transport(name: &str) -> PyResult<Transport> {
    let found = Transport::ALL.into_iter().find(|transport| transport.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("there is no transport {name:?}")))
}

/// Which servers are trusted, and what they are shown.
fn tls(value: &Bound<'_, PyAny>) -> PyResult<ClientTls> {
    let options = value.cast::<PyDict>()?;
    let authorities = match options.get_item("authorities")? {
        Some(authorities) if options.len() == 1 => authorities.cast_into::<PyBytes>().ok(),
        _ => None,
    };
    let Some(authorities) = authorities else { return read_tls(options) };
    // It is the same object again and again, and is not read again.
    static LAST: Mutex<Option<(Py<PyBytes>, ClientTls)>> = Mutex::new(None);
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, tls)) = last().as_ref().filter(|(known, _)| known.is(&authorities)) {
        return Ok(tls.clone());
    }
    // Python may let another thread in meanwhile.
    let tls = read_tls(options)?;
    *last() = Some((authorities.unbind(), tls.clone()));
    Ok(tls)
}

fn read_tls(options: &Bound<'_, PyDict>) -> PyResult<ClientTls> {
    let mut builder = ClientTls::builder();
    let mut shows_identity = false;
    for (name, value) in options {
        builder = match name.cast::<PyString>()?.to_str()? {
            "authorities" => builder.authorities(value.extract::<Vec<u8>>()?),
            "identity" => {
                shows_identity = true;
                builder.identity(value.extract::<Vec<u8>>()?)
            }
            "server_name" => builder.server_name(value.extract::<String>()?),
            "cipher_suites" => builder.cipher_suites(value.extract::<Vec<String>>()?),
            "accept_any" => builder.danger_accept_invalid_certificates(value.is_truthy()?),
            "accept_any_name" => builder.danger_accept_invalid_hostnames(value.is_truthy()?),
            name => {
                return Err(PyTypeError::new_err(format!("there is no option {name:?}")));
            }
        };
    }
    // A key is kept no longer than the client that shows it.
    let built = if shows_identity { builder.build() } else { shared(builder) };
    built.map_err(|error| PyValueError::new_err(format!("TLS: {error}")))
}

/// Clients that trust the same share what was read for them, as the system's authorities are in a hundred
/// certificates and more.
fn shared(builder: ClientTlsBuilder) -> Result<ClientTls, TlsError> {
    static LATELY: Mutex<VecDeque<(ClientTlsBuilder, ClientTls)>> = Mutex::new(VecDeque::new());
    let mut lately = LATELY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, tls)) = lately.iter().find(|(known, _)| *known == builder) {
        return Ok(tls.clone());
    }
    let tls = builder.clone().build()?;
    lately.truncate(SHARED - 1);
    lately.push_front((builder, tls.clone()));
    Ok(tls)
}

/// What is kept for clients to come. Programs that trust differently at different times are rare.
const SHARED: usize = 4;

fn backoff(value: &Bound<'_, PyAny>) -> PyResult<Backoff> {
    let value = value.cast::<PyDict>()?;
    let mut backoff = Backoff::new();
    for (name, value) in value {
        match name.cast::<PyString>()?.to_str()? {
            "delay" => backoff = backoff.initial(seconds(&value)?),
            "delay_max" => backoff = backoff.max(seconds(&value)?),
            "randomization_factor" => backoff = backoff.jitter(value.extract()?),
            "attempts" => backoff = backoff.max_attempts(value.extract()?),
            name => {
                return Err(PyTypeError::new_err(format!("there is no option {name:?}")));
            }
        }
    }
    Ok(backoff)
}

fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds: f64 = value.extract()?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no number of seconds")))
}
