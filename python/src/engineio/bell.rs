//! Wakes an event loop of Python without its lock: it watches a file descriptor.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

/// A pair of sockets. Whoever has something for the event loop writes a byte into the one, unless one is
/// there already; the event loop watches the other.
pub(super) struct Bell {
    rope: UnixStream,
    clapper: UnixStream,
    /// Whether a byte is there.
    rung: Mutex<bool>,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let (rope, clapper) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        clapper.set_nonblocking(true)?;
        Ok(Self { rope, clapper, rung: Mutex::new(false) })
    }

    /// What the event loop watches.
    pub(super) fn descriptor(&self) -> i32 {
        self.clapper.as_raw_fd()
    }

    pub(super) fn ring(&self) {
        let mut rung = self.rung();
        if !*rung {
            // It cannot be full: there is one byte in it at most.
            let _ = (&self.rope).write(&[1]);
            *rung = true;
        }
    }

    /// The event loop has heard it, and looks now.
    pub(super) fn heard(&self) {
        let mut rung = self.rung();
        if *rung {
            let _ = (&self.clapper).read(&mut [0]);
            *rung = false;
        }
    }

    fn rung(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
