//! What a fork does not share, the network thread and locks that it may hold; and what the end of the program
//! waits for.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// This process is the child of a fork: what the parent had is not its own.
#[pyfunction]
pub(super) fn after_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    VISITORS.store(0, Ordering::SeqCst);
}

/// This process, counted in forks.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Runs something in the interpreter, on a thread that is not Python's. `None` where the program ends.
///
/// Python takes a thread that is within the interpreter when that has ended out of it by force, through
/// frames of Rust that do not bear it. So the end of the program waits for visitors.
pub(super) fn visit<R>(function: impl FnOnce(Python<'_>) -> R) -> Option<R> {
    let _visit = Visit::begin();
    if IS_CLOSED.load(Ordering::SeqCst) { None } else { Python::try_attach(function) }
}

/// A thread of Python that has waited outside of the interpreter is about to go back, and has when it drops
/// what this returns. Does not return where the program ends.
pub(super) fn go_back() -> Visit {
    let visit = Visit::begin();
    if IS_CLOSED.load(Ordering::SeqCst) {
        drop(visit);
        loop {
            thread::park();
        }
    }
    visit
}

/// A visitor, whatever becomes of it.
pub(super) struct Visit;

impl Visit {
    fn begin() -> Self {
        VISITORS.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        VISITORS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The program ends: lets nobody visit the interpreter any more, and waits for those who do.
#[pyfunction]
pub(super) fn at_exit(py: Python<'_>) {
    IS_CLOSED.store(true, Ordering::SeqCst);
    let deadline = Instant::now() + PATIENCE;
    while VISITORS.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
        py.detach(|| thread::sleep(Duration::from_millis(1)));
    }
}

/// For how long the end of the program waits for visitors, who have little to do.
const PATIENCE: Duration = Duration::from_secs(5);

/// Threads that visit the interpreter, or are about to.
static VISITORS: AtomicUsize = AtomicUsize::new(0);

/// Whether the program ends.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Forks that lie between this process and the first.
static GENERATION: AtomicU32 = AtomicU32::new(0);
