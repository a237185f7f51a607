//! Python's objects to frames: the bytes of `msgpack.packb(…, use_bin_type=True)`.

use std::cell::RefCell;

use heartwire_proto::repod::{EncodeError, Ext, Frame, Timestamp};
use pyo3::exceptions::{PyBufferError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// Encodes an object of any kind.
pub(super) fn encode(object: &Bound<'_, PyAny>) -> PyResult<Frame> {
    let failure = RefCell::new(None);
    Frame::encode_any(&Object { object, failure: &failure }).map_err(|error| {
        failure.into_inner().unwrap_or_else(|| match error {
            EncodeError::TooDeep(_) => PyValueError::new_err("recursion limit exceeded."),
            error => PyValueError::new_err(error.to_string()),
        })
    })
}

/// A Python object, for serde.
#[derive(Clone, Copy)]
struct Object<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    /// Why it cannot be serialised, as Python says it.
    failure: &'a RefCell<Option<PyErr>>,
}

impl Object<'_, '_> {
    /// What Python has against it.
    fn fail<E: serde::ser::Error>(&self, error: impl Into<PyErr>) -> E {
        self.failure.replace(Some(error.into()));
        E::custom("")
    }

    fn ok<T, E: serde::ser::Error>(&self, result: PyResult<T>) -> Result<T, E> {
        result.map_err(|error| self.fail(error))
    }

    fn integer<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(number) = self.object.extract::<i64>() {
            serializer.serialize_i64(number)
        } else if let Ok(number) = self.object.extract::<u64>() {
            serializer.serialize_u64(number)
        } else {
            Err(self.fail(PyOverflowError::new_err("Integer value out of range")))
        }
    }

    fn text<S: Serializer>(&self, text: &Bound<'_, PyString>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.ok(text.to_str())?)
    }

    fn map<S: Serializer>(&self, dict: &Bound<'_, PyDict>, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(dict.len()))?;
        for (key, value) in dict.iter() {
            let (key, value) = (self.of(&key), self.of(&value));
            map.serialize_entry(&key, &value)?;
        }
        map.end()
    }

    /// A subclass may say itself what it holds.
    fn items<S: Serializer>(&self, dict: &Bound<'_, PyDict>, to: S) -> Result<S::Ok, S::Error> {
        let items = self.ok(dict.call_method0(intern!(dict.py(), "items")))?;
        let mut map = to.serialize_map(Some(dict.len()))?;
        for item in self.ok(items.try_iter())? {
            let item = self.ok(item)?;
            let (key, value) = self.ok(item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>())?;
            map.serialize_entry(&self.of(&key), &self.of(&value))?;
        }
        map.end()
    }

    fn list<S: Serializer>(&self, list: &Bound<'_, PyList>, to: S) -> Result<S::Ok, S::Error> {
        let mut sequence = to.serialize_seq(Some(list.len()))?;
        for element in list.iter() {
            sequence.serialize_element(&self.of(&element))?;
        }
        sequence.end()
    }

    fn tuple<S: Serializer>(&self, tuple: &Bound<'_, PyTuple>, to: S) -> Result<S::Ok, S::Error> {
        let mut sequence = to.serialize_seq(Some(tuple.len()))?;
        for element in tuple.iter_borrowed() {
            sequence.serialize_element(&self.of(&element))?;
        }
        sequence.end()
    }

    /// Everything that is not one of the common types exactly, in the order in which msgpack looks.
    fn rest<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = self.object;
        if object.is_instance_of::<PyInt>() {
            return self.integer(serializer);
        }
        if let Ok(number) = object.cast::<PyFloat>() {
            return serializer.serialize_f64(number.value());
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return serializer.serialize_bytes(bytes.as_bytes());
        }
        if let Ok(bytes) = object.cast::<PyByteArray>() {
            return serializer.serialize_bytes(&bytes.to_vec());
        }
        if let Ok(text) = object.cast::<PyString>() {
            return self.text(text, serializer);
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return self.items(dict, serializer);
        }
        if let Some(ext) = self.ok(as_ext(object))? {
            let (code, data) = ext;
            return Ext { code, data: data.as_bytes() }.serialize(serializer);
        }
        if let Some(timestamp) = self.ok(as_timestamp(object))? {
            return timestamp.serialize(serializer);
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.list(list, serializer);
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return self.tuple(tuple, serializer);
        }
        if object.is_instance_of::<PyMemoryView>() {
            let bytes = self.ok(view(object))?;
            return serializer.serialize_bytes(bytes.as_bytes());
        }
        let name = self.ok(object.get_type().name())?;
        Err(self.fail(PyTypeError::new_err(format!("can not serialize '{name}' object"))))
    }

    fn of<'b, 'py>(&'b self, object: &'b Bound<'py, PyAny>) -> Object<'b, 'py> {
        Object { object, failure: self.failure }
    }
}

impl Serialize for Object<'_, '_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = self.object;
        if let Ok(text) = object.cast_exact::<PyString>() {
            self.text(text, serializer)
        } else if object.is_exact_instance_of::<PyInt>() {
            self.integer(serializer)
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            self.map(dict, serializer)
        } else if object.is_none() {
            serializer.serialize_unit()
        } else if let Ok(value) = object.cast_exact::<PyBool>() {
            serializer.serialize_bool(value.is_true())
        } else if let Ok(number) = object.cast_exact::<PyFloat>() {
            serializer.serialize_f64(number.value())
        } else if let Ok(list) = object.cast_exact::<PyList>() {
            self.list(list, serializer)
        } else if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            serializer.serialize_bytes(bytes.as_bytes())
        } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            self.tuple(tuple, serializer)
        } else {
            self.rest(serializer)
        }
    }
}

/// An `ExtType`, of msgpack or of ours: a named tuple of a code and bytes.
fn as_ext<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<(i8, Bound<'py, PyBytes>)>> {
    if !object.is_instance_of::<PyTuple>() || object.get_type().name()? != "ExtType" {
        return Ok(None);
    }
    let py = object.py();
    let code = object.getattr(intern!(py, "code"))?.extract()?;
    let data = object.getattr(intern!(py, "data"))?.cast_into()?;
    Ok(Some((code, data)))
}

/// A `Timestamp`, of msgpack or of ours: it has seconds and nanoseconds.
fn as_timestamp(object: &Bound<'_, PyAny>) -> PyResult<Option<Timestamp>> {
    if object.get_type().name()? != "Timestamp" {
        return Ok(None);
    }
    let py = object.py();
    let seconds = object.getattr_opt(intern!(py, "seconds"))?;
    let nanoseconds = object.getattr_opt(intern!(py, "nanoseconds"))?;
    let (Some(seconds), Some(nanoseconds)) = (seconds, nanoseconds) else { return Ok(None) };
    Ok(Some(Timestamp { seconds: seconds.extract()?, nanoseconds: nanoseconds.extract()? }))
}

fn view<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = object.py();
    if !object.getattr(intern!(py, "c_contiguous"))?.is_truthy()? {
        let message = "memoryview: underlying buffer is not C-contiguous";
        return Err(PyBufferError::new_err(message));
    }
    Ok(object.call_method0(intern!(py, "tobytes"))?.cast_into()?)
}
