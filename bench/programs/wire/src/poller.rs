//! Which sockets are ready.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

/// An epoll instance.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

/// What the last [`Poller::wait`] has found.
#[derive(Default)]
pub struct Events {
    events: Vec<epoll::Event>,
}

/// What became of one socket.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: usize,
    /// There is something to read, be it the end.
    pub readable: bool,
    pub writable: bool,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Watches for what can be read.
    pub fn add(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, data(token), EventFlags::IN)?)
    }

    /// Watches for room to write as well, or no longer.
    pub fn watch_room(&self, socket: impl AsFd, token: usize, room: bool) -> io::Result<()> {
        let flags = if room { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.epoll, socket, data(token), flags)?)
    }

    /// Waits until something is ready, or for `timeout`.
    pub fn wait<'a>(
        &self,
        events: &'a mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Ready> + use<'a>> {
        events.events.clear();
        events.events.reserve(MAX_EVENTS);
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match epoll::wait(&self.epoll, spare_capacity(&mut events.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(events.events.iter().map(|event| {
            let flags = event.flags;
            Ready {
                token: event.data.u64() as usize,
                readable: flags.intersects(EventFlags::OUT.complement()),
                writable: flags.contains(EventFlags::OUT),
            }
        }))
    }
}

fn data(token: usize) -> EventData {
    EventData::new_u64(token as u64)
}

const MAX_EVENTS: usize = 1024;
