//! Connections that end in the background, for the end of the interpreter to wait for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use heartwire::repod;
use pyo3::prelude::*;

/// Connections that were closed and have not ended.
static ENDING: AtomicUsize = AtomicUsize::new(0);

/// Closes a client; what waits is sent in the background.
pub(super) fn close(client: repod::Client) {
    client.close();
    let Ok(runtime) = heartwire::blocking::runtime() else { return };
    ENDING.fetch_add(1, Ordering::SeqCst);
    runtime.spawn(async move {
        client.closed().await;
        ENDING.fetch_sub(1, Ordering::SeqCst);
    });
}

/// Waits until everything that was closed has ended, but no longer than `timeout`.
pub(super) fn wait(py: Python<'_>, timeout: Duration) -> PyResult<bool> {
    let deadline = Instant::now() + timeout;
    while ENDING.load(Ordering::SeqCst) > 0 {
        if deadline <= Instant::now() {
            return Ok(false);
        }
        // It happens once, at the end of the process: no lock is worth it.
        py.detach(|| std::thread::sleep(STEP));
        py.check_signals()?;
    }
    Ok(true)
}

/// In a child, nothing ends: what the parent closed is the parent's.
pub(super) fn forget() {
    ENDING.store(0, Ordering::SeqCst);
}

const STEP: Duration = Duration::from_millis(1);
