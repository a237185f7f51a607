//! One session: its requests, its WebSocket and its clock.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use heartwire_proto::engineio::client::{ClientSession, Config, Event as SessionEvent, Output};
use heartwire_proto::engineio::{
    DisconnectReason, Handshake, SessionId, SocketEnd, Transport, payload,
};
use heartwire_proto::shared::earliest;

use super::super::disconnected::SendError;
use super::super::outgoing::Outgoing;
use super::event::Event;
use super::failure::{RequestError, excerpt};
use super::http::Http;
use super::remembered;
use super::requests::{Get, Post};
use super::shared::Shared;
use super::socket::{Haul, Socket};
use crate::alarm::Alarm;
use crate::scratch::Scratch;

/// One session: its requests, its WebSocket and its clock.
pub(super) struct Driver {
    shared: Arc<Shared>,
    http: Arc<Http>,
    session: ClientSession<Outgoing>,
    sid: Option<SessionId>,
    get: Get,
    post: Option<Post>,
    socket: Socket,
    alarm: Pin<Box<Alarm>>,
    /// What broke the session.
    failure: Option<Box<RequestError>>,
    detail: Option<String>,
    /// Messages that left the queue and may not have arrived.
    unsent: usize,
    ended: Option<DisconnectReason>,
    /// Messages that came with the handshake: the user is told of that first.
    early: Vec<Event>,
    protocol: Option<String>,
}

/// What has become of the session.
pub(super) enum Progress {
    /// It is open.
    Opened(Handshake),
    /// It has ended.
    Ended(Ended),
}

/// How a session ended.
pub(super) struct Ended {
    pub(super) reason: DisconnectReason,
    /// What broke it.
    pub(super) failure: Option<Box<RequestError>>,
    pub(super) detail: Option<String>,
    pub(super) unsent: usize,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        http: Arc<Http>,
        transport: Transport,
        upgrade: bool,
    ) -> Self {
        let websocket_timeout = http.websocket_timeout;
        let config = Config {
            transport,
            upgrade,
            upgrade_timeout: websocket_timeout.max(Duration::from_secs(1)) * 2,
            close_timeout: shared.conduct.close_timeout,
            ..Config::default()
        };
        Self {
            shared,
            http,
            session: ClientSession::open(config),
            sid: None,
            get: Get::Idle,
            post: None,
            socket: Socket::None,
            alarm: Box::pin(Alarm::new()),
            failure: None,
            detail: None,
            unsent: 0,
            ended: None,
            early: vec![],
            protocol: None,
        }
    }

    /// The subprotocol of the session's WebSocket.
    pub(super) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Does everything that can be done now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        let now = Instant::now();
        let mut scratch = Scratch::borrow();
        if self.sid.is_some() && !self.early.is_empty() {
            self.shared.inbox.extend(std::mem::take(&mut self.early));
        }
        if self.alarm.as_mut().has_fired(now) {
            self.handle_time(now);
        }
        for _ in 0..TURNS {
            if let Some(handshake) = self.obey(cx, now, &mut scratch) {
                return Poll::Ready(Progress::Opened(handshake));
            }
            if let Some(reason) = self.ended {
                return self.poll_end(cx, now, reason);
            }
            let requests = self.poll_requests(cx, now);
            let socket = self.poll_socket(cx, now, &mut scratch);
            if !requests && !socket && !self.session.has_orders() {
                return self.rest(cx);
            }
        }
        // Other tasks have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn handle_time(&mut self, now: Instant) {
        if self.socket.stalled_at(self.shared.conduct.stall_timeout).is_some_and(|at| at <= now) {
            self.session.handle_socket_end(SocketEnd::Stalled);
        }
        self.session.handle_time(now, self.shared.inbox.has_room());
    }

    /// Sees to it that the task is woken when the session wants it.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        let stalled = self.socket.stalled_at(self.shared.conduct.stall_timeout);
        let deadline = earliest([self.session.next_deadline(), stalled]);
        if self.alarm.as_mut().poll_at(cx, deadline).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Carries out the session's orders, as far as the WebSocket takes what it is to send. Returns the
    /// handshake if the session has just opened.
    fn obey(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Option<Handshake> {
        let shared = self.shared.clone();
        let mut opened = None;
        loop {
            let blocked = self.socket.unsent_bytes() >= BATCH_BYTES;
            let has_work = shared.mailbox.is_dirty() || self.session.has_orders();
            let mut more = false;
            if has_work {
                more = shared.mailbox.attend(cx, |queue| {
                    while scratch.output.len() < BATCH_BYTES {
                        // A server that takes nothing does not keep the session from its end.
                        if blocked && !self.session.has_orders() && !queue.is_discarded() {
                            return false;
                        }
                        let Some(order) = self.session.poll_output(now, queue) else {
                            return false;
                        };
                        if let Some(handshake) = self.carry_out(order, scratch) {
                            opened = Some(handshake);
                            return false;
                        }
                    }
                    true
                });
            }
            self.write(cx, now, scratch);
            // What waited for the server to take something has only this to look at it again.
            let unblocked = blocked && self.socket.unsent_bytes() < BATCH_BYTES;
            if !more && !unblocked {
                return opened;
            }
        }
    }

    fn carry_out(&mut self, order: Output<Outgoing>, scratch: &mut Scratch) -> Option<Handshake> {
        match order {
            Output::Get => self.get = Get::Wanted,
            Output::Post { body, messages } => {
                let sid = self.sid.clone().expect("nothing is posted before the session is open");
                self.post = Some(Post::begin(self.http.clone(), sid, body, messages.len()));
            }
            // A POST that is under way is left to `poll_end`: it may still be known what became of it.
            Output::AbortRequests => self.get = Get::Idle,
            Output::OpenSocket => {
                self.socket = Socket::open(self.http.clone(), self.sid.clone());
            }
            Output::SendPacket(packet) => {
                self.socket.send_packet(&packet, &mut scratch.output);
            }
            Output::SendMessage(message) => {
                self.socket.send_message(&message, scratch);
            }
            Output::TooLarge { message, length, max } => {
                let message = message.into_message();
                let error = SendError::TooLarge { message, length, max };
                self.shared.inbox.push(Event::NotSent(error));
            }
            Output::CloseSocket(code) => self.socket.close(code, &mut scratch.output),
            Output::Event(SessionEvent::Opened(handshake)) => {
                self.sid = Some(handshake.sid.clone());
                return Some(handshake);
            }
            Output::Event(SessionEvent::Upgraded) => {
                remembered::remember(self.http.address.origin(), true);
                self.shared.set_upgraded(self.protocol.clone());
                self.shared.inbox.push(Event::Upgraded);
            }
            Output::Event(SessionEvent::UpgradeFailed) => {
                let detail = self.failure.take().map(|error| error.to_string());
                tracing::debug!(detail, "upgrade failed, polling goes on");
                remembered::remember(self.http.address.origin(), false);
                self.shared.set_upgrade_failed();
                self.shared.inbox.push(Event::UpgradeFailed { detail: detail.map(Cow::Owned) });
            }
            Output::Event(SessionEvent::Closed(reason)) => {
                if reason.is_asked_for() {
                    self.detail = None;
                }
                self.ended = Some(reason);
            }
        }
        None
    }

    /// Writes what is gathered to the WebSocket.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut Scratch) {
        if let Err(error) =
            self.socket.write(cx, now, &mut scratch.output, self.shared.conduct.close_timeout)
        {
            self.detail.get_or_insert_with(|| error.to_string());
            self.session.handle_socket_end(SocketEnd::Failed);
        }
        scratch.output.clear();
    }

    /// Lets the requests go on. Says whether one has ended.
    fn poll_requests(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut ended = false;
        if let Get::Wanted = self.get
            && self.shared.inbox.poll_room(cx).is_ready()
        {
            self.get.begin(&self.http, self.sid.as_ref());
        }
        if let Poll::Ready(result) = self.get.poll(cx) {
            ended = true;
            match result {
                Ok(body) => self.receive(now, &body),
                Err(error) => {
                    self.failure.get_or_insert_with(|| Box::new(error));
                    self.session.handle_get_failed();
                }
            }
        }
        if let Some(post) = &mut self.post
            && let Poll::Ready(result) = post.poll(cx)
        {
            ended = true;
            match result {
                Ok(()) => self.session.handle_posted(now),
                Err(error) => {
                    self.unsent += post.messages;
                    self.session.handle_post_failed(now, error.status().is_some());
                    self.failure = Some(Box::new(error));
                }
            }
            self.post = None;
        }
        if let Poll::Ready(result) = self.socket.poll_open(cx) {
            ended = true;
            match result {
                Ok(protocol) => {
                    self.protocol = protocol;
                    self.session.handle_socket_open();
                }
                Err(error) => {
                    self.failure = Some(Box::new(error));
                    self.session.handle_socket_end(SocketEnd::Failed);
                }
            }
        }
        ended
    }

    /// Takes the answer to a GET.
    fn receive(&mut self, now: Instant, body: &str) {
        let mut packets = payload::Decoder::new(body);
        let mut texts = body.split(char::from(payload::SEPARATOR));
        let mut received = vec![];
        while let Some(packet) = packets.next_packet() {
            let text = texts.next().unwrap_or_default();
            let message = self.session.handle_packet(now, packet);
            received.extend(message.map(|message| Event::Message(message.to_message())));
            if self.session.is_closed() {
                // This packet alone: the others are messages. Where the server has asked for the end,
                // nobody is told.
                self.detail = Some(format!("got {:?}", excerpt(text)));
                break;
            }
        }
        self.deliver(received);
        self.session.handle_get_end(now);
    }

    /// Reads from the WebSocket. Says whether something has come.
    fn poll_socket(&mut self, cx: &mut Context<'_>, now: Instant, scratch: &mut Scratch) -> bool {
        // The session goes on without a WebSocket that closes, and nothing of the user's is on it.
        self.socket.release();
        if !matches!(self.socket, Socket::Open(_)) || self.shared.inbox.poll_room(cx).is_pending() {
            return false;
        }
        let read = self.socket.poll_read(cx, now, &mut self.session, scratch);
        let Poll::Ready(Haul { received, end, detail }) = read else { return false };
        self.deliver(received);
        if detail.is_some() {
            self.detail = detail;
        }
        if let Some(end) = end {
            self.session.handle_socket_end(end);
        }
        true
    }

    /// Gives messages to the user, or keeps them until the user knows of the session.
    fn deliver(&mut self, received: Vec<Event>) {
        match self.sid {
            Some(_) => self.shared.inbox.extend(received),
            None => self.early.extend(received),
        }
    }

    /// Messages that left the queue and may not have arrived.
    pub(super) fn in_flight(&self) -> usize {
        let posted = self.post.as_ref().map_or(0, |post| post.messages);
        self.unsent + posted + self.socket.in_flight()
    }

    /// Sends the last of a session that has ended. Ready when it is sent, or will not be.
    fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        reason: DisconnectReason,
    ) -> Poll<Progress> {
        let meant = reason.is_asked_for();
        let waits = meant && !self.shared.mailbox.is_discarded();
        self.unsent += ready!(self.socket.poll_farewell(cx, now, waits, meant));
        if let Some(post) = &mut self.post {
            match post.poll(cx) {
                Poll::Ready(Ok(())) => {}
                // The request has a timeout of its own.
                Poll::Pending if reason == DisconnectReason::ServerDisconnect => {
                    return Poll::Pending;
                }
                Poll::Pending | Poll::Ready(Err(_)) => self.unsent += post.messages,
            }
            self.post = None;
        }
        Poll::Ready(Progress::Ended(Ended {
            reason,
            failure: self.failure.take(),
            detail: self.detail.take(),
            unsent: self.unsent,
        }))
    }
}

/// Bytes that are gathered for one write.
const BATCH_BYTES: usize = 64 * 1024;

/// Rounds of reading and writing before other tasks have their turn.
const TURNS: usize = 16;
