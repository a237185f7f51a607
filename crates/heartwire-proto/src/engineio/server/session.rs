//! One session, as the server sees it: over polling, over a WebSocket, and on the way between.
//!
//! ```text
//!              ┌────────(GET, POST)───────┐
//!  open ──► Polling ◄─────────────────────┘        Polling.probe:
//!   │        │  │  └─(close(), no GET waits)─► Farewell      None ──(WebSocket asked for)──► AwaitingPing
//!   │        │  └────(5 on the probing WebSocket)─┐  │         ▲                                │ 2probe
//!   │        │                                    ▼  │         └─(else, timeout, gone)── AwaitingUpgrade
//!   └────────┼──────────────────────────► WebSocket  │                                       │ 5
//!            ▼                                    ▼  ▼                                       ▼ WebSocket
//!          Closed ◄───────────────(close, fault, silence)
//! ```
//!
//! Source: Engine.IO protocol v4.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::disconnect::DisconnectReason;
use super::super::heartbeat::{HeartbeatAction, ServerHeartbeat};
use super::super::message::{MessageRef, Outgoing};
use super::super::packet::{PROBE, Packet, PacketError};
use super::super::payload;
use super::super::refusal::Refusal;
use super::super::socket_end::SocketEnd;
use super::super::transport::Transport;
use super::config::Config;
use crate::shared::{Ending, Mutant, SendQueue, after, earliest};
use crate::websocket::CloseCode;

/// One session, as the server sees it.
///
/// After every call, call [`poll_output`](Self::poll_output) until it returns `None`.
#[derive(Debug)]
pub struct ServerSession<T> {
    config: Arc<Config>,
    state: State,
    heartbeat: ServerHeartbeat,
    outputs: VecDeque<Output<T>>,
    last_exchange: u32,
}

/// An order to the driver.
#[derive(Debug, PartialEq)]
pub enum Output<T> {
    /// Answer the GET with `body`, which carries `messages`.
    Respond {
        /// Which GET.
        poll: ExchangeId,
        /// A payload.
        body: Vec<u8>,
        /// The messages that the payload carries.
        messages: Vec<T>,
    },
    /// Send this on the session's WebSocket.
    SendPacket(Packet<'static>),
    /// Send this on the session's WebSocket.
    SendMessage(T),
    /// Send this on the WebSocket that tries to take the session over.
    SendProbe(Packet<'static>),
    /// Close the WebSocket that tried to take the session over; the session stays where it is.
    CloseProbe,
    /// Close the session's WebSocket when everything before this is sent. Without a code, the close
    /// frame is empty.
    CloseSocket(Option<CloseCode>),
    /// The WebSocket that probed is the session's now: tell the user.
    Upgraded,
    /// The session has ended: tell the user. Nothing follows. What the queue holds was not sent.
    Closed(DisconnectReason),
}

/// Tells the requests of one session apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExchangeId(u32);

/// What becomes of a request to go on over a WebSocket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UpgradeRequest {
    /// Accept it, and pass what it says to `handle_probe_…`.
    Probe(ExchangeId),
    /// Accept it and close it at once: the session has a WebSocket already, or is getting one.
    Surplus,
}

#[derive(Debug)]
enum State {
    /// Packets travel in the bodies of GET and POST.
    Polling(Polling),
    /// Closed by the server, and no GET was there to be told.
    Farewell { until: Instant },
    /// Packets travel in frames.
    WebSocket {
        /// When the message has begun that has not arrived whole.
        began: Option<Instant>,
    },
    /// Over.
    Closed,
}

impl State {
    const ON_WEBSOCKET: Self = Self::WebSocket { began: None };
}

#[derive(Debug, Default)]
struct Polling {
    /// The GET that waits for packets.
    poll: Option<ExchangeId>,
    post: Post,
    probe: Option<Probe>,
    /// Whether a ping waits for a GET.
    ping_due: bool,
}

#[derive(Debug, Default, PartialEq)]
enum Post {
    #[default]
    Idle,
    /// Its packets are being handled.
    Receiving,
}

#[derive(Debug)]
struct Probe {
    id: ExchangeId,
    stage: ProbeStage,
    /// When to give up the upgrade.
    until: Instant,
}

#[derive(Debug)]
enum ProbeStage {
    AwaitingPing,
    AwaitingUpgrade,
}

impl<T: Outgoing> ServerSession<T> {
    /// Opens a session at `now`. The driver sends the open packet itself, as the answer to the
    /// handshake or as the first frame.
    pub fn open(now: Instant, config: Arc<Config>, transport: Transport) -> Self {
        let state = match transport {
            Transport::Polling => State::Polling(Polling::default()),
            Transport::WebSocket => State::ON_WEBSOCKET,
        };
        let heartbeat = ServerHeartbeat::new(now, config.ping_interval);
        Self { config, state, heartbeat, outputs: VecDeque::new(), last_exchange: 0 }
    }

    /// Takes a GET. Its answer is an [`Output::Respond`] with the id that is returned.
    ///
    /// # Errors
    ///
    /// Another GET waits (then the session ends), or the session is not on polling.
    pub fn handle_poll(&mut self, now: Instant) -> Result<ExchangeId, Refusal> {
        let id = self.next_exchange();
        self.end_overdue(now);
        match &mut self.state {
            State::Polling(Polling { poll: Some(_), .. }) if !Mutant::ServesTwoPolls.is_back() => {
                self.end(DisconnectReason::TransportError, Goodbye::Close);
                Err(Refusal::ConcurrentRequest)
            }
            State::Polling(polling) => {
                polling.poll = Some(id);
                self.heartbeat.handle_traffic(now, self.config.ping_timeout);
                Ok(id)
            }
            State::Farewell { .. } => {
                self.state = State::Polling(Polling { poll: Some(id), ..Polling::default() });
                self.end(DisconnectReason::ServerDisconnect, Goodbye::Close);
                Ok(id)
            }
            State::WebSocket { .. } => Err(Refusal::BadRequest),
            State::Closed => Err(Refusal::UnknownSession),
        }
    }

    /// Takes the news that the client has left the GET before its answer. That ends the session: what
    /// the client still wants is unknown.
    pub fn handle_poll_gone(&mut self, poll: ExchangeId) {
        if let State::Polling(polling) = &mut self.state
            && polling.poll == Some(poll)
        {
            polling.poll = None;
            if Mutant::ConfirmsLostSend.is_back() {
                return;
            }
            self.end(DisconnectReason::TransportClose, Goodbye::Close);
        }
    }

    /// Takes the start of a POST. Pass its packets to [`handle_packet`](Self::handle_packet), then
    /// call [`handle_post_end`](Self::handle_post_end).
    ///
    /// # Errors
    ///
    /// Another POST is under way (then the session ends), or the session is not on polling.
    pub fn handle_post(&mut self, now: Instant) -> Result<(), Refusal> {
        self.end_overdue(now);
        match &mut self.state {
            State::Polling(Polling { post: Post::Receiving, .. }) => {
                self.end(DisconnectReason::TransportError, Goodbye::Close);
                Err(Refusal::ConcurrentRequest)
            }
            State::Polling(polling) => {
                polling.post = Post::Receiving;
                self.heartbeat.handle_traffic(now, self.config.ping_timeout);
                Ok(())
            }
            State::WebSocket { .. } if Mutant::DropsLatePost.is_back() => Ok(()),
            State::WebSocket { .. } => Err(Refusal::BadRequest),
            State::Farewell { until } => {
                *until = (*until).min(now + REFUSED_PATIENCE);
                Err(Refusal::UnknownSession)
            }
            State::Closed => Err(Refusal::UnknownSession),
        }
    }

    /// Takes a packet of the POST that is under way, and returns the message, if it is one.
    ///
    /// # Errors
    ///
    /// The packet cannot be taken; the rest of the body must not be handled.
    pub fn handle_packet<'a>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'a>, PacketError>,
    ) -> Result<Option<MessageRef<'a>>, Refusal> {
        match &self.state {
            State::Polling(_) => {}
            State::WebSocket { .. } if Mutant::DropsLatePost.is_back() => return Ok(None),
            State::WebSocket { .. } => return Err(Refusal::BadRequest),
            State::Farewell { .. } | State::Closed => return Err(Refusal::UnknownSession),
        }
        match packet {
            Ok(Packet::Message(message)) => return Ok(Some(message)),
            Ok(Packet::Pong(_)) => self.heartbeat.handle_pong(now, self.config.ping_interval),
            Ok(Packet::Close) => self.end(DisconnectReason::ClientDisconnect, Goodbye::Noop),
            Ok(Packet::Open(_) | Packet::Upgrade | Packet::Noop) => {}
            // Only servers ping in this version of the protocol.
            Ok(Packet::Ping(_)) => {
                self.end(DisconnectReason::TransportError, Goodbye::Close);
                return Err(Refusal::ParseError);
            }
            Err(_) if Mutant::SwallowsBadBatch.is_back() => {}
            Err(_) => {
                self.end(DisconnectReason::ParseError, Goodbye::Close);
                return Err(Refusal::ParseError);
            }
        }
        Ok(None)
    }

    /// Takes the end of a POST: all its packets were handled.
    pub fn handle_post_end(&mut self) {
        if let State::Polling(polling) = &mut self.state {
            polling.post = Post::Idle;
        }
    }

    /// Takes the news that the POST that is under way will not be handled, and why; `None` if the
    /// client has left.
    pub fn handle_post_failed(&mut self, refusal: Option<Refusal>) {
        if !matches!(self.state, State::Polling(_)) {
            return;
        }
        let reason = match refusal {
            None => DisconnectReason::TransportClose,
            Some(Refusal::PayloadTooLarge) => DisconnectReason::PayloadTooLarge,
            Some(Refusal::ParseError) => DisconnectReason::ParseError,
            Some(_) => DisconnectReason::TransportError,
        };
        let goodbye = if refusal.is_none() { Goodbye::Noop } else { Goodbye::Close };
        self.end(reason, goodbye);
    }

    /// Takes a request to go on over a WebSocket.
    ///
    /// # Errors
    ///
    /// The session may not be upgraded, or has ended.
    pub fn handle_upgrade(&mut self, now: Instant) -> Result<UpgradeRequest, Refusal> {
        let id = self.next_exchange();
        match &mut self.state {
            State::Polling(polling) => {
                if self.config.upgrades(Transport::Polling).is_empty() {
                    return Err(Refusal::BadRequest);
                }
                if polling.probe.is_some() {
                    return Ok(UpgradeRequest::Surplus);
                }
                let until = now + self.config.upgrade_timeout;
                polling.probe = Some(Probe { id, stage: ProbeStage::AwaitingPing, until });
                Ok(UpgradeRequest::Probe(id))
            }
            State::WebSocket { .. } => Ok(UpgradeRequest::Surplus),
            State::Farewell { .. } | State::Closed => Err(Refusal::UnknownSession),
        }
    }

    /// Takes a text frame from the WebSocket that tries to take the session over. Anything but the
    /// probe and the upgrade closes that WebSocket, and the session stays on polling.
    pub fn handle_probe_text(&mut self, now: Instant, probe: ExchangeId, text: &str) {
        let State::Polling(polling) = &mut self.state else { return };
        let Some(Probe { stage, .. }) = polling.probe.as_mut().filter(|known| known.id == probe)
        else {
            return;
        };
        match (&stage, Packet::decode(text, &mut vec![])) {
            (_, Ok(Packet::Ping(PROBE))) => {
                *stage = ProbeStage::AwaitingUpgrade;
                self.outputs.push_back(Output::SendProbe(Packet::Pong(PROBE)));
            }
            (ProbeStage::AwaitingUpgrade, Ok(Packet::Upgrade)) => self.upgrade(now),
            (ProbeStage::AwaitingPing | ProbeStage::AwaitingUpgrade, _) => {
                polling.probe = None;
                self.outputs.push_back(Output::CloseProbe);
            }
        }
    }

    /// Takes the news that the probing WebSocket is of no use any more: it was closed, it failed, or
    /// it brought something that is no text.
    pub fn handle_probe_gone(&mut self, probe: ExchangeId) {
        if let State::Polling(polling) = &mut self.state
            && polling.probe.as_ref().is_some_and(|known| known.id == probe)
        {
            polling.probe = None;
            self.outputs.push_back(Output::CloseProbe);
        }
    }

    /// Takes a text message from the session's WebSocket, and returns the user's message, if it is
    /// one. `scratch` is where base64 is decoded.
    #[inline]
    pub fn handle_text<'a>(
        &mut self,
        now: Instant,
        text: &'a str,
        scratch: &'a mut Vec<u8>,
    ) -> Option<MessageRef<'a>> {
        let State::WebSocket { began } = &mut self.state else { return None };
        *began = None;
        self.heartbeat.handle_traffic(now, self.config.ping_timeout);
        // What nearly all are, in few steps.
        if let Some(text) = text.strip_prefix('4') {
            return Some(MessageRef::Text(text));
        }
        match Packet::decode(text, scratch) {
            Ok(Packet::Message(message)) => return Some(message),
            Ok(Packet::Pong(_)) => self.heartbeat.handle_pong(now, self.config.ping_interval),
            Ok(Packet::Close) => self.end(DisconnectReason::ClientDisconnect, Goodbye::Noop),
            Ok(Packet::Open(_) | Packet::Upgrade | Packet::Noop) => {}
            Ok(Packet::Ping(_)) => self.end(DisconnectReason::TransportError, Goodbye::Noop),
            Err(_) => self.end(DisconnectReason::ParseError, Goodbye::Noop),
        }
        None
    }

    /// Takes a binary message from the session's WebSocket, which is the user's as it is.
    #[inline]
    pub fn handle_binary<'a>(&mut self, now: Instant, data: &'a [u8]) -> Option<MessageRef<'a>> {
        let State::WebSocket { began } = &mut self.state else { return None };
        *began = None;
        self.heartbeat.handle_traffic(now, self.config.ping_timeout);
        Some(MessageRef::Binary(data))
    }

    /// Takes the news that the session's WebSocket has ended.
    pub fn handle_socket_end(&mut self, end: SocketEnd) {
        let State::WebSocket { .. } = self.state else { return };
        if Mutant::DiesSilently.is_back() && matches!(end, SocketEnd::Broken(_)) {
            return;
        }
        let (reason, code) = end.consequence();
        self.state = State::Closed;
        self.outputs.extend([Output::CloseSocket(code), Output::Closed(reason)]);
    }

    /// Takes a sign of life that is no message yet: a part of one has arrived.
    pub fn handle_traffic(&mut self, now: Instant) {
        self.heartbeat.handle_traffic(now, self.config.ping_timeout);
    }

    /// Takes the news whether a message has begun on the session's WebSocket that has not arrived whole.
    #[inline]
    pub fn handle_unfinished(&mut self, now: Instant, unfinished: bool) {
        if let State::WebSocket { began } = &mut self.state {
            *began = unfinished.then(|| began.unwrap_or(now));
        }
    }

    /// Moves time forward to `now`. While the driver does not read from the peer (`listening` is
    /// false), the peer cannot be too late with a pong, nor with the rest of a message.
    pub fn handle_time(&mut self, now: Instant, listening: bool) {
        match &mut self.state {
            State::Polling(polling) => {
                if polling.probe.as_ref().is_some_and(|probe| probe.until <= now) {
                    polling.probe = None;
                    self.outputs.push_back(Output::CloseProbe);
                }
            }
            State::Farewell { until } => {
                if *until <= now {
                    self.end(DisconnectReason::ServerDisconnect, Goodbye::Close);
                }
                return;
            }
            State::WebSocket { began: Some(began) } => {
                if !listening {
                    *began = now;
                } else if after(*began, self.config.message_timeout) <= now {
                    return self.handle_socket_end(SocketEnd::Unfinished);
                }
            }
            State::WebSocket { began: None } => {}
            State::Closed => return,
        }
        if !listening {
            self.heartbeat.handle_traffic(now, self.config.ping_timeout);
        }
        match self.heartbeat.handle_time(now, self.config.ping_timeout) {
            Some(HeartbeatAction::SendPing) => self.ping(),
            Some(HeartbeatAction::CloseSession) => {
                self.end(DisconnectReason::PingTimeout, Goodbye::Close);
            }
            None => {}
        }
    }

    /// The next order, given what the user wants sent. Where the transport is a WebSocket, stop
    /// asking while it cannot take more: what is not asked for stays in `queue`.
    #[inline]
    pub fn poll_output(&mut self, now: Instant, queue: &mut SendQueue<T>) -> Option<Output<T>> {
        loop {
            if !self.outputs.is_empty() {
                return self.next_order();
            }
            match &mut self.state {
                State::WebSocket { .. } => {
                    if queue.ending() == Ending::Open {
                        return queue.pop().map(Output::SendMessage);
                    }
                    if queue.ending() == Ending::Flush
                        && let Some(message) = queue.pop()
                    {
                        return Some(Output::SendMessage(message));
                    }
                    self.outputs.push_back(Output::SendPacket(Packet::Close));
                    self.end(DisconnectReason::ServerDisconnect, Goodbye::Close);
                }
                State::Polling(_) => {
                    let answer = self.answer_poll(now, queue)?;
                    if answer.is_some() {
                        return answer;
                    }
                }
                State::Farewell { .. } if queue.ending() == Ending::Discard => {
                    self.end(DisconnectReason::ServerDisconnect, Goodbye::Close);
                }
                State::Farewell { .. } | State::Closed => return None,
            }
        }
    }

    /// When [`handle_time`](Self::handle_time) wants to be called next.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Polling(polling) => {
                let probe = polling.probe.as_ref().map(|probe| probe.until);
                earliest([self.heartbeat.next_deadline(), probe])
            }
            State::WebSocket { began } => {
                let late = began.map(|began| after(began, self.config.message_timeout));
                earliest([self.heartbeat.next_deadline(), late])
            }
            State::Farewell { until } => Some(*until),
            State::Closed => None,
        }
    }

    /// The transport that carries packets; a session that has ended keeps none.
    pub fn transport(&self) -> Option<Transport> {
        match self.state {
            State::Polling(_) | State::Farewell { .. } => Some(Transport::Polling),
            State::WebSocket { .. } => Some(Transport::WebSocket),
            State::Closed => None,
        }
    }

    /// Whether [`poll_output`](Self::poll_output) has something to say that does not depend on the
    /// queue.
    pub fn has_orders(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// The GET that waits for packets.
    pub fn waiting_poll(&self) -> Option<ExchangeId> {
        match &self.state {
            State::Polling(polling) => polling.poll,
            State::Farewell { .. } | State::WebSocket { .. } | State::Closed => None,
        }
    }

    /// Whether the client has probed a WebSocket, and its word to go on there may be on its way.
    pub fn awaits_upgrade(&self) -> bool {
        match &self.state {
            State::Polling(Polling { probe: Some(probe), .. }) => {
                matches!(probe.stage, ProbeStage::AwaitingUpgrade)
            }
            State::Polling(Polling { probe: None, .. })
            | State::Farewell { .. }
            | State::WebSocket { .. }
            | State::Closed => false,
        }
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Answers the waiting GET if there is something to say, and begins to end the session if the
    /// user wants it. `None` means that there is nothing to do.
    fn answer_poll(&mut self, now: Instant, queue: &mut SendQueue<T>) -> Option<Option<Output<T>>> {
        let State::Polling(polling) = &mut self.state else { return None };
        if queue.ending() == Ending::Discard {
            self.end(DisconnectReason::ServerDisconnect, Goodbye::Close);
            return Some(None);
        }
        let Some(poll) = polling.poll else {
            if queue.ending() == Ending::Flush && queue.is_empty() {
                match &polling.probe {
                    // The client has left polling, or is about to: it is told over the WebSocket, if
                    // that becomes the session's.
                    Some(Probe { stage: ProbeStage::AwaitingUpgrade, .. }) => return None,
                    Some(Probe { stage: ProbeStage::AwaitingPing, .. }) => {
                        self.outputs.push_back(Output::CloseProbe);
                    }
                    None => {}
                }
                self.state = State::Farewell { until: now + self.config.close_timeout };
                return Some(None);
            }
            return None;
        };
        let mut body = payload::Encoder::new(self.config.max_payload, self.config.max_poll_packets);
        if std::mem::take(&mut polling.ping_due) {
            body.push(&Packet::Ping(""));
        }
        let mut messages = vec![];
        while let Some(next) = queue.front()
            && body.fits(&Packet::Message(next.message()))
        {
            body.push(&Packet::Message(next.message()));
            messages.extend(queue.pop());
        }
        let ends = queue.ending() == Ending::Flush && queue.is_empty() && body.fits(&Packet::Close);
        if ends {
            body.push(&Packet::Close);
        } else if body.is_empty() {
            match &polling.probe {
                // The client waits for this request to end before it goes on over the WebSocket.
                Some(Probe { stage: ProbeStage::AwaitingUpgrade, .. }) => body.push(&Packet::Noop),
                Some(Probe { stage: ProbeStage::AwaitingPing, .. }) | None => return None,
            }
        }
        polling.poll = None;
        if ends {
            self.end(DisconnectReason::ServerDisconnect, Goodbye::Close);
        }
        Some(Some(Output::Respond { poll, body: body.into_body(), messages }))
    }

    /// Goes on over the WebSocket that probed.
    fn upgrade(&mut self, now: Instant) {
        let State::Polling(polling) = std::mem::replace(&mut self.state, State::ON_WEBSOCKET)
        else {
            unreachable!("only a polling session has a probe");
        };
        if let Some(poll) = polling.poll {
            self.respond(poll, &Packet::Noop);
        }
        self.outputs.push_back(Output::Upgraded);
        if polling.ping_due {
            self.outputs.push_back(Output::SendPacket(Packet::Ping("")));
        }
        self.heartbeat.handle_traffic(now, self.config.ping_timeout);
        if Mutant::ForgetsHeartbeat.is_back()
            && self.heartbeat.is_overdue(now + self.config.ping_timeout)
        {
            let never = Duration::from_secs(1 << 32);
            self.heartbeat = ServerHeartbeat::new(now, never);
        }
    }

    fn ping(&mut self) {
        match &mut self.state {
            State::Polling(polling) => polling.ping_due = true,
            State::WebSocket { .. } => self.outputs.push_back(Output::SendPacket(Packet::Ping(""))),
            State::Farewell { .. } | State::Closed => {}
        }
    }

    /// Ends a session that polls and comes too late: whether the clock or the request is handled first
    /// must not matter.
    fn end_overdue(&mut self, now: Instant) {
        if let State::Polling(_) = self.state
            && self.heartbeat.is_overdue(now)
        {
            self.end(DisconnectReason::PingTimeout, Goodbye::Close);
        }
    }

    /// Ends the session: a waiting GET is told `goodbye`, WebSockets are closed.
    fn end(&mut self, reason: DisconnectReason, goodbye: Goodbye) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Polling(polling) => {
                if let Some(poll) = polling.poll {
                    self.respond(poll, &goodbye.packet());
                }
                if polling.probe.is_some() {
                    self.outputs.push_back(Output::CloseProbe);
                }
            }
            State::WebSocket { .. } => self.outputs.push_back(Output::CloseSocket(None)),
            State::Farewell { .. } => {}
            State::Closed => return,
        }
        self.outputs.push_back(Output::Closed(reason));
    }

    fn respond(&mut self, poll: ExchangeId, packet: &Packet<'_>) {
        let mut body = vec![];
        packet.encode(&mut body);
        self.outputs.push_back(Output::Respond { poll, body, messages: vec![] });
    }

    #[cold]
    fn next_order(&mut self) -> Option<Output<T>> {
        let order = self.outputs.pop_front();
        if self.outputs.is_empty() {
            self.outputs = VecDeque::new(); // orders are rare, sessions are many
        }
        order
    }

    fn next_exchange(&mut self) -> ExchangeId {
        self.last_exchange = self.last_exchange.wrapping_add(1);
        ExchangeId(self.last_exchange)
    }
}

/// Time that a client has for its next GET after its POST has met the end of the session: most do not come
/// again.
const REFUSED_PATIENCE: Duration = Duration::from_secs(1);

/// What a waiting GET is told when its session ends.
enum Goodbye {
    /// That the session is over.
    Close,
    /// Nothing: the client has ended the session itself, or the network has lost its POST, and the next GET
    /// tells. A client that is told to leave does not come again.
    Noop,
}

impl Goodbye {
    fn packet(&self) -> Packet<'static> {
        match self {
            Self::Close => Packet::Close,
            Self::Noop => Packet::Noop,
        }
    }
}
