//! The threads of Python that run handlers. They belong to the process: each serves whichever client has
//! something to handle, and then the next.
//!
//! ```text
//! Idle (asleep until a client calls) ──► Serving (a client's handlers run)
//!   │   ▲                                    │
//!   │   └────────────(nobody waits)──────────┘
//!   └─(for long, or no client is left)─► gone
//! ```
//!
//! A client to which nothing comes has no thread: programs may have thousands of them. Where more call than
//! threads are on their way, an idle one is woken. Where there is none, one is started when somebody has waited
//! for a moment: handlers that block keep nobody waiting for long, and a crowd of quick ones does not make a
//! crowd of threads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use super::call::call_method0;
use super::process;

/// What a thread is called for.
pub(super) trait Work: Send + Sync {
    /// Handles what there is to handle, on the thread that `member` is.
    fn run(self: Arc<Self>, py: Python<'_>, member: &Arc<Member>);
}

/// The threads of a process.
pub(super) struct Threads {
    runtime: Handle,
    state: Mutex<State>,
    /// A thread has returned from a client.
    returned: Condvar,
    /// The process that they belong to.
    generation: u32,
}

struct State {
    /// Who has called, and when, and nobody has come yet.
    calls: VecDeque<(Instant, Arc<dyn Work>)>,
    /// All threads.
    members: Vec<Arc<Member>>,
    /// Those without work that nobody has woken. The one that had some last is the last.
    idle: Vec<Arc<Member>>,
    /// How many were woken and are not there yet: each takes a call, whosever it is.
    woken: usize,
    /// Whether one is started, or will be if somebody waits for long.
    starting: bool,
    /// Clients that are not at their end.
    clients: usize,
    /// Callers of `await_return`.
    awaiting: usize,
}

/// One thread.
pub(super) struct Member {
    thread: Thread,
    /// The same, as Python has it.
    object: Py<PyAny>,
    /// The address of whom it serves; zero for nobody.
    serves: AtomicUsize,
    /// Whether it is one of those without work.
    is_idle: AtomicBool,
    /// Whether it was woken.
    is_woken: AtomicBool,
}

/// A client that may call. While there is one, a thread is there for it.
pub(super) struct Membership(Arc<Threads>);

impl Threads {
    /// Those of this process.
    pub(super) fn of_process(_: Python<'_>, runtime: &Handle) -> Arc<Self> {
        let mut threads = lock();
        if let Some(threads) = threads.as_ref().filter(|threads| threads.is_of_process()) {
            return threads.clone();
        }
        let state = State {
            calls: VecDeque::new(),
            members: vec![],
            idle: vec![],
            woken: 0,
            starting: false,
            clients: 0,
            awaiting: 0,
        };
        let made = Arc::new(Self {
            runtime: runtime.clone(),
            state: Mutex::new(state),
            returned: Condvar::new(),
            generation: process::generation(),
        });
        // What the parent of a fork has cannot be dropped: its locks may be held.
        std::mem::forget(threads.replace(made.clone()));
        made
    }

    /// A client begins. The first one starts a thread, and finds out if there can be none.
    pub(super) fn join(self: &Arc<Self>, py: Python<'_>) -> PyResult<Membership> {
        let mut state = self.lock();
        state.clients += 1;
        let membership = Membership(self.clone());
        if state.members.is_empty() && !state.starting {
            state.starting = true;
            drop(state);
            if let Err(error) = start(py) {
                let mut state = self.lock();
                state.starting = false;
                // Who has called meanwhile has relied on it.
                if state.lacks_threads() {
                    self.watch(&mut state);
                }
                return Err(error);
            }
        }
        Ok(membership)
    }

    /// Has a thread come for `work`.
    pub(super) fn call(self: &Arc<Self>, work: Arc<dyn Work>) {
        let mut state = self.lock();
        state.calls.push_back((Instant::now(), work));
        let member = if state.lacks_threads() { state.wake() } else { None };
        if state.lacks_threads() {
            self.watch(&mut state);
        }
        drop(state);
        if let Some(member) = member {
            member.thread.unpark();
        }
    }

    /// The thread that `member` is has nothing left to do where it is, and comes when it is called.
    pub(super) fn offer(&self, member: &Arc<Member>) {
        self.lock().offer(member);
    }

    /// Waits until no other thread serves `work`, until the deadline at most. Says whether that is so.
    pub(super) fn await_return(&self, work: &Arc<impl Work>, deadline: Instant) -> bool {
        let (address, me) = (address(&**work), thread::current().id());
        let serves = |member: &Arc<Member>| {
            member.serves.load(Ordering::Relaxed) == address && member.thread.id() != me
        };
        let mut state = self.lock();
        state.awaiting += 1;
        let outcome = loop {
            if !state.members.iter().any(serves) {
                break true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break false;
            }
            let waited = self.returned.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        state.awaiting -= 1;
        outcome
    }

    /// What a thread does.
    fn serve(self: &Arc<Self>, py: Python<'_>, object: Py<PyAny>, patience: Duration) {
        let me = Arc::new(Member {
            thread: thread::current(),
            object,
            serves: AtomicUsize::new(0),
            is_idle: AtomicBool::new(false),
            is_woken: AtomicBool::new(false),
        });
        let mut state = self.lock();
        state.starting = false;
        state.members.push(me.clone());
        loop {
            state.arrive(&me);
            if let Some((_, work)) = state.calls.pop_front() {
                if state.lacks_threads() {
                    self.watch(&mut state);
                }
                me.serves.store(address(&*work), Ordering::Relaxed);
                drop(state);
                work.clone().run(py, &me);
                if !self.is_of_process() {
                    // A handler has forked, and this is the child: the rest is the parent's.
                    std::mem::forget(work);
                    return;
                }
                drop(work);
                state = self.lock();
                me.serves.store(0, Ordering::Relaxed);
                if state.awaiting > 0 {
                    self.returned.notify_all();
                }
            } else if state.clients == 0 {
                break;
            } else {
                state.offer(&me);
                drop(state);
                let (woken, visit) = py.detach(|| (self.rest(&me, patience), process::go_back()));
                drop(visit);
                state = self.lock();
                if !woken {
                    break;
                }
            }
        }
        state.members.retain(|member| !Arc::ptr_eq(member, &me));
    }

    /// Sleeps until it is woken, and returns `true`, or nobody needs it.
    fn rest(&self, me: &Arc<Member>, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut state = self.lock();
            if me.is_woken.load(Ordering::Relaxed) {
                return true;
            }
            // One stays, for who calls next.
            if left.is_zero() && state.idle.len() > 1 {
                state.arrive(me);
                return false;
            }
            drop(state);
            match left.is_zero() {
                true => thread::park(),
                false => thread::park_timeout(left),
            }
        }
    }

    /// More have called than there are threads on their way: a task sees to it that they do not wait for long.
    fn watch(self: &Arc<Self>, state: &mut State) {
        if state.starting {
            return;
        }
        state.starting = true;
        let threads = self.clone();
        self.runtime.spawn(async move {
            while let Some(moment) = threads.look_after() {
                tokio::time::sleep_until(moment.into()).await;
            }
        });
    }

    /// Starts a thread if somebody has waited for long. Says when to look again, if anybody waits at all.
    fn look_after(self: &Arc<Self>) -> Option<Instant> {
        let mut state = self.lock();
        let Some((since, _)) = state.calls.front() else {
            state.starting = false;
            return None;
        };
        let limit = *since + HASTE;
        if Instant::now() < limit {
            return Some(limit);
        }
        drop(state);
        let threads = self.clone();
        self.runtime.spawn_blocking(move || {
            let started = process::visit(|py| {
                let started = start(py);
                if let Err(error) = &started {
                    error.clone_ref(py).write_unraisable(py, None);
                }
                started.is_ok()
            });
            if started == Some(false) {
                threads.try_again();
            }
        });
        None
    }

    /// No thread could be started.
    fn try_again(self: &Arc<Self>) {
        let threads = self.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(RETRY).await;
            let mut state = threads.lock();
            state.starting = false;
            if state.lacks_threads() {
                threads.watch(&mut state);
            }
        });
    }

    fn is_of_process(&self) -> bool {
        self.generation == process::generation()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether more have called than there are threads on their way.
    fn lacks_threads(&self) -> bool {
        self.calls.len() > self.woken
    }

    /// Takes one of those without work, which has to be unparked.
    fn wake(&mut self) -> Option<Arc<Member>> {
        let member = self.idle.pop()?;
        member.is_idle.store(false, Ordering::Relaxed);
        member.is_woken.store(true, Ordering::Relaxed);
        self.woken += 1;
        Some(member)
    }

    fn offer(&mut self, member: &Arc<Member>) {
        if !member.is_idle.swap(true, Ordering::Relaxed) {
            self.idle.push(member.clone());
        }
    }

    /// The thread is awake, whether somebody has woken it or not.
    fn arrive(&mut self, member: &Arc<Member>) {
        if member.is_idle.swap(false, Ordering::Relaxed) {
            self.idle.retain(|other| !Arc::ptr_eq(other, member));
        }
        if member.is_woken.swap(false, Ordering::Relaxed) {
            self.woken -= 1;
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let threads = &self.0;
        if !threads.is_of_process() {
            return;
        }
        let mut state = threads.lock();
        state.clients -= 1;
        while state.clients == 0
            && let Some(member) = state.wake()
        {
            member.thread.unpark();
        }
    }
}

/// Serves clients, on a thread of Python, which is `thread` there. Returns when nobody needs it any more:
/// when no client is left, or when it has been one of several that were idle for `patience` seconds.
#[pyfunction]
pub(super) fn serve(py: Python<'_>, thread: Py<PyAny>, patience: f64) {
    if let Some(threads) = existing(py) {
        let patience = Duration::try_from_secs_f64(patience).unwrap_or(FAR).min(FAR);
        threads.serve(py, thread, patience);
    }
}

/// Threads that serve somebody; `None` where there are clients for which the others wait.
#[pyfunction]
pub(super) fn busy_threads(py: Python<'_>) -> Option<Vec<Py<PyAny>>> {
    let threads = existing(py)?;
    let state = threads.lock();
    let busy = |member: &&Arc<Member>| member.serves.load(Ordering::Relaxed) != 0;
    let objects = state.members.iter().filter(busy).map(|member| member.object.clone_ref(py));
    (state.clients == 0).then(|| objects.collect())
}

/// The threads of this process, if it has had any.
fn existing(_: Python<'_>) -> Option<Arc<Threads>> {
    lock().as_ref().filter(|threads| threads.is_of_process()).cloned()
}

fn lock() -> MutexGuard<'static, Option<Arc<Threads>>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a thread of Python that calls `serve`.
fn start(py: Python<'_>) -> PyResult<()> {
    let threads = py.import(intern!(py, "heartwire.engineio._threads"))?;
    call_method0(threads.as_any(), intern!(py, "start")).map(drop)
}

/// What tells one from another.
fn address<T: ?Sized>(work: &T) -> usize {
    std::ptr::from_ref(work).cast::<()>().addr()
}

/// Those of this process, or of the one that it was forked from. Only who has Python's lock takes this one, so
/// that nobody holds it when a thread forks.
static THREADS: Mutex<Option<Arc<Threads>>> = Mutex::new(None);

/// For how long a call may wait before another thread is started. Quick handlers of many clients are done by
/// then, on the threads that there are: as only one of them has the interpreter's lock, more would not help.
const HASTE: Duration = Duration::from_millis(5);

/// How soon a thread is started where that has failed.
const RETRY: Duration = Duration::from_millis(200);

/// Nobody is more patient.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
