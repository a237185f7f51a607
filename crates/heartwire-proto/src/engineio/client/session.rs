//! One session, as the client sees it.
//!
//! ```text
//!                     ┌─(GET, POST)─┐              Polling.upgrade:
//! Opening ──(0)──► Polling ◄────────┘               Connecting ──(open)──► Probing ──(3probe)──► Pausing
//!    │              │   │                               │                    │                    │
//!    │              │   ├─(disconnect)─► Leaving         └──(failed, timeout)─┴─► Off ◄────────────┤
//!    │              │   └─(POST failed)► Failing                                                   │
//!    └──(0)──► WebSocket ◄────────────────│────────────────────────────(GET, POST ended: 5)───────┘
//!                   │                     │
//!                   └────────► Closed ◄───┘
//! ```
//!
//! Source: Engine.IO protocol v4.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::disconnect::DisconnectReason;
use super::super::handshake::Handshake;
use super::super::heartbeat::ClientHeartbeat;
use super::super::message::{MessageRef, Outgoing};
use super::super::packet::{PROBE, Packet, PacketError};
use super::super::payload;
use super::super::socket_end::SocketEnd;
use super::super::transport::Transport;
use super::config::Config;
use crate::shared::{Ending, Mutant, SendQueue, earliest};
use crate::websocket::CloseCode;

/// One session, as the client sees it.
///
/// After every call, call [`poll_output`](Self::poll_output) until it returns `None`.
#[derive(Debug)]
pub struct ClientSession<T> {
    config: Config,
    state: State,
    outputs: VecDeque<Output<T>>,
}

/// An order to the driver.
#[derive(Debug, PartialEq)]
pub enum Output<T> {
    /// Ask for packets; the first time, for a session.
    Get,
    /// Deliver `body`, which carries `messages`.
    Post {
        /// A payload.
        body: Vec<u8>,
        /// The messages that the payload carries.
        messages: Vec<T>,
    },
    /// Forget the requests that are under way.
    AbortRequests,
    /// Open a WebSocket; with no session id yet, for a session.
    OpenSocket,
    /// Send this on the WebSocket.
    SendPacket(Packet<'static>),
    /// Send this on the WebSocket.
    SendMessage(T),
    /// Tell the user that this cannot be sent: it waited from a time when the server accepted more.
    TooLarge {
        /// The message.
        message: T,
        /// Bytes that it takes on the wire.
        length: usize,
        /// Bytes that the server accepts.
        max: usize,
    },
    /// Close the WebSocket when everything before this is sent. Without a code, the close frame is
    /// empty.
    CloseSocket(Option<CloseCode>),
    /// Tell the user.
    Event(Event),
}

/// What the user is told, apart from messages.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// The session is open.
    Opened(Handshake),
    /// The session goes on over the WebSocket.
    Upgraded,
    /// The WebSocket was of no use; the session goes on over polling.
    UpgradeFailed,
    /// The session has ended. Nothing follows. What the queue holds was not sent.
    Closed(DisconnectReason),
}

#[derive(Debug)]
enum State {
    /// The session was asked for over this transport.
    Opening(Transport),
    /// Packets travel in the bodies of GET and POST.
    Polling(Polling),
    /// Packets travel in frames.
    WebSocket(Link),
    /// The last POST is under way, or waits for the one before it.
    Leaving(Leaving),
    /// A POST has failed, which ends the session. A GET is under way: it may still bring the last messages,
    /// and the server's word that it has ended the session itself.
    Failing { refused: bool, until: Instant },
    /// Over.
    Closed,
}

/// What an open session knows whatever its transport.
#[derive(Debug)]
struct Link {
    heartbeat: ClientHeartbeat,
    max_payload: usize,
}

#[derive(Debug)]
struct Polling {
    link: Link,
    get: Request,
    post: Request,
    /// Whether a pong waits for a POST.
    pong_due: bool,
    upgrade: Upgrade,
}

#[derive(Debug, PartialEq)]
enum Request {
    Idle,
    UnderWay,
}

#[derive(Debug)]
enum Upgrade {
    /// Not wanted, not offered, or it has failed.
    Off,
    /// The WebSocket is being opened.
    Connecting { until: Instant },
    /// The server has to answer the probe.
    Probing { until: Instant },
    /// The server has answered; the requests under way have to end.
    Pausing { until: Instant },
}

impl Upgrade {
    fn until(&self) -> Option<Instant> {
        match self {
            Self::Off => None,
            Self::Connecting { until } | Self::Probing { until } | Self::Pausing { until } => {
                Some(*until)
            }
        }
    }
}

#[derive(Debug)]
struct Leaving {
    until: Instant,
}

impl<T: Outgoing> ClientSession<T> {
    /// Starts to open a session.
    pub fn open(config: Config) -> Self {
        let first = match config.transport {
            Transport::Polling => Output::Get,
            Transport::WebSocket => Output::OpenSocket,
        };
        let state = State::Opening(config.transport);
        Self { config, state, outputs: VecDeque::from([first]) }
    }

    /// Takes a packet from the answer to a GET, or from the session's WebSocket, and returns the
    /// message, if it is one. After the last packet of an answer, call
    /// [`handle_get_end`](Self::handle_get_end).
    #[inline]
    pub fn handle_packet<'a>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'a>, PacketError>,
    ) -> Option<MessageRef<'a>> {
        match &mut self.state {
            State::Polling(Polling { link, .. }) | State::WebSocket(link) => {
                link.heartbeat.handle_traffic(now);
            }
            State::Opening(transport) => {
                let transport = *transport;
                self.handle_opening(now, transport, packet);
                return None;
            }
            State::Failing { .. } => {}
            State::Leaving(_) | State::Closed => return None,
        }
        match packet {
            Ok(Packet::Message(message)) => return Some(message),
            Ok(Packet::Ping(_)) => self.pong(),
            Ok(Packet::Close) => self.end(DisconnectReason::ServerDisconnect),
            Ok(Packet::Open(_) | Packet::Pong(_) | Packet::Upgrade | Packet::Noop) => {}
            Err(_) => self.end(DisconnectReason::ParseError),
        }
        None
    }

    /// Takes the end of the answer to a GET.
    pub fn handle_get_end(&mut self, now: Instant) {
        match &mut self.state {
            State::Polling(polling) => {
                polling.link.heartbeat.handle_traffic(now);
                polling.get = Request::Idle;
            }
            // The answer had no packet in it.
            State::Opening(Transport::Polling) => self.end(DisconnectReason::ParseError),
            State::Failing { refused: true, .. } => self.outputs.push_back(Output::Get),
            State::Failing { refused: false, .. } => self.end(DisconnectReason::TransportError),
            State::Opening(Transport::WebSocket)
            | State::WebSocket(_)
            | State::Leaving(_)
            | State::Closed => {}
        }
    }

    /// Takes the news that the server has taken a POST.
    pub fn handle_posted(&mut self, now: Instant) {
        match &mut self.state {
            State::Polling(polling) => {
                polling.link.heartbeat.handle_traffic(now);
                polling.post = Request::Idle;
            }
            State::Leaving(_) => self.end(DisconnectReason::ClientDisconnect),
            State::Opening(_) | State::WebSocket(_) | State::Failing { .. } | State::Closed => {}
        }
    }

    /// Takes the news that a GET has failed: no answer, or one that is no success.
    pub fn handle_get_failed(&mut self) {
        match &mut self.state {
            State::Polling(polling) if Mutant::ForgetsLostPoll.is_back() => {
                polling.get = Request::Idle;
            }
            State::Opening(Transport::Polling) | State::Polling(_) | State::Failing { .. } => {
                self.end(DisconnectReason::TransportError);
            }
            State::Leaving(_) => self.end(DisconnectReason::ClientDisconnect),
            State::Opening(Transport::WebSocket) | State::WebSocket(_) | State::Closed => {}
        }
    }

    /// Takes the news that a POST has failed: it was `refused` by an answer that is no success, or has got
    /// no answer. Nothing more is sent, and the session ends when the server has no more to say.
    ///
    /// A server that ends a session answers the GET with what waited and a close packet, if need be the
    /// next one, and refuses a POST that crosses it, or closes its connection; of both, either may come
    /// first.
    pub fn handle_post_failed(&mut self, now: Instant, refused: bool) {
        match &self.state {
            State::Polling(Polling { get: Request::Idle, .. }) if !refused => {
                self.end(DisconnectReason::TransportError);
            }
            State::Polling(Polling { link, get, upgrade, .. }) => {
                if *get == Request::Idle {
                    self.outputs.push_back(Output::Get);
                }
                if upgrade.until().is_some() {
                    self.outputs.push_back(Output::CloseSocket(None));
                }
                let patience = self.config.close_timeout;
                let patience = if refused { patience } else { patience.min(UNANSWERED_PATIENCE) };
                let until = link.heartbeat.next_deadline().min(now + patience);
                self.state = State::Failing { refused, until };
            }
            State::Leaving(_) => self.end(DisconnectReason::ClientDisconnect),
            State::Opening(_) | State::WebSocket(_) | State::Failing { .. } | State::Closed => {}
        }
    }

    /// Takes the news that the WebSocket is open.
    pub fn handle_socket_open(&mut self) {
        if let State::Polling(Polling { upgrade, .. }) = &mut self.state
            && let Upgrade::Connecting { until } = *upgrade
        {
            *upgrade = Upgrade::Probing { until };
            self.outputs.push_back(Output::SendPacket(Packet::Ping(PROBE)));
        }
    }

    /// Takes a text message from the WebSocket, and returns the user's message, if it is one.
    /// `scratch` is where base64 is decoded.
    #[inline]
    pub fn handle_text<'a>(
        &mut self,
        now: Instant,
        text: &'a str,
        scratch: &'a mut Vec<u8>,
    ) -> Option<MessageRef<'a>> {
        let packet = Packet::decode(text, scratch);
        let State::Polling(polling) = &mut self.state else {
            return self.handle_packet(now, packet);
        };
        match (&polling.upgrade, packet) {
            (Upgrade::Probing { until }, Ok(Packet::Pong(PROBE))) => {
                polling.upgrade = Upgrade::Pausing { until: *until };
            }
            (Upgrade::Off, _) => {}
            (Upgrade::Connecting { .. } | Upgrade::Probing { .. } | Upgrade::Pausing { .. }, _) => {
                self.outputs.push_back(Output::CloseSocket(None));
                self.fail_upgrade();
            }
        }
        None
    }

    /// Takes a binary message from the WebSocket, which is the user's as it is.
    #[inline]
    pub fn handle_binary<'a>(&mut self, now: Instant, data: &'a [u8]) -> Option<MessageRef<'a>> {
        match &mut self.state {
            State::WebSocket(link) => {
                link.heartbeat.handle_traffic(now);
                Some(MessageRef::Binary(data))
            }
            State::Opening(Transport::WebSocket) => {
                self.end(DisconnectReason::ParseError);
                None
            }
            State::Polling(_) => {
                self.outputs.push_back(Output::CloseSocket(None));
                self.fail_upgrade();
                None
            }
            State::Opening(Transport::Polling)
            | State::Leaving(_)
            | State::Failing { .. }
            | State::Closed => None,
        }
    }

    /// Takes the news that the WebSocket has ended, or could not be opened.
    pub fn handle_socket_end(&mut self, end: SocketEnd) {
        match &self.state {
            State::Opening(Transport::WebSocket) | State::WebSocket(_) => {
                let (reason, code) = end.consequence();
                self.state = State::Closed;
                let closed = Output::Event(Event::Closed(reason));
                self.outputs.extend([Output::CloseSocket(code), closed]);
            }
            State::Polling(_) => self.fail_upgrade(),
            State::Opening(Transport::Polling)
            | State::Leaving(_)
            | State::Failing { .. }
            | State::Closed => {}
        }
    }

    /// Takes a sign of life that is no message yet: a part of one has arrived.
    pub fn handle_traffic(&mut self, now: Instant) {
        match &mut self.state {
            State::Polling(Polling { link, .. }) | State::WebSocket(link) => {
                link.heartbeat.handle_traffic(now);
            }
            State::Opening(_) | State::Leaving(_) | State::Failing { .. } | State::Closed => {}
        }
    }

    /// Moves time forward to `now`. While the driver does not read from the server (`listening` is
    /// false), the server cannot be too late with a ping.
    pub fn handle_time(&mut self, now: Instant, listening: bool) {
        if !listening {
            self.handle_traffic(now);
        }
        match &self.state {
            State::Polling(Polling { link, .. }) | State::WebSocket(link)
                if link.heartbeat.is_dead(now) =>
            {
                self.end(DisconnectReason::PingTimeout);
            }
            State::Polling(polling)
                if polling.upgrade.until().is_some_and(|until| until <= now) =>
            {
                self.outputs.push_back(Output::CloseSocket(None));
                self.fail_upgrade();
            }
            State::Leaving(Leaving { until }) if *until <= now => {
                self.end(DisconnectReason::ClientDisconnect);
            }
            State::Failing { until, .. } if *until <= now => {
                self.end(DisconnectReason::TransportError);
            }
            State::Opening(_)
            | State::Polling(_)
            | State::WebSocket(_)
            | State::Leaving(_)
            | State::Failing { .. }
            | State::Closed => {}
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
                State::WebSocket(link) => {
                    if queue.ending() != Ending::Discard
                        && let Some(message) = queue.pop()
                    {
                        let length = length_in_frame(message.message());
                        let max = link.max_payload;
                        return Some(if length <= max {
                            Output::SendMessage(message)
                        } else {
                            Output::TooLarge { message, length, max }
                        });
                    }
                    if queue.ending() == Ending::Open {
                        return None;
                    }
                    self.outputs.push_back(Output::SendPacket(Packet::Close));
                    self.end(DisconnectReason::ClientDisconnect);
                }
                State::Polling(_) => self.next_request(now, queue)?,
                State::Opening(_) | State::Failing { .. } if queue.ending() == Ending::Open => {
                    return None;
                }
                State::Leaving(_) if queue.ending() != Ending::Discard => return None,
                State::Opening(_) | State::Leaving(_) | State::Failing { .. } => {
                    self.end(DisconnectReason::ClientDisconnect);
                }
                State::Closed => return None,
            }
        }
    }

    /// When [`handle_time`](Self::handle_time) wants to be called next. While the session opens, only
    /// the driver's own timeouts count.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Polling(polling) => {
                earliest([Some(polling.link.heartbeat.next_deadline()), polling.upgrade.until()])
            }
            State::WebSocket(link) => Some(link.heartbeat.next_deadline()),
            State::Leaving(Leaving { until }) | State::Failing { until, .. } => Some(*until),
            State::Opening(_) | State::Closed => None,
        }
    }

    /// The transport that carries packets, where the session is open.
    pub fn transport(&self) -> Option<Transport> {
        match &self.state {
            State::Polling(_) | State::Leaving(_) | State::Failing { .. } => {
                Some(Transport::Polling)
            }
            State::WebSocket(_) => Some(Transport::WebSocket),
            State::Opening(_) | State::Closed => None,
        }
    }

    /// Whether [`poll_output`](Self::poll_output) has something to say that does not depend on the
    /// queue.
    pub fn has_orders(&self) -> bool {
        if !self.outputs.is_empty() {
            return true;
        }
        let State::Polling(Polling { get, post, pong_due, upgrade, .. }) = &self.state else {
            return false;
        };
        match upgrade {
            Upgrade::Pausing { .. } => *get == Request::Idle && *post == Request::Idle,
            Upgrade::Off | Upgrade::Connecting { .. } | Upgrade::Probing { .. } => {
                *get == Request::Idle || *pong_due && *post == Request::Idle
            }
        }
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Takes the first packet of a session, which has to be the handshake.
    #[cold]
    fn handle_opening(
        &mut self,
        now: Instant,
        transport: Transport,
        packet: Result<Packet<'_>, PacketError>,
    ) {
        let Ok(Packet::Open(json)) = packet else {
            return self.end(DisconnectReason::ParseError);
        };
        let Ok(handshake) = Handshake::decode(json) else {
            return self.end(DisconnectReason::ParseError);
        };
        let link = Link {
            heartbeat: ClientHeartbeat::new(now, handshake.ping_interval, handshake.ping_timeout),
            max_payload: handshake.max_payload.unwrap_or(usize::MAX),
        };
        let offered = handshake.upgrades.contains(&Transport::WebSocket);
        self.outputs.push_back(Output::Event(Event::Opened(handshake)));
        match transport {
            Transport::WebSocket => self.state = State::WebSocket(link),
            Transport::Polling => {
                let upgrade = if self.config.upgrade && offered {
                    self.outputs.push_back(Output::OpenSocket);
                    Upgrade::Connecting { until: now + self.config.upgrade_timeout }
                } else {
                    Upgrade::Off
                };
                let (get, post) = (Request::UnderWay, Request::Idle);
                self.state = State::Polling(Polling { link, get, post, pong_due: false, upgrade });
            }
        }
    }

    /// Begins what polling wants to do next. `None` means that there is nothing.
    fn next_request(&mut self, now: Instant, queue: &mut SendQueue<T>) -> Option<()> {
        let State::Polling(polling) = &mut self.state else { return None };
        match queue.ending() {
            Ending::Open => {}
            Ending::Discard => {
                self.end(DisconnectReason::ClientDisconnect);
                return Some(());
            }
            // What waits goes over polling: an upgrade would only delay the end.
            Ending::Flush => match polling.upgrade {
                Upgrade::Off => {}
                Upgrade::Connecting { .. } | Upgrade::Probing { .. } | Upgrade::Pausing { .. } => {
                    polling.upgrade = Upgrade::Off;
                    self.outputs.push_back(Output::CloseSocket(None));
                    return Some(());
                }
            },
        }
        if let Upgrade::Pausing { .. } = polling.upgrade {
            if polling.get == Request::UnderWay || polling.post == Request::UnderWay {
                return None;
            }
            self.switch();
            return Some(());
        }
        if polling.get == Request::Idle {
            polling.get = Request::UnderWay;
            self.outputs.push_back(Output::Get);
            return Some(());
        }
        if polling.post == Request::UnderWay {
            return None;
        }
        let mut body =
            payload::Encoder::new(polling.link.max_payload, self.config.max_post_packets);
        if std::mem::take(&mut polling.pong_due) {
            body.push(&Packet::Pong(""));
        }
        let mut messages = vec![];
        let max = polling.link.max_payload;
        while let Some(next) = queue.front() {
            let packet = Packet::Message(next.message());
            let length = packet.encoded_length();
            if length > max {
                // Bytes are shorter in a frame than in base64.
                let waits_for_upgrade =
                    polling.upgrade.until().is_some() && length_in_frame(next.message()) <= max;
                if !waits_for_upgrade
                    && body.is_empty()
                    && let Some(message) = queue.pop()
                {
                    self.outputs.push_back(Output::TooLarge { message, length, max });
                    return Some(());
                }
                break;
            }
            if !body.fits(&packet) {
                break;
            }
            body.push(&packet);
            messages.extend(queue.pop());
        }
        let leaves =
            queue.ending() == Ending::Flush && queue.is_empty() && body.fits(&Packet::Close);
        if leaves {
            body.push(&Packet::Close);
            self.state = State::Leaving(Leaving { until: now + self.config.close_timeout });
        } else if body.is_empty() {
            return None;
        } else {
            polling.post = Request::UnderWay;
        }
        self.outputs.push_back(Output::Post { body: body.into_body(), messages });
        Some(())
    }

    /// Leaves polling for the WebSocket that was probed.
    fn switch(&mut self) {
        let State::Polling(polling) = std::mem::replace(&mut self.state, State::Closed) else {
            unreachable!("only a polling session is upgraded");
        };
        self.state = State::WebSocket(polling.link);
        self.outputs.push_back(Output::SendPacket(Packet::Upgrade));
        if polling.pong_due {
            self.outputs.push_back(Output::SendPacket(Packet::Pong("")));
        }
        self.outputs.push_back(Output::Event(Event::Upgraded));
    }

    fn fail_upgrade(&mut self) {
        if let State::Polling(polling) = &mut self.state
            && polling.upgrade.until().is_some()
        {
            polling.upgrade = Upgrade::Off;
            self.outputs.push_back(Output::Event(Event::UpgradeFailed));
        }
    }

    fn pong(&mut self) {
        match &mut self.state {
            State::Polling(polling) => polling.pong_due = true,
            State::WebSocket(_) => self.outputs.push_back(Output::SendPacket(Packet::Pong(""))),
            State::Opening(_) | State::Leaving(_) | State::Failing { .. } | State::Closed => {}
        }
    }

    /// Ends the session, and lets go of its requests and WebSockets.
    fn end(&mut self, reason: DisconnectReason) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Opening(Transport::Polling) | State::Leaving(_) | State::Failing { .. } => {
                self.outputs.push_back(Output::AbortRequests);
            }
            State::Polling(polling) => {
                self.outputs.push_back(Output::AbortRequests);
                if polling.upgrade.until().is_some() {
                    self.outputs.push_back(Output::CloseSocket(None));
                }
            }
            State::Opening(Transport::WebSocket) | State::WebSocket(_) => {
                self.outputs.push_back(Output::CloseSocket(None));
            }
            State::Closed => return,
        }
        self.outputs.push_back(Output::Event(Event::Closed(reason)));
    }

    #[cold]
    fn next_order(&mut self) -> Option<Output<T>> {
        let order = self.outputs.pop_front();
        if self.outputs.is_empty() {
            self.outputs = VecDeque::new();
        }
        order
    }
}

/// Time for what is on its way when a POST has got no answer: the server may not know of it, and go on.
const UNANSWERED_PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of a message in a WebSocket frame, behind the frame's own.
#[inline]
fn length_in_frame(message: MessageRef<'_>) -> usize {
    match message {
        MessageRef::Text(text) => 1 + text.len(),
        MessageRef::Binary(data) => data.len(),
    }
}
