//! A session on its WebSocket, and what it keeps: what is incomplete or unsent, which is mostly nothing.

use std::task::Context as TaskContext;
use std::time::{Duration, Instant};

use heartwire_proto::engineio::server::ServerSession;
use heartwire_proto::engineio::{Message, Packet, SocketEnd};
use heartwire_proto::shared::earliest;

use super::super::outgoing::{Outgoing, encode_message, encode_packet};
use super::super::written::Receipts;
use crate::codec::Codec;
use crate::link::Link;
use crate::scratch::{Buffers, Scratch};
use crate::transit::Transit;

/// A session and its WebSocket.
pub(super) struct Socket {
    pub(super) session: ServerSession<Outgoing>,
    pub(super) link: Link,
    pub(super) codec: Codec,
    /// Bytes that have arrived and are not handled yet: from before the session was at home here, or
    /// behind a message after which the user wanted to hear no more.
    pub(super) early: Early,
    /// Messages of which the peer's system may not have everything.
    pub(super) transit: Transit,
    /// Whom to tell when they have been written; mostly nobody waits.
    pub(super) receipts: Option<Box<Receipts>>,
    /// The round in which somebody else than its task has written the last time.
    pub(super) round: u32,
}

/// Bytes that have arrived and are not handled yet: there are some, or it is `None`.
#[derive(Default)]
pub(super) struct Early(Option<Box<Unhandled>>);

/// The bytes from `start` on.
struct Unhandled {
    bytes: Box<[u8]>,
    start: usize,
}

impl Early {
    pub(super) fn new(bytes: Box<[u8]>) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(Unhandled { bytes, start: 0 })))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The bytes, to be handled from the front.
    pub(super) fn rest(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Some(unhandled) => &mut unhandled.bytes[unhandled.start..],
            None => &mut [],
        }
    }

    /// The same without the first `count` bytes.
    pub(super) fn without(mut self, count: usize) -> Self {
        if let Some(unhandled) = &mut self.0 {
            unhandled.start += count;
        }
        if self.rest().is_empty() { Self::default() } else { self }
    }
}

impl Socket {
    pub(super) fn new(
        session: ServerSession<Outgoing>,
        link: Link,
        codec: Codec,
        early: Box<[u8]>,
    ) -> Self {
        let early = Early::new(early);
        Self { session, link, codec, early, transit: Transit::default(), receipts: None, round: 0 }
    }

    /// Sends the handshake, and what else a client gets first.
    pub(super) fn send_handshake(
        &mut self,
        cx: &mut TaskContext<'_>,
        now: Instant,
        json: &str,
        message: Option<&Message>,
    ) {
        let mut scratch = Scratch::borrow();
        let Buffers { output, workspace, .. } = &mut *scratch;
        encode_packet(&Packet::Open(json), &self.codec, output);
        if let Some(message) = message {
            let message = message.as_message_ref();
            encode_message(message, &mut self.codec, &mut workspace.pool, output);
        }
        // A failure shows again at the first read.
        let _ = self.link.write(cx, now, &mut scratch.output);
    }

    /// Moves time forward. `listening` says whether the user could take more messages; a peer may take
    /// nothing for as long as `patience` lasts.
    pub(super) fn handle_time(&mut self, now: Instant, listening: bool, patience: Duration) {
        if self.link.stalled_at(patience).is_some_and(|at| at <= now) {
            self.session.handle_socket_end(SocketEnd::Stalled);
        }
        let listening = listening && !self.is_congested();
        self.session.handle_time(now, listening);
    }

    /// Whether so much is unsent that reading stops: a peer that does not take its answers gets no
    /// more of them.
    pub(super) fn is_congested(&self) -> bool {
        self.link.unsent_bytes() >= PAUSE_BYTES
    }

    /// When [`handle_time`](Self::handle_time) wants to be called next.
    pub(super) fn next_deadline(&self, patience: Duration) -> Option<Instant> {
        earliest([self.session.next_deadline(), self.link.stalled_at(patience)])
    }

    /// The link, for a farewell, the messages on their way, and whom to tell when they are written.
    pub(super) fn into_link(self) -> (Link, Transit, Option<Box<Receipts>>) {
        (self.link, self.transit, self.receipts)
    }
}

/// Unsent bytes at which reading stops.
const PAUSE_BYTES: usize = 256 * 1024;
