//! A message on its way to many clients.
//!
//! To wake a task for each costs more than the message. On a runtime with one thread, which has to write to
//! all of them anyway, they are written to at once: those with nothing in the way, and each once a round. What
//! follows in the same round waits in the queues, so that a burst is a write or two for each client, not one
//! for each message.

use std::sync::Arc;
use std::time::Instant;

use super::super::disconnected::SendError;
use super::super::outgoing::PreparedMessage;
use super::connection::Connection;
use super::engine::Engine;
use super::stats::Traffic;
use crate::scratch::Scratch;

/// A message on its way to many clients.
pub(super) struct Broadcast<'a> {
    engine: &'a Engine,
    message: PreparedMessage,
    direct: Option<Direct>,
}

/// What it takes to write to a client without its task.
struct Direct {
    now: Instant,
    round: u32,
    scratch: Scratch,
    traffic: Traffic,
}

impl<'a> Broadcast<'a> {
    pub(super) fn new(engine: &'a Arc<Engine>, message: PreparedMessage) -> Self {
        let direct = engine.rounds.current().map(|round| Direct {
            now: Instant::now(),
            round,
            scratch: Scratch::borrow(),
            traffic: Traffic::default(),
        });
        Self { engine, message, direct }
    }

    /// Sends the message to a client, if there is room for it.
    pub(super) fn send(&mut self, connection: &Connection) -> Result<(), SendError> {
        let direct = self.direct.as_mut();
        match direct.and_then(|direct| direct.send(connection, &self.message)) {
            Some(true) => Ok(()),
            Some(false) => {
                // The task sends the rest, and watches whether it is taken.
                connection.shared.mailbox.wake_sender();
                Ok(())
            }
            None => connection.try_send_prepared(&self.message),
        }
    }
}

impl Drop for Broadcast<'_> {
    fn drop(&mut self) {
        self.direct.iter().for_each(|direct| self.engine.counters.moved(direct.traffic));
    }
}

impl Direct {
    /// Sends the message to a client, if nothing is in the way. Says whether all of it was written; `None` if
    /// it was not taken.
    fn send(&mut self, connection: &Connection, message: &PreparedMessage) -> Option<bool> {
        let Self { now, round, scratch, traffic } = self;
        connection.shared.with_socket(|socket| {
            if std::mem::replace(&mut socket.round, *round) == *round {
                return None;
            }
            socket.send_at_once(*now, message, scratch, connection, traffic)
        })?
    }
}
