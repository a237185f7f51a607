//! Calls functions of Python that run code of Python, in threads that may be at their end.
//!
//! When the interpreter ends, a thread that wants its lock is ended by the system then and there: its stack is
//! unwound, through whatever has called Python. Nothing of ours may be unwound, because what is on it belongs to
//! an interpreter that is not there any more. So the innermost of our frames stops the thread, for good.
//! Python 3.14 and later do that themselves.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// Calls a function.
pub(super) fn call<'py>(
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    #[expect(unsafe_code, reason = "the frames of safe calls would be unwound")]
    // SAFETY: both are objects, the second a tuple; what comes back is new, or NULL with an exception set.
    unsafe {
        let result = call_or_stop(function.as_ptr(), args.as_ptr());
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// Calls a method.
pub(super) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    call(&object.getattr(name)?, args)
}

/// Calls a method without arguments.
pub(super) fn call_method0<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    call_method(object, name, &PyTuple::empty(object.py()))
}

/// Keeps nothing that is dropped but what stops the thread.
#[expect(unsafe_code, reason = "it has to be the innermost frame")]
unsafe fn call_or_stop(
    function: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let stop = Stop;
    // SAFETY: as the caller says.
    let result = unsafe { PyObject_Call(function, args, ptr::null_mut()) };
    std::mem::forget(stop);
    result
}

/// Stops the thread when it is unwound.
struct Stop;

impl Drop for Stop {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "PyO3 declares it as a function that is never unwound")]
unsafe extern "C-unwind" {
    fn PyObject_Call(
        function: *mut ffi::PyObject,
        args: *mut ffi::PyObject,
        keywords: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}
#[cfg(not(unix))]
use pyo3::ffi::PyObject_Call;
