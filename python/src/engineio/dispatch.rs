//! What the handlers of a client are called for, and by which of the threads.
//!
//! ```text
//! Resting (until something arrives) ◄──────────────────────────────┐
//!    │                                                              │
//!    └─(something comes)─► Vacant ──(a thread comes)──► Calling (a handler runs)
//!                             ▲                                     │
//!                             └─(it runs for long, or blocks, and ──┘
//!                                something waits)
//!
//! Resting or Calling ──(nothing comes any more)──► Over
//! ```
//!
//! One thread leads: it takes what has arrived and calls the handlers, one after the other, in the order
//! of arrival. A handler that takes its time must not keep what comes after it waiting: it may itself wait
//! for that. So another thread takes over then, and the one that led is free for any client when its handler
//! has returned. The network thread notices; it never needs Python's lock for it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use heartwire::engineio::client::{Client, Event};
use pyo3::intern;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use super::call::call_method0;
use super::delivery::Delivery;
use super::process;
use super::threads::{Member, Membership, Threads, Work};

/// What a client has to handle.
pub(super) struct Dispatch {
    client: Client,
    runtime: Handle,
    threads: Arc<Threads>,
    /// The client, as the user holds it.
    owner: Py<PyAny>,
    /// Whether nobody ever takes over.
    ordered: bool,
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
    /// Threads that run handlers, and those that were called.
    threads: usize,
    /// Whether a task watches over the leader.
    watched: bool,
    /// Whether the disconnect handler runs. What follows it, where a client connects again, is of another
    /// session: nobody takes over.
    parting: bool,
    /// Until nothing comes any more.
    membership: Option<Membership>,
}

/// What the leader does.
enum Role {
    /// There is none until something arrives.
    Resting,
    /// There is none: one is on its way.
    Vacant {
        /// Whether the handler of the last one may be over any moment, for all that is known.
        doubtful: bool,
    },
    /// It runs a handler.
    Calling {
        since: Instant,
        /// The handler waits for something, and said so.
        blocks: bool,
    },
    /// There will be none.
    Over,
}

/// What a leader finds.
enum Next {
    /// Something to handle.
    Event(Event),
    /// Nothing yet.
    Nothing,
    /// Nothing any more.
    End,
}

/// What a thread runs handlers for.
struct Serving {
    dispatch: Arc<Dispatch>,
    /// Whose turn it has.
    turn: u64,
}

thread_local! {
    static SERVING: RefCell<Option<Serving>> = const { RefCell::new(None) };
}

impl Dispatch {
    pub(super) fn new(
        client: Client,
        runtime: Handle,
        threads: Arc<Threads>,
        membership: Membership,
        owner: Py<PyAny>,
        ordered: bool,
        silent: Arc<AtomicBool>,
    ) -> Self {
        let state = State {
            batch: VecDeque::new(),
            role: Role::Resting,
            turn: 0,
            threads: 0,
            watched: false,
            parting: false,
            membership: Some(membership),
        };
        let (state, generation) = (Mutex::new(state), process::generation());
        Self { client, runtime, threads, owner, ordered, silent, generation, state }
    }

    /// Calls a thread when something arrives, from now on.
    pub(super) fn begin(self: &Arc<Self>) {
        let mut state = self.lock();
        let waker = Waker::from(self.clone());
        let ended =
            self.client.poll_next_many(&Context::from_waker(&waker), &mut vec![], 0).is_ready();
        if ended || self.client.pending() > 0 {
            self.hand_over(&mut state, false);
        }
    }

    /// Waits until none of the handlers runs on another thread. Says whether that is so before the deadline.
    pub(super) fn await_handlers(self: &Arc<Self>, deadline: Instant) -> bool {
        self.threads.await_return(self, deadline)
    }

    /// Drops messages from now on: the user wants no more. Says whether that leaves nobody to find the end.
    pub(super) fn silence(&self) -> bool {
        let mut state = self.lock();
        self.silent.store(true, Ordering::Relaxed);
        if let Role::Resting = state.role {
            state.role = Role::Over;
            state.membership = None;
            return true;
        }
        false
    }

    /// Whether this thread runs a handler of this client.
    pub(super) fn is_mine(self: &Arc<Self>) -> bool {
        SERVING.with_borrow(|serving| {
            serving.as_ref().is_some_and(|serving| Arc::ptr_eq(&serving.dispatch, self))
        })
    }

    /// A handler on this thread is about to wait for something that may arrive here.
    fn handler_blocks(self: &Arc<Self>, turn: u64) {
        let mut state = self.lock();
        if state.turn != turn || self.ordered {
            return;
        }
        if state.batch.is_empty() && self.client.pending() == 0 {
            state.role = Role::Calling { since: Instant::now(), blocks: true };
        } else {
            self.hand_over(&mut state, false);
        }
    }

    /// What the handler on this thread has waited for is there.
    fn handler_goes_on(self: &Arc<Self>, turn: u64) {
        let mut state = self.lock();
        if state.turn == turn {
            state.role = Role::Calling { since: Instant::now(), blocks: false };
            // Whoever was to take over finds that it is not needed, and nobody watches any more.
            if !state.batch.is_empty() || self.client.pending() > 0 {
                self.watch(&mut state);
            }
        }
    }

    /// Calls handlers, until there is nothing to handle or another thread leads. Says whether nothing comes any
    /// more.
    fn lead(self: &Arc<Self>, py: Python<'_>, member: &Arc<Member>, turn: u64) -> bool {
        let owner = self.owner.bind(py);
        let waker = Waker::from(self.clone());
        let mut delivery = None;
        loop {
            let event = match self.next(&waker, member, turn, &mut delivery) {
                Next::Event(event) => event,
                Next::Nothing => return false,
                Next::End => return true,
            };
            if matches!(event, Event::Message(_)) && self.silent.load(Ordering::Relaxed) {
                continue;
            }
            let parts = matches!(event, Event::Disconnected(_));
            delivery.get_or_insert_with(|| Delivery::new(owner.clone())).deliver(event);
            if self.generation != process::generation() {
                // A handler has forked, and this is the child: the rest is the parent's.
                return false;
            }
            let mut state = self.lock();
            if parts {
                state.parting = false;
            }
            if state.turn != turn {
                state.threads -= 1;
                return false;
            }
        }
    }

    /// Takes the lead; `None` where nobody has to.
    fn take_turn(&self, py: Python<'_>) -> Option<u64> {
        let mut state = self.lock();
        for _ in 0..DOUBTS {
            let Role::Vacant { doubtful: true } = state.role else { break };
            // The handler may only have waited for the interpreter's lock, which this thread has.
            drop(state);
            py.detach(|| thread::sleep(DOUBT));
            state = self.lock();
        }
        if !matches!(state.role, Role::Vacant { .. }) {
            state.threads -= 1;
            return None;
        }
        state.turn += 1;
        state.role = Role::Calling { since: Instant::now(), blocks: false };
        Some(state.turn)
    }

    /// What is to be handled next.
    fn next<'py>(
        self: &Arc<Self>,
        waker: &Waker,
        member: &Arc<Member>,
        turn: u64,
        delivery: &mut Option<Delivery<'py>>,
    ) -> Next {
        // To let go of objects may run code of Python, which must not be done under the lock.
        let _before;
        let mut state = self.lock();
        debug_assert_eq!(state.turn, turn, "one thread leads");
        if state.batch.is_empty() {
            // What the user has changed since counts from here on.
            _before = delivery.take();
            let ended = self.refill(&mut state, waker);
            if state.batch.is_empty() {
                state.threads -= 1;
                if !ended {
                    state.role = Role::Resting;
                    // Before anybody calls, so that nobody else is.
                    self.threads.offer(member);
                    return Next::Nothing;
                }
                state.role = Role::Over;
                state.membership = None;
                return Next::End;
            }
        }
        let event = state.batch.pop_front().expect("there is one at least");
        state.role = Role::Calling { since: Instant::now(), blocks: false };
        state.parting = matches!(event, Event::Disconnected(_));
        // What has arrived since the inbox was looked at has woken somebody already, and does not again.
        if !state.batch.is_empty() || self.client.pending() > 0 {
            self.watch(&mut state);
        }
        Next::Event(event)
    }

    /// Takes what has arrived, a batch at most. This is woken when more arrives. Says whether nothing comes
    /// any more.
    fn refill(&self, state: &mut State, waker: &Waker) -> bool {
        let (mut events, mut ended) = (vec![], false);
        let cx = Context::from_waker(waker);
        while events.len() < BATCH {
            let limit = BATCH - events.len();
            match self.client.poll_next_many(&cx, &mut events, limit) {
                Poll::Ready(0) => {
                    ended = true;
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
        ended
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
        // A leader that has returned is none of those who may block.
        if state.threads >= MAX_THREADS && !matches!(state.role, Role::Resting) {
            return;
        }
        state.role = Role::Vacant { doubtful };
        state.threads += 1;
        self.threads.call(self.clone());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work for Dispatch {
    fn run(self: Arc<Self>, py: Python<'_>, member: &Arc<Member>) {
        let Some(turn) = self.take_turn(py) else { return };
        SERVING.set(Some(Serving { dispatch: self.clone(), turn }));
        let ended = self.lead(py, member, turn);
        SERVING.set(None);
        let owner = self.owner.bind(py);
        if ended && let Err(error) = call_method0(owner, intern!(py, "_handle_end")) {
            error.write_unraisable(py, Some(owner));
        }
    }
}

/// Whether the calling thread runs handlers.
#[pyfunction]
pub(super) fn runs_handlers() -> bool {
    serving().is_some()
}

/// A handler on the calling thread, if it runs any, is about to wait for something.
#[pyfunction]
pub(super) fn handler_blocks() {
    if let Some((dispatch, turn)) = serving() {
        dispatch.handler_blocks(turn);
    }
}

/// What the handler on the calling thread has waited for is there.
#[pyfunction]
pub(super) fn handler_goes_on() {
    if let Some((dispatch, turn)) = serving() {
        dispatch.handler_goes_on(turn);
    }
}

/// Whose handlers run on this thread, and the turn. What was left in the parent of a fork counts no more.
fn serving() -> Option<(Arc<Dispatch>, u64)> {
    SERVING.with_borrow(|serving| {
        let Serving { dispatch, turn } = serving.as_ref()?;
        (dispatch.generation == process::generation()).then(|| (dispatch.clone(), *turn))
    })
}

/// Something has arrived. Runs on the network thread.
impl Wake for Dispatch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        match &state.role {
            Role::Resting | Role::Calling { blocks: true, .. } => self.hand_over(&mut state, false),
            Role::Calling { blocks: false, .. } => self.watch(&mut state),
            Role::Vacant { .. } | Role::Over => {}
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

/// Handlers of one client that may block at the same time. What comes after them waits then.
const MAX_THREADS: usize = 1024;
