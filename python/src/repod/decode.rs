//! msgpack to Python's objects: those of `msgpack.unpackb(…, raw=False, strict_map_key=False)`.

use heartwire_proto::repod::{DecodeError, MAX_DEPTH, Token, Tokens};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};
use pyo3::{BoundObject, IntoPyObject};

use super::msgpack;

/// Makes an object of bytes that hold one value.
pub(super) fn decode<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut tokens = Tokens::new(bytes);
    let object = value(py, &mut tokens, 0)?;
    match tokens.rest() {
        [] => Ok(object),
        rest => Err(msgpack::extra_data(py, object, rest)),
    }
}

fn value<'py>(
    py: Python<'py>,
    tokens: &mut Tokens<'_>,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let token = next(py, tokens)?;
    scalar(py, token, |token| match token {
        Token::Array(_) | Token::Map(_) if depth == MAX_DEPTH => Err(msgpack::stack_error(py)),
        Token::Map(count) => map(py, tokens, count, depth),
        Token::Array(count) => list(py, tokens, count, depth),
        _ => unreachable!("the others are scalars"),
    })
}

fn list<'py>(
    py: Python<'py>,
    tokens: &mut Tokens<'_>,
    count: usize,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    // Each takes a byte at least: memory follows what has arrived, not what was announced.
    if count > tokens.rest().len() {
        return Err(incomplete());
    }
    let mut elements = Vec::with_capacity(count.min(SMALL));
    for _ in 0..count {
        elements.push(value(py, tokens, depth + 1)?);
    }
    Ok(PyList::new(py, elements)?.into_any())
}

fn map<'py>(
    py: Python<'py>,
    tokens: &mut Tokens<'_>,
    count: usize,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    for _ in 0..count {
        let token = next(py, tokens)?;
        let key = scalar(py, token, |token| {
            let name = if let Token::Map(_) = token { "dict" } else { "list" };
            Err(PyTypeError::new_err(format!("unhashable type: '{name}'")))
        })?;
        dict.set_item(key, value(py, tokens, depth + 1)?)?;
    }
    Ok(dict.into_any())
}

/// Makes an object of a token, unless `compound` has to.
#[inline]
fn scalar<'a, 'py>(
    py: Python<'py>,
    token: Token<'a>,
    compound: impl FnOnce(Token<'a>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match token {
        Token::Text(bytes) => PyString::from_bytes(py, bytes)?.into_any(),
        Token::Int(number) => PyInt::new(py, number).into_any(),
        Token::UInt(number) => PyInt::new(py, number).into_any(),
        Token::Float(number) => PyFloat::new(py, number).into_any(),
        Token::Bool(value) => value.into_pyobject(py)?.into_bound().into_any(),
        Token::Nil => py.None().into_bound(py),
        Token::Binary(bytes) => PyBytes::new(py, bytes).into_any(),
        Token::Ext(ext) => msgpack::ext(py, ext)?,
        Token::Timestamp(moment) => msgpack::timestamp(py, moment)?,
        Token::Array(_) | Token::Map(_) => compound(token)?,
    })
}

#[inline]
fn next<'a>(py: Python<'_>, tokens: &mut Tokens<'a>) -> PyResult<Token<'a>> {
    tokens.next_token().map_err(|error| match error {
        DecodeError::Truncated => incomplete(),
        DecodeError::ReservedMarker => msgpack::format_error(py),
        DecodeError::ReservedExt(_) => PyValueError::new_err("code must be 0~127"),
        error => PyValueError::new_err(error.to_string()),
    })
}

fn incomplete() -> PyErr {
    PyValueError::new_err("Unpack failed: incomplete input")
}

/// Elements for which memory is reserved before they are seen.
const SMALL: usize = 1024;
