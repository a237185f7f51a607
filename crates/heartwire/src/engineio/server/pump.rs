//! The hot path: what a WebSocket brings, to the user; what the user sends, to the WebSocket.
//!
//! On readability everything that has arrived is read into the thread's buffer, every whole frame is
//! decoded where it lies and handled, all replies are gathered in the thread's buffer, and one write
//! sends them.

use std::borrow::Cow;
use std::io;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use heartwire_proto::engineio::server::Output;
use heartwire_proto::engineio::{DisconnectReason, MessageRef, Packet, SocketEnd};
use heartwire_proto::websocket::{CloseCode, frame};

use super::super::outgoing::{PreparedMessage, encode_packet};
use super::super::written::Receipt;
use super::application::{Application, Context, Direct};
use super::connection::Connection;
use super::engine::Engine;
use super::socket::{Early, Socket};
use super::stats::Traffic;
use crate::callback::guard;
use crate::codec::Received;
use crate::link::Link;
use crate::scratch::{Buffers, Scratch, Workspace};

/// How a session ended on its WebSocket.
pub(super) struct End {
    pub(super) reason: DisconnectReason,
    /// What broke the connection, in words.
    pub(super) detail: Option<Cow<'static, str>>,
}

/// What happens in one turn of a connection.
#[derive(Default)]
struct Turn {
    traffic: Traffic,
    /// Messages that are gathered for the next write.
    gathered: usize,
    /// Those of them that somebody waits for: where each ends, and who waits.
    tracked: Vec<(usize, Receipt)>,
    /// What the peer did wrong, or broke the connection.
    failure: Option<Cow<'static, str>>,
}

impl Socket {
    /// Does everything that can be done now. Ready when the session has ended; the rest of the output
    /// is in the link.
    pub(super) fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        now: Instant,
        connection: &Connection,
        server: &Engine,
    ) -> Poll<End> {
        let mut turn = Turn::default();
        let ended = self.poll_turn(cx, now, connection, server.application(), &mut turn);
        server.counters.moved(turn.traffic);
        ended.map(|reason| End { reason, detail: turn.failure })
    }

    #[inline]
    fn poll_turn(
        &mut self,
        cx: &mut TaskContext<'_>,
        now: Instant,
        connection: &Connection,
        application: &Application,
        turn: &mut Turn,
    ) -> Poll<DisconnectReason> {
        let mut scratch = Scratch::borrow();
        let Buffers { input, output, workspace } = &mut *scratch;
        let mut reads = 0;
        loop {
            if let Poll::Ready(reason) = self.send(cx, now, output, workspace, connection, turn) {
                return Poll::Ready(reason);
            }
            if !self.listens(cx, connection) {
                self.session.handle_unfinished(now, false);
                return Poll::Pending;
            }
            self.session.handle_unfinished(now, self.codec.is_mid_message());
            if !self.early.is_empty() {
                let mut early = std::mem::take(&mut self.early);
                let bytes = early.rest();
                let taken =
                    self.handle(now, bytes, output, workspace, connection, application, turn);
                self.early = early.without(taken);
                continue;
            }
            match self.link.poll_read(cx, input) {
                Poll::Ready(Ok(0)) => self.session.handle_socket_end(SocketEnd::Closed(None)),
                Poll::Ready(Ok(count)) => {
                    turn.traffic.bytes_received += count as u64;
                    let bytes = &mut input[..count];
                    let taken =
                        self.handle(now, bytes, output, workspace, connection, application, turn);
                    if taken < count {
                        self.early = Early::new(input[taken..count].into());
                    }
                }
                Poll::Ready(Err(error)) => {
                    turn.failure = Some(error.to_string().into());
                    self.session.handle_socket_end(SocketEnd::Failed);
                }
                Poll::Pending => return Poll::Pending,
            }
            reads += 1;
            if reads == READS_A_TURN {
                cx.waker().wake_by_ref();
                return self.send(cx, now, output, workspace, connection, turn);
            }
        }
    }

    /// Sends what the session and the user want sent, as far as the link takes it. Ready when the
    /// session has ended.
    #[inline]
    fn send(
        &mut self,
        cx: &mut TaskContext<'_>,
        now: Instant,
        output: &mut Vec<u8>,
        workspace: &mut Workspace,
        connection: &Connection,
        turn: &mut Turn,
    ) -> Poll<DisconnectReason> {
        let mailbox = &connection.shared.mailbox;
        // As it mostly is before something was read.
        let idles = output.is_empty() && self.link.is_flushed();
        if idles && !mailbox.is_dirty() && !self.session.has_orders() {
            return Poll::Pending;
        }
        loop {
            let mut ended = None;
            if mailbox.is_dirty() || self.session.has_orders() {
                let room = self.link.unsent_bytes() < BATCH_BYTES;
                ended = mailbox.attend(cx, |queue| {
                    // A peer that takes nothing does not keep the session from its end.
                    while output.len() < BATCH_BYTES
                        && (room || self.session.has_orders() || queue.is_discarded())
                    {
                        match self.session.poll_output(now, queue)? {
                            Output::SendMessage(message) => {
                                message.encode(&mut self.codec, &mut workspace.pool, output);
                                turn.gathered += 1;
                                if let Some(receipt) = message.into_receipt() {
                                    turn.tracked.push((output.len(), receipt));
                                }
                            }
                            Output::SendPacket(packet) => {
                                encode_packet(&packet, &self.codec, output)
                            }
                            Output::CloseSocket(code) => self.codec.encode_close(code, output),
                            Output::Closed(reason) => return Some(reason),
                            Output::Respond { .. }
                            | Output::SendProbe(_)
                            | Output::CloseProbe
                            | Output::Upgraded => {
                                unreachable!("the session has left polling behind")
                            }
                        }
                    }
                    None
                });
            }
            let (unsent, length) = (self.unsent(), output.len());
            let written = self.link.write(cx, now, output);
            let gathered = std::mem::take(&mut turn.gathered);
            turn.traffic.messages_sent += gathered as u64;
            turn.traffic.bytes_sent += length as u64;
            self.transit.sent(gathered, length, || self.link.outstanding());
            match written {
                Ok(()) => {
                    if self.receipts.is_some() || !turn.tracked.is_empty() {
                        self.confirm(unsent, length, &mut turn.tracked);
                    }
                }
                Err(error) => self.fail(&error, turn),
            }
            let unsent = self.transit.messages(self.unsent());
            connection.shared.set_unsent(unsent, self.link.unsent_bytes());
            if let Some(reason) = ended {
                return Poll::Ready(reason);
            }
            let more = mailbox.is_dirty() || self.session.has_orders();
            let room = self.link.unsent_bytes() < BATCH_BYTES || self.session.has_orders();
            if !more || !room {
                return Poll::Pending;
            }
        }
    }

    /// Sends a message on behalf of the session's task, if nothing is in the way: what waits was sent earlier
    /// and goes first. Says whether all of it was written; `None` if it was not taken.
    pub(super) fn send_at_once(
        &mut self,
        now: Instant,
        message: &PreparedMessage,
        buffers: &mut Buffers,
        connection: &Connection,
        traffic: &mut Traffic,
    ) -> Option<bool> {
        if connection.shared.mailbox.is_dirty() || self.session.has_orders() || !self.link.can_try()
        {
            return None;
        }
        let Buffers { output, workspace, .. } = buffers;
        message.encode(&mut self.codec, &mut workspace.pool, output);
        let length = output.len();
        let written = self.link.try_write(now, output);
        traffic.messages_sent += 1;
        traffic.bytes_sent += length as u64;
        self.transit.sent(1, length, || self.link.outstanding());
        // Nothing was unsent before.
        if !written {
            let unsent = self.transit.messages(self.unsent());
            connection.shared.set_unsent(unsent, self.link.unsent_bytes());
        }
        Some(written)
    }

    /// Whether to read more. If not, the task is woken when that changes.
    fn listens(&mut self, cx: &TaskContext<'_>, connection: &Connection) -> bool {
        !self.is_congested()
            && !connection.shared.is_paused()
            && connection.shared.inbox.as_ref().is_none_or(|inbox| inbox.poll_room(cx).is_ready())
    }

    /// Handles what has arrived, up to where the user wants to hear no more for now. Says how many bytes
    /// are handled.
    #[expect(clippy::too_many_arguments, reason = "the hot path shares buffers, not a struct")]
    #[inline]
    fn handle(
        &mut self,
        now: Instant,
        bytes: &mut [u8],
        output: &mut Vec<u8>,
        workspace: &mut Workspace,
        connection: &Connection,
        application: &Application,
        turn: &mut Turn,
    ) -> usize {
        let Workspace { base64, pool } = workspace;
        let mut at = 0;
        while at < bytes.len() {
            match self.codec.decode(&mut bytes[at..], pool, output) {
                Ok((taken, None)) => {
                    self.session.handle_traffic(now);
                    at += taken;
                }
                Ok((taken, Some(received))) => {
                    at += taken;
                    let message = match &received {
                        Received::Text(text) => {
                            let message = self.session.handle_text(now, text, base64);
                            if message.is_none() && self.session.is_closed() {
                                turn.failure = fault(text);
                                return bytes.len();
                            }
                            message
                        }
                        Received::Binary(data) => self.session.handle_binary(now, data),
                        Received::Close(code) => {
                            self.session.handle_socket_end(SocketEnd::Closed(*code));
                            None
                        }
                    };
                    if let Some(message) = message {
                        let direct = Direct { codec: &mut self.codec, pool, output };
                        turn.traffic.messages_received += 1;
                        let room =
                            deliver(message, direct, &mut turn.gathered, connection, application);
                        if !room || connection.shared.is_paused() {
                            return at;
                        }
                    }
                }
                Err(error) => {
                    self.session.handle_socket_end(SocketEnd::Broken(error));
                    turn.failure = Some(error.to_string().into());
                    return bytes.len();
                }
            }
        }
        at
    }

    /// Tells who waits for messages that were written: of `unsent` bytes and `length` more, behind which
    /// `tracked` messages end, the link has some left.
    #[cold]
    fn confirm(&mut self, unsent: usize, length: usize, tracked: &mut Vec<(usize, Receipt)>) {
        let left = self.unsent();
        let receipts = self.receipts.get_or_insert_default();
        for (end, receipt) in tracked.drain(..) {
            receipts.push(unsent + end, receipt);
        }
        receipts.advance((unsent + length).saturating_sub(left));
        if receipts.is_empty() {
            self.receipts = None;
        }
    }

    /// Bytes that the link has not written; one more while a layer below holds some.
    fn unsent(&self) -> usize {
        self.link.unsent_bytes() + usize::from(!self.link.is_flushed())
    }

    #[cold]
    fn fail(&mut self, error: &io::Error, turn: &mut Turn) {
        turn.failure.get_or_insert_with(|| error.to_string().into());
        self.session.handle_socket_end(SocketEnd::Failed);
    }
}

/// Gives a message to the user. Says whether there is room for more: one that was compressed may be many
/// times as long as what has arrived.
#[inline]
fn deliver(
    message: MessageRef<'_>,
    direct: Direct<'_>,
    replies: &mut usize,
    connection: &Connection,
    application: &Application,
) -> bool {
    match (application, &connection.shared.inbox) {
        (Application::Handler(handler), _) => {
            let mut context = Context::new(connection, Some(direct), replies);
            guard(connection.id().prefix(), "message", || handler.message(&mut context, message));
            true
        }
        (Application::Futures(_), Some(inbox)) => inbox.push_then_room(message.to_message()),
        (Application::Futures(_), None) => unreachable!("futures come with an inbox"),
    }
}

/// What is wrong with a text that has ended a session, if something is.
#[cold]
fn fault(text: &str) -> Option<Cow<'static, str>> {
    match Packet::decode(text, &mut vec![]) {
        Ok(Packet::Ping(_)) => Some("ping from a client".into()),
        Ok(_) => None,
        Err(error) => Some(error.to_string().into()),
    }
}

/// Closes a WebSocket that is nobody's session.
pub(super) async fn dismiss(mut link: Link, code: Option<CloseCode>, patience: Duration) {
    let mut bytes = vec![];
    frame::encode_close(code, None, &mut bytes);
    let written =
        std::future::poll_fn(|cx| Poll::Ready(link.write(cx, Instant::now(), &mut bytes)));
    if written.await.is_ok() {
        link.farewell(patience).await;
    }
}

/// Bytes that are gathered for one write.
const BATCH_BYTES: usize = 64 * 1024;

/// Reads before other connections have their turn.
const READS_A_TURN: usize = 16;
