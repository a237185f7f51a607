//! The WebSocket that tries to take a polling session over.
//!
//! It answers `2probe` with `3probe`; on `5` it hands itself and the session to the session's task; on
//! anything else it is closed, and the session polls on.

use std::future;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use heartwire_proto::engineio::server::{ExchangeId, ServerSession};

use super::super::outgoing::encode_packet;
use super::connection::Shared;
use super::engine::Engine;
use super::home::{Home, ProbeOrder};
use super::pump;
use super::socket::Socket;
use super::upgraded::Opened;
use crate::codec::{Codec, Received};
use crate::link::Link;
use crate::scratch::{Buffers, Scratch};

/// Drives the WebSocket until it is the session's own, or closed.
pub(super) async fn run(server: Arc<Engine>, shared: Arc<Shared>, id: ExchangeId, opened: Opened) {
    let Opened { link, codec, early } = opened;
    let mut probe = Probe { server, shared, id, link, codec, early };
    match future::poll_fn(|cx| probe.poll(cx)).await {
        Outcome::TakeOver => probe.hand_over(),
        Outcome::Close => {
            probe.server.upgrade_abandoned(&probe.shared);
            pump::dismiss(probe.link, None, FAREWELL).await;
        }
    }
}

/// Takes the news that the WebSocket never came to be.
pub(super) fn abandon(server: &Engine, shared: &Arc<Shared>, id: ExchangeId) {
    let now = Instant::now();
    let mut home = shared.home();
    let Home::Polling(polling) = &mut *home else { return };
    polling.session.handle_probe_gone(id);
    let end = polling.drive(now, &shared.mailbox);
    drop(home);
    server.upgrade_abandoned(shared);
    server.finish_polling(shared, end);
}

struct Probe {
    server: Arc<Engine>,
    shared: Arc<Shared>,
    id: ExchangeId,
    link: Link,
    codec: Codec,
    /// Bytes that have arrived and are not handled yet.
    early: Box<[u8]>,
}

enum Outcome {
    TakeOver,
    Close,
}

impl Probe {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Outcome> {
        let now = Instant::now();
        loop {
            let mut early = std::mem::take(&mut self.early);
            if !early.is_empty() {
                let rest = self.handle(now, &mut early);
                self.early = early[rest..].into();
            }
            if let Some(outcome) = self.carry_out_orders(cx, now) {
                return Poll::Ready(outcome);
            }
            // Who does not take the answers to its pings gets no more of them.
            if !self.link.is_flushed() {
                return Poll::Pending;
            }
            let mut scratch = Scratch::borrow();
            match self.link.poll_read(cx, &mut scratch.input) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.early = scratch.input[..count].into();
                }
                Poll::Ready(_) => self.give_up(now),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Handles frames up to the one that takes the session over. Returns where the rest begins.
    fn handle(&mut self, now: Instant, bytes: &mut [u8]) -> usize {
        let mut scratch = Scratch::borrow();
        let pool = &mut scratch.workspace.pool;
        let mut at = 0;
        while at < bytes.len() {
            let mut pongs = vec![];
            match self.codec.decode(&mut bytes[at..], pool, &mut pongs) {
                Ok((taken, received)) => {
                    at += taken;
                    match received {
                        None => self.write(now, &mut pongs),
                        Some(Received::Text(text)) => {
                            let id = self.id;
                            let upgraded = self.tell(now, |session| {
                                session.handle_probe_text(now, id, &text);
                            });
                            if upgraded {
                                return at;
                            }
                        }
                        Some(Received::Binary(_) | Received::Close(_)) => self.give_up(now),
                    }
                }
                Err(_) => {
                    self.give_up(now);
                    return bytes.len();
                }
            }
        }
        at
    }

    /// Tells the session something. Returns whether it is on its way to this WebSocket.
    fn tell(
        &self,
        now: Instant,
        what: impl FnOnce(&mut ServerSession<super::super::outgoing::Outgoing>),
    ) -> bool {
        let mut home = self.shared.home();
        let Home::Polling(polling) = &mut *home else { return false };
        what(&mut polling.session);
        let end = polling.drive(now, &self.shared.mailbox);
        let upgraded = polling
            .visitors()
            .probe_orders
            .iter()
            .any(|order| matches!(order, ProbeOrder::TakeOver));
        drop(home);
        self.server.finish_polling(&self.shared, end);
        upgraded
    }

    fn give_up(&self, now: Instant) {
        self.tell(now, |session| session.handle_probe_gone(self.id));
    }

    fn carry_out_orders(&mut self, cx: &mut TaskContext<'_>, now: Instant) -> Option<Outcome> {
        let orders = {
            let mut home = self.shared.home();
            let Home::Polling(polling) = &mut *home else { return Some(Outcome::Close) };
            let visitors = polling.visitors();
            visitors.probe_waker = Some(cx.waker().clone());
            std::mem::take(&mut visitors.probe_orders)
        };
        let mut scratch = Scratch::borrow();
        let Buffers { output, .. } = &mut *scratch;
        let mut outcome = None;
        for order in orders {
            match order {
                ProbeOrder::Send(packet) => encode_packet(&packet, &self.codec, output),
                ProbeOrder::TakeOver => outcome = Some(Outcome::TakeOver),
                ProbeOrder::Close => outcome = Some(Outcome::Close),
            }
        }
        if self.link.write(cx, now, output).is_err() {
            self.give_up(now);
        }
        outcome
    }

    /// A failure shows when orders are carried out.
    fn write(&mut self, now: Instant, bytes: &mut Vec<u8>) {
        let mut cx = TaskContext::from_waker(std::task::Waker::noop());
        let _ = self.link.write(&mut cx, now, bytes);
    }

    /// Gives session and WebSocket to the session's task.
    fn hand_over(self) {
        let Self { server, shared, link, codec, early, .. } = self;
        let mut home = shared.home();
        // Before the task can see the session.
        server.sessions.set_upgraded(&shared);
        home.hand_over(|session| Socket::new(session, link, codec, early));
        drop(home);
        server.counters.upgraded();
        tracing::debug!(session = shared.id.prefix(), "upgraded");
        let owner = shared.mailbox.lock().take_owner();
        owner.into_iter().for_each(std::task::Waker::wake);
    }
}

/// Time for a closing WebSocket to be closed by its peer too.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);
