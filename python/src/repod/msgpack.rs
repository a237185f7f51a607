//! Python's types for what msgpack has and Python has not, and the errors of decoding: msgpack's own where
//! that is installed.

use heartwire_proto::repod::{Ext, Timestamp};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;

pub(super) fn ext<'py>(py: Python<'py>, ext: Ext<'_>) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    class(py, &CLASS, "ExtType")?.call1((ext.code, PyBytes::new(py, ext.data)))
}

pub(super) fn timestamp(py: Python<'_>, moment: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    class(py, &CLASS, "Timestamp")?.call1((moment.seconds, moment.nanoseconds))
}

/// A byte that msgpack does not use.
pub(super) fn format_error(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    raised(class(py, &CLASS, "FormatError").and_then(Bound::call0))
}

/// Arrays and maps that are nested too deep.
pub(super) fn stack_error(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    raised(class(py, &CLASS, "StackError").and_then(Bound::call0))
}

/// Bytes behind the value.
pub(super) fn extra_data(py: Python<'_>, value: Bound<'_, PyAny>, rest: &[u8]) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = class(py, &CLASS, "ExtraData");
    raised(class.and_then(|class| class.call1((value, PyBytes::new(py, rest)))))
}

fn raised(exception: PyResult<Bound<'_, PyAny>>) -> PyErr {
    exception.map_or_else(|error| error, PyErr::from_value)
}

/// Looks a class up in `heartwire.repod.msgpack`, once.
fn class<'py>(
    py: Python<'py>,
    place: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let class = place.get_or_try_init(py, || {
        let module = py.import("heartwire.repod.msgpack")?;
        Ok::<_, PyErr>(module.getattr(name)?.unbind())
    })?;
    Ok(class.bind(py))
}
