//! What a client's handles and its task share.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use heartwire_proto::repod::Frame;
use heartwire_proto::shared::PushError;

use super::super::disconnected::Disconnected;
use super::super::driver::{Driver, Ends};
use super::super::traffic::Traffic;
use super::event::{Event, State};
use super::options::Options;
use crate::inbox::Inbox;
use crate::mailbox::Mailbox;

/// What a client's handles and its task share.
pub(super) struct Shared {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) mailbox: Mailbox<Frame>,
    pub(super) inbox: Inbox<Event>,
    pub(super) traffic: Traffic,
    /// When the user has closed the client.
    pub(super) closed_at: OnceLock<Instant>,
    /// The connection, while it is open. Its task polls it; who sends may use it in between.
    driver: Mutex<Option<Box<Driver>>>,
    status: Mutex<Status>,
}

pub(super) struct Status {
    pub(super) state: State,
    /// The server's address, while a connection is open.
    pub(super) addr: Option<SocketAddr>,
    /// How the last connection has ended.
    pub(super) disconnected: Option<Disconnected>,
}

impl Shared {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            host: options.host.clone(),
            port: options.port,
            mailbox: Mailbox::new(options.send_limits),
            inbox: Inbox::new(options.receive_bytes),
            traffic: Traffic::default(),
            closed_at: OnceLock::new(),
            driver: Mutex::new(None),
            status: Mutex::new(Status { state: State::Connecting, addr: None, disconnected: None }),
        }
    }

    /// Adds a message, and sends it at once if nothing is in the way.
    pub(super) fn send(&self, frame: Frame) -> Result<(), PushError<Frame>> {
        let asleep = self.mailbox.push_quietly(frame)?;
        if asleep && !self.send_directly() {
            self.mailbox.wake_sender();
        }
        Ok(())
    }

    fn send_directly(&self) -> bool {
        let Ok(mut driver) = self.driver.try_lock() else { return false };
        match &mut *driver {
            Some(driver) => driver.send_directly(Instant::now(), self.ends()),
            None => false,
        }
    }

    /// The connection, for its task.
    pub(super) fn driver(&self) -> MutexGuard<'_, Option<Box<Driver>>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ends(&self) -> Ends<'_> {
        Ends { mailbox: &self.mailbox, traffic: &self.traffic }
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
