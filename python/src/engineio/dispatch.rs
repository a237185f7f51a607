//! Which thread of Python runs the handlers of a client.
//!
//! ```text
//! Vacant ──► Waiting (asleep until something arrives) ◄──► Calling (a handler runs)
//!    ▲          │                                              │
//!    │          └─(nothing comes for long)─► Resting           │
//!    ├─────────────(something comes)────────────┘              │
//!    └──(it runs for long, or blocks, and something waits)─────┘
//! ```
//!
//! One thread leads: it takes what has arrived and calls the handlers, one after the other, in the order
//! of arrival. A handler that takes its time must not keep what comes after it waiting: it may itself wait
//! for that. So another thread takes over then, and the one that led becomes a spare when its handler has
//! returned. The network thread notices; it never needs Python's lock for it.
//!
//! A client to which nothing comes has no thread: programs may have thousands of them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use heartwire::engineio::client::{Client, Event};
use pyo3::intern;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use super::delivery::Delivery;
use super::process;

/// The threads of a client, and what they have to do.
pub(super) struct Dispatch {
    client: Client,
    runtime: Handle,
    /// The client, as the user holds it.
    owner: Py<PyAny>,
    /// Whether nobody ever takes over.
    ordered: bool,
    /// For how long a thread waits for something to arrive.
    patience: Duration,
    /// Whether messages are dropped: the user wants no more of them.
    silent: Arc<AtomicBool>,
    /// The process that it belongs to.
    generation: u32,
    state: Mutex<State>,
}

struct State {
    /// What was taken from the inbox and not handled yet.
    batch: VecDeque<Event>,
    role: Role,
    /// Counts the leaders.
    turn: u64,
    /// Threads that wait to take over.
    spares: Vec<Thread>,
    /// Threads, those included that are to be started.
    threads: usize,
    /// Whether a task watches over the leader.
    watched: bool,
    /// Whether the disconnect handler runs. What follows it, where a client connects again, is of another
    /// session: nobody takes over.
    parting: bool,
    /// Everything was taken, and nothing comes any more.
    ended: bool,
}

/// What the leader does.
enum Role {
    /// There is none: one is on its way.
    Vacant {
        /// Whether the handler of the last one may be over any moment, for all that is known.
        doubtful: bool,
    },
    /// It waits for something to arrive.
    Waiting(Thread),
    /// There is none until something arrives.
    Resting,
    /// It runs a handler.
    Calling {
        since: Instant,
        /// The handler waits for something, and said so.
        blocks: bool,
    },
}

thread_local! {
    /// Whose turn the thread has, if it leads: the dispatch and the turn.
    static TURN: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
}

impl Dispatch {
    pub(super) fn new(
        client: Client,
        runtime: Handle,
        owner: Py<PyAny>,
        ordered: bool,
        patience: Duration,
        silent: Arc<AtomicBool>,
        generation: u32,
    ) -> Self {
        let state = State {
            batch: VecDeque::new(),
            role: Role::Vacant { doubtful: false },
            turn: 0,
            spares: vec![],
            threads: 1,
            watched: false,
            parting: false,
            ended: false,
        };
        let state = Mutex::new(state);
        Self { client, runtime, owner, ordered, patience, silent, generation, state }
    }

    /// What a thread does until the client has ended.
    pub(super) fn run(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let owner = self.owner.bind(py);
        let waker = Waker::from(self.clone());
        let Some(mut turn) = self.await_turn(py) else { return Ok(()) };
        let mut delivery = None;
        while let Some(event) = self.next(py, &waker, turn, &mut delivery) {
            if matches!(event, Event::Message(_)) && self.silent.load(Ordering::Relaxed) {
                continue;
            }
            let parts = matches!(event, Event::Disconnected(_));
            delivery.get_or_insert_with(|| Delivery::new(owner.clone())).deliver(event);
            if self.generation != process::generation() {
                // A handler has forked, and this is the child: the rest is the parent's.
                return Ok(());
            }
            if parts {
                self.lock().parting = false;
            }
            if self.is_deposed(turn) {
                delivery = None;
                match self.await_turn(py) {
                    Some(next) => turn = next,
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// A handler on this thread is about to wait for something that may arrive here.
    pub(super) fn handler_blocks(self: &Arc<Self>) {
        let mut state = self.lock();
        if !self.is_leading(&state) || self.ordered {
            return;
        }
        if state.batch.is_empty() && self.client.pending() == 0 {
            state.role = Role::Calling { since: Instant::now(), blocks: true };
        } else {
            self.hand_over(&mut state, false);
        }
    }

    /// What the handler on this thread has waited for is there.
    pub(super) fn handler_goes_on(self: &Arc<Self>) {
        let mut state = self.lock();
        if self.is_leading(&state) {
            state.role = Role::Calling { since: Instant::now(), blocks: false };
            // Whoever was to take over finds that it is not needed, and nobody watches any more.
            if !state.batch.is_empty() || self.client.pending() > 0 {
                self.watch(&mut state);
            }
        }
    }

    /// Whether nothing comes any more, and the disconnect handler has returned. Handlers of messages may
    /// still run, on threads that were taken over from.
    pub(super) fn has_ended(&self) -> bool {
        // Only who leads finds the end, and whoever runs the disconnect handler leads until it returns.
        self.lock().ended
    }

    /// Drops messages from now on, and starts no thread: the user wants no more. Says whether that leaves
    /// nobody to find the end.
    pub(super) fn silence(&self) -> bool {
        let state = self.lock();
        self.silent.store(true, Ordering::Relaxed);
        matches!(state.role, Role::Resting)
    }

    /// Whether this thread runs a handler of this client, or has run one last.
    pub(super) fn is_mine(&self) -> bool {
        TURN.get().0 == std::ptr::from_ref(self).addr()
    }

    fn is_leading(&self, state: &State) -> bool {
        TURN.get() == (std::ptr::from_ref(self).addr(), state.turn)
    }

    /// Waits until this thread may lead; `None` if it is not needed any more.
    fn await_turn(&self, py: Python<'_>) -> Option<u64> {
        let me = thread::current();
        let mut state = self.lock();
        let mut doubts = DOUBTS;
        loop {
            let waits = state.spares.iter().position(|spare| spare.id() == me.id());
            if state.ended || matches!(state.role, Role::Resting) {
                state.threads -= 1;
                return None;
            }
            if let Role::Vacant { doubtful: true } = state.role
                && doubts > 0
            {
                // The handler may only have waited for the interpreter's lock, which this thread has.
                doubts -= 1;
                drop(state);
                py.detach(|| thread::sleep(DOUBT));
                state = self.lock();
                continue;
            }
            if let Role::Vacant { .. } = state.role {
                if let Some(place) = waits {
                    state.spares.swap_remove(place);
                }
                state.turn += 1;
                state.role = Role::Calling { since: Instant::now(), blocks: false };
                TURN.set((std::ptr::from_ref(self).addr(), state.turn));
                return Some(state.turn);
            }
            if waits.is_none() {
                if state.spares.len() >= SPARES {
                    state.threads -= 1;
                    return None;
                }
                state.spares.push(me.clone());
            }
            drop(state);
            py.detach(thread::park);
            doubts = DOUBTS;
            state = self.lock();
        }
    }

    /// The next event, when it has arrived; `None` when the last was handled, or this thread is not needed
    /// until there is another.
    fn next<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        waker: &Waker,
        turn: u64,
        delivery: &mut Option<Delivery<'py>>,
    ) -> Option<Event> {
        let mut state = self.lock();
        let until = Instant::now() + self.patience;
        loop {
            debug_assert_eq!(state.turn, turn, "one thread leads");
            if let Some(event) = state.batch.pop_front() {
                state.role = Role::Calling { since: Instant::now(), blocks: false };
                state.parting = matches!(event, Event::Disconnected(_));
                // What has arrived since the inbox was looked at has woken somebody already, and does not
                // again.
                if !state.batch.is_empty() || self.client.pending() > 0 {
                    self.watch(&mut state);
                }
                return Some(event);
            }
            // What the user has changed since counts from here on.
            *delivery = None;
            if self.refill(&mut state, waker) {
                continue;
            }
            if state.ended {
                state.threads -= 1;
                state.spares.drain(..).for_each(|spare| spare.unpark());
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() && !self.silent.load(Ordering::Relaxed) {
                state.role = Role::Resting;
                state.threads -= 1;
                state.spares.drain(..).for_each(|spare| spare.unpark());
                return None;
            }
            state.role = Role::Waiting(thread::current());
            drop(state);
            py.detach(|| match left.is_zero() {
                true => thread::park(),
                false => thread::park_timeout(left),
            });
            state = self.lock();
        }
    }

    /// Takes what has arrived, a batch at most. This is woken when more arrives.
    fn refill(&self, state: &mut State, waker: &Waker) -> bool {
        let mut events = vec![];
        let cx = Context::from_waker(waker);
        while events.len() < BATCH {
            let limit = BATCH - events.len();
            match self.client.poll_next_many(&cx, &mut events, limit) {
                Poll::Ready(0) => {
                    state.ended = events.is_empty();
                    break;
                }
                Poll::Ready(_) => {}
                Poll::Pending => break,
            }
        }
        if events.len() == BATCH {
            // It may have been everything: the last handler of the batch may wait for what comes then.
            let _ = self.client.poll_next_many(&cx, &mut events, 0);
        }
        state.batch.extend(events);
        !state.batch.is_empty()
    }

    /// Whether another thread leads by now.
    fn is_deposed(&self, turn: u64) -> bool {
        self.lock().turn != turn
    }

    /// Something waits behind a handler: a task sees to it that it does not wait for long.
    fn watch(self: &Arc<Self>, state: &mut State) {
        if !state.watched && !self.ordered {
            state.watched = true;
            let dispatch = self.clone();
            self.runtime.spawn(async move {
                while let Some(moment) = dispatch.look_after() {
                    tokio::time::sleep_until(moment.into()).await;
                }
            });
        }
    }

    /// Lets another thread take over if the handler takes too long. Says when to look again, if
    /// something waits behind it.
    fn look_after(self: &Arc<Self>) -> Option<Instant> {
        let mut state = self.lock();
        let waiting = !state.batch.is_empty() || self.client.pending() > 0;
        match state.role {
            Role::Calling { since, .. } if waiting => {
                let limit = since + PATIENCE;
                if Instant::now() < limit {
                    return Some(limit);
                }
                self.hand_over(&mut state, true);
            }
            _ => {}
        }
        state.watched = false;
        None
    }

    /// Makes another thread lead, unless the handler that runs is `doubtful`ly slow and turns out quick.
    fn hand_over(self: &Arc<Self>, state: &mut State, doubtful: bool) {
        if state.parting {
            return;
        }
        if let Role::Vacant { doubtful: before } = &mut state.role {
            *before &= doubtful;
            return;
        }
        if let Some(spare) = state.spares.pop() {
            state.role = Role::Vacant { doubtful };
            spare.unpark();
            return;
        }
        if state.threads >= MAX_THREADS {
            return;
        }
        let rested = matches!(state.role, Role::Resting);
        state.role = Role::Vacant { doubtful };
        state.threads += 1;
        let dispatch = self.clone();
        self.runtime.spawn_blocking(move || {
            let started = process::visit(|py| {
                let owner = dispatch.owner.bind(py);
                let started = owner.call_method0(intern!(py, "_start_dispatcher"));
                if let Err(error) = &started {
                    error.clone_ref(py).write_unraisable(py, Some(owner));
                }
                started.is_ok()
            });
            if started == Some(true) {
                return;
            }
            let mut state = dispatch.lock();
            state.threads -= 1;
            // Otherwise, the leader goes on when its handler has returned.
            if rested && matches!(state.role, Role::Vacant { .. }) {
                state.role = Role::Resting;
                drop(state);
                if started.is_some() {
                    dispatch.try_again();
                }
            }
        });
    }

    /// No thread could be started, and nobody else is there.
    fn try_again(self: &Arc<Self>) {
        let dispatch = self.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(RETRY).await;
            dispatch.wake_by_ref();
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something has arrived. Runs on the network thread.
impl Wake for Dispatch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        match &state.role {
            Role::Waiting(leader) => leader.unpark(),
            Role::Calling { blocks: true, .. } => self.hand_over(&mut state, false),
            Role::Calling { blocks: false, .. } => self.watch(&mut state),
            Role::Resting if self.silent.load(Ordering::Relaxed) => {}
            Role::Resting => self.hand_over(&mut state, false),
            Role::Vacant { .. } => {}
        }
    }
}

/// Events that are taken at once.
const BATCH: usize = 256;

/// For how long a handler may run while something waits behind it. A handler that waits with what the
/// client has made says so, and is not waited for; of others it is not known whether they wait, or only
/// lack the processor or the interpreter's lock. With a tenth of this, every third of the quick handlers
/// of a program that computes on two threads overlaps with the next; with this, none does.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often, and for how long, a thread that is to take over lets the handler before have the
/// interpreter's lock, in case it only waits for that.
const DOUBTS: u32 = 3;
const DOUBT: Duration = Duration::from_millis(5);

/// How soon a thread is started where that has failed.
const RETRY: Duration = Duration::from_millis(200);

/// Threads that are kept, having led, to lead again.
const SPARES: usize = 1;

/// Handlers of one client that may block at the same time. What comes after them waits then.
const MAX_THREADS: usize = 1024;
