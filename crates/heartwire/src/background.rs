//! The background thread that serves every blocking client of the process.
//!
//! It is started by the first client and never stopped: a client that is dropped has nothing to wait
//! for, wherever that happens.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::runtime::{Builder, Handle};

/// The background thread's runtime.
///
/// A child process that was made by `fork` has only the thread that called it: it gets a background
/// thread of its own.
///
/// # Errors
///
/// The thread could not be started.
pub fn handle() -> io::Result<Handle> {
    static HANDLE: Mutex<Option<(u32, Handle)>> = Mutex::new(None);
    let process = std::process::id();
    let mut shared = HANDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, handle)) = &*shared
        && *owner == process
    {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_HANDLER_THREADS)
        .thread_name("heartwire-handler")
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("heartwire".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    // What the parent left cannot be used, and cannot be dropped either: its locks may be held.
    std::mem::forget(shared.replace((process, handle.clone())));
    Ok(handle)
}

/// Runs a future on the calling thread, which sleeps while it waits. Unlike a runtime's own
/// `block_on`, it may be called from anywhere.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = WAKER.with(Waker::clone);
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// As [`block_on`], but no longer than until `deadline`. The future is dropped then.
pub(crate) fn block_on_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = WAKER.with(Waker::clone);
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

thread_local! {
    /// One a thread, so that who waits again and again in vain leaves one waker behind, not many.
    static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Handlers run on threads of their own while they run, so that one that blocks stops neither the
/// network nor the handlers of other clients. A program with more clients than this in blocking
/// handlers at the same time has its handlers wait for each other.
const MAX_HANDLER_THREADS: usize = 16 * 1024;
