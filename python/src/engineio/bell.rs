//! Wakes an event loop of Python without its lock: it watches a file descriptor.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

use pyo3::prelude::*;

use super::process;

/// A pair of sockets, for all clients of an event loop. Whoever has something for it writes a byte into the
/// one, unless one is there already; the event loop watches the other.
#[pyclass(frozen, module = "heartwire._native")]
pub(super) struct Bell(Arc<Tower>);

/// What rings the bell for one client.
pub(super) struct Rope {
    /// Nobody hears it any more when the bell has gone.
    tower: Weak<Tower>,
    number: u64,
    /// Whether it has rung since the bell was heard last.
    has_rung: AtomicBool,
}

struct Tower {
    clapper: UnixStream,
    watched: UnixStream,
    /// Who has rung since it was heard last. A byte is there if anybody has.
    rung: Mutex<Vec<Arc<Rope>>>,
    /// Ropes that there have been.
    ropes: AtomicU64,
    /// The process that it belongs to.
    generation: u32,
}

#[pymethods]
impl Bell {
    #[new]
    fn new() -> io::Result<Self> {
        let (clapper, watched) = UnixStream::pair()?;
        clapper.set_nonblocking(true)?;
        watched.set_nonblocking(true)?;
        let (rung, ropes) = (Mutex::new(vec![]), AtomicU64::new(0));
        let generation = process::generation();
        Ok(Self(Arc::new(Tower { clapper, watched, rung, ropes, generation })))
    }

    /// What an event loop has to watch.
    fn descriptor(&self) -> i32 {
        self.0.watched.as_raw_fd()
    }

    /// The event loop has heard it, and looks now: after the clients whose numbers this returns.
    fn heard(&self) -> Vec<u64> {
        let tower = &*self.0;
        if !tower.is_of_process() {
            return vec![];
        }
        let mut rung = tower.rung();
        if !rung.is_empty() {
            let _ = (&tower.watched).read(&mut [0]);
        }
        let pulled = rung.drain(..).map(|rope| {
            rope.has_rung.store(false, Ordering::Relaxed);
            rope.number
        });
        pulled.collect()
    }
}

impl Bell {
    /// For another client.
    pub(super) fn rope(&self) -> Arc<Rope> {
        let number = self.0.ropes.fetch_add(1, Ordering::Relaxed);
        Arc::new(Rope { tower: Arc::downgrade(&self.0), number, has_rung: AtomicBool::new(false) })
    }
}

impl Rope {
    /// What the client is called when the bell is heard.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn ring(self: &Arc<Self>) {
        let Some(tower) = self.tower.upgrade() else { return };
        if !tower.is_of_process() {
            return;
        }
        let mut rung = tower.rung();
        if self.has_rung.swap(true, Ordering::Relaxed) {
            return;
        }
        if rung.is_empty() {
            // It cannot be full: there is one byte in it at most.
            let _ = (&tower.clapper).write(&[1]);
        }
        rung.push(self.clone());
    }
}

impl Tower {
    /// The child of a fork must not touch it: it would take what rings for its parent.
    fn is_of_process(&self) -> bool {
        self.generation == process::generation()
    }

    fn rung(&self) -> MutexGuard<'_, Vec<Arc<Rope>>> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
