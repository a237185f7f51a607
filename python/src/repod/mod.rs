//! repod.
//!
//! The network runs on its own thread, which never takes Python's lock and never runs Python code. Python
//! takes what has arrived, and only then are objects made of it.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyTuple};

mod process;

mod msgpack;

mod encode;

mod decode;

mod bell;

mod farewell;

mod traffic;

mod item;

mod client;

mod courier;

mod channel;

mod feed;

mod server;

/// Adds what this module has to `heartwire._native`.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let name = "heartwire._native.repod";
    let repod = PyModule::new(module.py(), name)?;
    repod.add_class::<client::Client>()?;
    repod.add_class::<channel::Channel>()?;
    repod.add_class::<channel::EncodedFrame>()?;
    repod.add_class::<server::Server>()?;
    repod.add_class::<server::Ended>()?;
    repod.add_function(wrap_pyfunction!(encode_frame, &repod)?)?;
    repod.add_function(wrap_pyfunction!(decode_payload, &repod)?)?;
    repod.add_function(wrap_pyfunction!(read_message, &repod)?)?;
    repod.add_function(wrap_pyfunction!(wait_for_farewells, &repod)?)?;
    repod.add_function(wrap_pyfunction!(forked, &repod)?)?;
    // Extension modules are no packages: without this, nobody could import it by its name.
    module.py().import("sys")?.getattr("modules")?.set_item(name, &repod)?;
    module.add("repod", repod)
}

/// The frame of an object of any kind.
#[pyfunction]
fn encode_frame<'py>(py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, encode::encode(data)?.as_bytes()))
}

/// The object in a payload.
#[pyfunction]
fn decode_payload<'py>(data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    with_bytes(data, |bytes| decode::decode(data.py(), bytes))
}

/// The first object of a stream of frames, and the bytes that it took; None and 0 if it is not complete.
#[pyfunction]
fn read_message<'py>(stream: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let py = stream.py();
    with_bytes(stream, |bytes| {
        let payload = bytes.split_first_chunk().and_then(|(length, rest)| {
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            rest.get(..length)
        });
        match payload {
            Some(payload) => (decode::decode(py, payload)?, 4 + payload.len()).into_pyobject(py),
            None => (py.None(), 0).into_pyobject(py),
        }
    })
}

/// Waits until what was closed has ended. False if that takes longer than `timeout` seconds.
#[pyfunction]
fn wait_for_farewells(py: Python<'_>, timeout: f64) -> PyResult<bool> {
    farewell::wait(py, client::seconds("timeout", timeout)?)
}

/// To be called in a child process, first of all.
#[pyfunction]
fn forked() {
    process::forked();
    farewell::forget();
}

/// Lends the bytes of an object: bytes without a copy, everything else that has bytes with one.
fn with_bytes<'py, R>(
    object: &Bound<'py, PyAny>,
    read: impl FnOnce(&[u8]) -> PyResult<R>,
) -> PyResult<R> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return read(bytes.as_bytes());
    }
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return read(&bytes.to_vec());
    }
    let view = pyo3::types::PyMemoryView::from(object)?;
    let bytes = view.call_method0("tobytes")?.cast_into::<PyBytes>()?;
    read(bytes.as_bytes())
}
