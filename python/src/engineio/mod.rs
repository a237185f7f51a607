//! Engine.IO.
//!
//! ```text
//! network thread ──► inbox ──► Dispatch (threads of Python) ──► Delivery ──► handlers
//!       ▲                 └──► Bell (an event loop of Python) ──► Delivery ──► handlers
//!       └── mailbox ◄── Connection.send…
//! ```
//!
//! The network thread never waits for the interpreter's lock.

mod bell;
mod connection;
mod delivery;
mod dispatch;
mod options;
mod process;
mod requests;
mod sockopt;

use pyo3::prelude::*;

/// Adds what this module has to `heartwire._native`.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<connection::Connection>()?;
    module.add_class::<requests::Requests>()?;
    module.add_class::<requests::Exchange>()?;
    module.add_function(wrap_pyfunction!(process::after_fork, module)?)?;
    module.add_function(wrap_pyfunction!(process::at_exit, module)?)
}
