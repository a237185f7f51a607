//! Engine.IO.
//!
//! ```text
//! network thread ──► inbox ──► Dispatch ──► Threads (of Python) ──► Delivery ──► handlers
//!       ▲                 └──► Bell (an event loop of Python) ──► Delivery ──► handlers
//!       └── mailbox ◄── Connection.send…
//! ```
//!
//! The network thread never waits for the interpreter's lock.

mod bell;
mod call;
mod connection;
mod delivery;
mod dispatch;
mod options;
mod process;
mod requests;
mod sockopt;
mod threads;

use pyo3::prelude::*;

/// Adds what this module has to `heartwire._native`.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<bell::Bell>()?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<requests::Requests>()?;
    module.add_class::<requests::Exchange>()?;
    module.add_function(wrap_pyfunction!(dispatch::runs_handlers, module)?)?;
    module.add_function(wrap_pyfunction!(dispatch::handler_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(dispatch::handler_goes_on, module)?)?;
    module.add_function(wrap_pyfunction!(threads::serve, module)?)?;
    module.add_function(wrap_pyfunction!(threads::busy_threads, module)?)?;
    module.add_function(wrap_pyfunction!(process::after_fork, module)?)?;
    module.add_function(wrap_pyfunction!(process::at_exit, module)?)
}
