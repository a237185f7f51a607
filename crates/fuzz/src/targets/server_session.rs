//! A server's session: whatever requests, frames, users and the clock do, in whatever order, what is
//! promised of a session holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use heartwire_proto::engineio::server::{
    Config, ExchangeId, Output, ServerSession, UpgradeRequest,
};
use heartwire_proto::engineio::{
    DisconnectReason, Message, MessageRef, Packet, Refusal, SocketEnd, Transport, payload,
};
use heartwire_proto::shared::{Ending, Limits};
use heartwire_proto::websocket::{CloseCode, ProtocolError};

use super::accounts::Accounts;
use super::palette;

/// A byte with the configuration, then steps: a byte with what happens, and what that needs.
pub(super) fn target(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(facts) = input.arbitrary() else { return };
    let mut world = World::new(facts);
    world.drain();
    while !input.is_empty() {
        if world.step(&mut input).is_err() {
            break;
        }
    }
    world.leave_alone();
}

struct World {
    config: Arc<Config>,
    session: ServerSession<Message>,
    accounts: Accounts,
    start: Instant,
    now: Instant,
    poll: Option<ExchangeId>,
    old_poll: Option<ExchangeId>,
    /// A POST has begun and not ended.
    is_posting: bool,
    probe: Option<ExchangeId>,
    /// The session has a WebSocket.
    socket: bool,
    closed: Option<DisconnectReason>,
    /// When the peer was last heard for sure.
    heard: Instant,
    /// When the message began that has not arrived whole on the WebSocket.
    began: Option<Instant>,
    /// When anything from the peer could have counted as heard.
    hinted: Instant,
    pings: usize,
    pongs: usize,
}

impl World {
    fn new(facts: u8) -> Self {
        let transport = if facts & 1 == 0 { Transport::Polling } else { Transport::WebSocket };
        let config = Arc::new(Config {
            allow_upgrades: facts & 2 == 0,
            ping_interval: Duration::from_secs(1),
            ping_timeout: Duration::from_secs(2),
            upgrade_timeout: Duration::from_secs(3),
            close_timeout: CLOSE_TIMEOUT,
            max_payload: 100,
            message_timeout: MESSAGE_TIMEOUT,
            max_poll_packets: 1 + usize::from(facts >> 2 & 3),
            ..Config::default()
        });
        let start = start();
        Self {
            session: ServerSession::open(start, config.clone(), transport),
            accounts: Accounts::new(Limits { messages: 5, bytes: 200 }),
            config,
            start,
            now: start,
            poll: None,
            old_poll: None,
            is_posting: false,
            probe: None,
            socket: transport == Transport::WebSocket,
            closed: None,
            heard: start,
            began: None,
            hinted: start,
            pings: 0,
            pongs: 0,
        }
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=19_u8)? {
            0 => {
                let wait = Duration::from_millis(50) * u32::from(input.arbitrary::<u8>()?);
                self.pass(self.now + wait);
            }
            1 => {
                // The machine was asleep.
                self.now += Duration::from_millis(200) * u32::from(input.arbitrary::<u8>()?);
                self.hinted = self.now;
                self.session.handle_time(self.now, true);
            }
            2 => self.get(),
            3 => {
                let known = if input.arbitrary()? { self.poll } else { self.old_poll };
                if let Some(poll) = known {
                    let waited = self.poll == Some(poll);
                    self.session.handle_poll_gone(poll);
                    self.poll = self.poll.filter(|waiting| *waiting != poll);
                    assert!(!waited || self.session.is_closed(), "a GET that is lost is noticed");
                }
            }
            4 => self.post(),
            5 => self.body(&palette::payload(input)?),
            6 => self.fail_post(input.arbitrary()?),
            7 => self.upgrade(),
            8 => {
                let text = palette::text(input)?;
                if let Some(probe) = self.probe {
                    self.hinted = self.now;
                    self.session.handle_probe_text(self.now, probe, &text);
                }
            }
            9 => {
                if let Some(probe) = self.probe {
                    self.session.handle_probe_gone(probe);
                }
            }
            10 => self.text(&palette::text(input)?),
            11 => {
                let length = usize::from(input.arbitrary::<u8>()?);
                let data = vec![7; length];
                if self.socket {
                    self.hear();
                    self.began = None;
                }
                let message = self.session.handle_binary(self.now, &data);
                let expected = self.socket.then_some(MessageRef::Binary(&data));
                assert_eq!(message, expected, "bytes on a WebSocket are a message");
            }
            12 => self
                .session
                .handle_socket_end(ENDS[usize::from(input.arbitrary::<u8>()?) % ENDS.len()]),
            13 => {
                self.hear();
                self.session.handle_traffic(self.now);
                let unfinished = input.arbitrary()?;
                self.session.handle_unfinished(self.now, unfinished);
                let began = unfinished.then(|| self.began.unwrap_or(self.now));
                self.began = began.filter(|_| self.socket);
            }
            14 | 15 => {
                let length = usize::from(input.arbitrary::<u8>()?);
                self.accounts.push(length, length % 3 != 0);
            }
            16 => self.close(Ending::Flush),
            17 => self.close(Ending::Discard),
            18 => {
                // The user does not take what arrives, so nobody can be late.
                self.hear();
                self.began = self.began.map(|_| self.now);
                self.session.handle_time(self.now, false);
            }
            _ => self.get_and_post(&palette::payload(input)?),
        }
        self.drain();
        Ok(())
    }

    /// What any client does all the time.
    fn get_and_post(&mut self, body: &str) {
        if self.poll.is_none() {
            self.get();
            self.drain();
        }
        if !self.is_posting {
            self.post();
            self.drain();
            self.body(body);
        }
    }

    fn close(&mut self, ending: Ending) {
        self.accounts.queue.close(ending);
        let discards = self.accounts.queue.is_discarded();
        self.drain();
        assert!(!discards || self.closed.is_some(), "discarding ends a session at once");
        assert!(!self.socket || self.closed.is_some(), "a WebSocket takes all that waits");
    }

    fn get(&mut self) {
        let was_waiting = self.poll.is_some();
        let polls = self.closed.is_none() && !self.socket;
        self.hinted = self.now;
        match self.session.handle_poll(self.now) {
            Ok(id) => {
                assert!(polls && !was_waiting && self.old_poll != Some(id), "another GET waits");
                self.heard = self.now;
                self.poll = Some(id);
            }
            Err(Refusal::ConcurrentRequest) => {
                assert!(was_waiting && self.session.is_closed());
            }
            Err(Refusal::BadRequest) => assert!(self.socket),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::UnknownSession);
                assert!(self.session.is_closed());
            }
        }
    }

    fn post(&mut self) {
        let (was_posting, was_open) = (self.is_posting, self.closed.is_none());
        self.hinted = self.now;
        match self.session.handle_post(self.now) {
            Ok(()) => {
                assert!(was_open && !was_posting && !self.socket);
                self.heard = self.now;
                self.is_posting = true;
            }
            Err(Refusal::ConcurrentRequest) => assert!(was_posting && self.session.is_closed()),
            Err(Refusal::BadRequest) => assert!(self.socket),
            Err(refusal) => assert_eq!(refusal, Refusal::UnknownSession),
        }
    }

    /// The packets of the POST that is under way, then its end.
    fn body(&mut self, body: &str) {
        if !self.is_posting {
            return;
        }
        self.is_posting = false;
        let polls = self.polls();
        let mut packets = payload::Decoder::new(body);
        while let Some(packet) = packets.next_packet() {
            let was_closed = self.session.is_closed();
            match self.session.handle_packet(self.now, packet) {
                Ok(message) => {
                    assert!(!self.socket && !was_closed, "{packet:?} is taken after the end");
                    let sent = match packet {
                        Ok(Packet::Message(message)) => Some(message),
                        _ => None,
                    };
                    assert_eq!(message, sent);
                    if let Ok(Packet::Pong(_)) = packet {
                        self.heard = self.now;
                        self.hinted = self.now;
                        self.pongs += 1;
                    }
                    let is_bad = packet.is_err() || matches!(packet, Ok(Packet::Ping(_)));
                    assert!(!is_bad, "{packet:?} is taken");
                }
                Err(_) => {
                    assert!(!polls || self.session.is_closed(), "it swallows {packet:?}");
                    return;
                }
            }
            if let Ok(Packet::Close) = packet {
                assert!(self.session.is_closed());
            }
        }
        self.session.handle_post_end();
    }

    /// Whether GET and POST are its way, and the user has not closed it.
    fn polls(&self) -> bool {
        let is_wanted = self.accounts.queue.ending() == Ending::Open;
        is_wanted && !self.socket && self.session.transport() == Some(Transport::Polling)
    }

    fn fail_post(&mut self, kind: u8) {
        if !std::mem::take(&mut self.is_posting) {
            return;
        }
        let refusals = [
            None,
            Some(Refusal::PayloadTooLarge),
            Some(Refusal::ParseError),
            Some(Refusal::RequestTimeout),
        ];
        let is_polling = self.session.transport() == Some(Transport::Polling);
        let farewell = self.accounts.queue.ending() != Ending::Open;
        self.session.handle_post_failed(refusals[usize::from(kind) % 4]);
        assert!(!is_polling || farewell || self.session.is_closed(), "nothing is lost unnoticed");
    }

    fn upgrade(&mut self) {
        let had_probe = self.probe.is_some();
        self.hinted = self.now;
        match self.session.handle_upgrade(self.now) {
            Ok(UpgradeRequest::Probe(id)) => {
                assert!(!had_probe && !self.socket && self.closed.is_none());
                assert!(self.config.allow_upgrades);
                self.probe = Some(id);
            }
            Ok(UpgradeRequest::Surplus) => assert!(had_probe || self.socket),
            Err(Refusal::BadRequest) => assert!(!self.config.allow_upgrades),
            Err(refusal) => assert_eq!(refusal, Refusal::UnknownSession),
        }
    }

    fn text(&mut self, text: &str) {
        if self.socket {
            self.hear();
            self.began = None;
        }
        let (socket, mut scratch, mut other) = (self.socket, vec![], vec![]);
        let message = self.session.handle_text(self.now, text, &mut scratch);
        let packet = Packet::decode(text, &mut other);
        match packet {
            Ok(Packet::Message(sent)) => assert_eq!(message, socket.then_some(sent)),
            _ => assert_eq!(message, None),
        }
        if !socket {
            return;
        }
        let ends = matches!(packet, Ok(Packet::Close | Packet::Ping(_)) | Err(_));
        assert_eq!(self.session.is_closed(), ends, "{text:?}");
        self.pongs += usize::from(matches!(packet, Ok(Packet::Pong(_))));
    }

    fn hear(&mut self) {
        self.hinted = self.now;
        if self.closed.is_none() {
            self.heard = self.now;
        }
    }

    /// Time passes, and the driver wakes up whenever the session wants it to.
    fn pass(&mut self, until: Instant) {
        let mut wakes = 0;
        while let Some(deadline) = self.session.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(deadline);
            self.session.handle_time(self.now, true);
            self.drain();
            wakes += 1;
            let seconds = (until - self.start).as_secs() as usize;
            assert!(wakes <= 8 + 2 * seconds, "it spins");
        }
        self.now = until;
        let patience = self.config.ping_interval + self.config.ping_timeout;
        let limit = self.hinted + patience + Duration::from_millis(20);
        let farewell = self.accounts.queue.ending() != Ending::Open;
        let is_over = self.closed.is_some() || farewell;
        let late = self.began.is_some_and(|began| began + MESSAGE_TIMEOUT <= self.now);
        assert!(is_over || !late, "a message that takes so long is not waited for");
        assert!(is_over || self.now <= limit, "a peer that is silent for so long is gone");
    }

    /// Nothing happens any more: a session that nobody uses ends.
    fn leave_alone(&mut self) {
        self.pass(self.now + self.config.ping_interval + self.config.ping_timeout + CLOSE_TIMEOUT);
        assert!(self.closed.is_some(), "nobody is there, and it is still open");
        self.accounts.close();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output(self.now, &mut self.accounts.queue) {
            assert_eq!(self.closed, None, "{output:?} after the end");
            self.carry_out(output);
        }
        assert_eq!(self.closed.is_some(), self.session.is_closed());
        assert!(!self.session.has_orders());
        let deadline = self.session.next_deadline();
        assert_eq!(self.closed.is_none(), deadline.is_some(), "an open session has a deadline");
        let latest = self.now + CLOSE_TIMEOUT;
        assert!(deadline.is_none_or(|deadline| deadline <= latest), "it is never called again");
        let transport = match (self.closed, self.socket) {
            (Some(_), _) => None,
            (None, true) => Some(Transport::WebSocket),
            (None, false) => Some(Transport::Polling),
        };
        assert_eq!(self.session.transport(), transport);
        assert_eq!(self.session.waiting_poll(), self.poll);
        assert!(self.pings <= 1 + self.pongs, "a ping before the one before it was answered");
        if self.poll.is_some() && !self.is_posting && self.closed.is_none() {
            assert!(self.accounts.queue.is_empty(), "a GET waits, and so do messages");
        }
    }

    fn carry_out(&mut self, output: Output<Message>) {
        match output {
            Output::Respond { poll, body, messages } => {
                assert!(!self.socket, "an answer to a GET after the upgrade");
                assert_eq!(self.poll.take(), Some(poll), "it is another GET that waits");
                self.old_poll = Some(poll);
                self.check_body(&body, &messages);
            }
            Output::SendPacket(packet) => {
                assert!(self.socket);
                match packet {
                    Packet::Ping("") => self.pings += 1,
                    other => assert_eq!(other, Packet::Close),
                }
            }
            Output::SendMessage(message) => {
                assert!(self.socket);
                self.accounts.leave(&message);
            }
            Output::SendProbe(packet) => {
                assert!(self.probe.is_some());
                assert_eq!(packet, Packet::Pong("probe"));
            }
            Output::CloseProbe => {
                assert!(self.probe.take().is_some(), "there is none to close");
            }
            Output::CloseSocket(_) => {
                assert!(std::mem::take(&mut self.socket), "there is none to close");
            }
            Output::Upgraded => {
                assert!(self.probe.take().is_some(), "nothing to go on over");
                assert_eq!(self.poll, None, "a GET waits for ever");
                self.socket = true;
            }
            Output::Closed(reason) => {
                assert_eq!((self.poll, self.probe), (None, None), "they wait for ever");
                assert!(!self.socket, "the WebSocket stays open for ever");
                if reason == DisconnectReason::PingTimeout {
                    let silence = self.now - self.heard;
                    let too_early = Duration::from_millis(20);
                    assert!(silence + too_early >= self.config.ping_timeout, "{silence:?}");
                }
                self.closed = Some(reason);
                self.accounts.close();
            }
        }
    }

    /// The answer to a GET: what it says it carries, within limits.
    fn check_body(&mut self, body: &[u8], messages: &[Message]) {
        let mut carried = messages.iter();
        let mut decoder = payload::Decoder::new(str::from_utf8(body).unwrap());
        let mut count = 0;
        while let Some(packet) = decoder.next_packet() {
            count += 1;
            match packet.unwrap() {
                Packet::Message(message) => {
                    assert_eq!(Some(&message.to_message()), carried.next());
                    self.accounts.leave(&message.to_message());
                }
                Packet::Ping("") => self.pings += 1,
                Packet::Close | Packet::Noop => {}
                other => panic!("{other:?} from a server"),
            }
        }
        assert_eq!(carried.next(), None);
        let fits = body.len() <= self.config.max_payload && count <= self.config.max_poll_packets;
        assert!(count == 1 || fits, "{count} packets in {} bytes", body.len());
    }
}

/// How WebSockets end.
pub(super) const ENDS: [SocketEnd; 7] = [
    SocketEnd::Closed(None),
    SocketEnd::Closed(Some(CloseCode::NORMAL)),
    SocketEnd::Failed,
    SocketEnd::Broken(ProtocolError::InvalidUtf8),
    SocketEnd::Broken(ProtocolError::MessageTooLong { length: 101, max: 100 }),
    SocketEnd::Stalled,
    SocketEnd::Unfinished,
];

/// Shorter than the patience with a peer that says nothing at all.
const MESSAGE_TIMEOUT: Duration = Duration::from_millis(2500);

/// Longer than everything else.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// Any moment will do: sessions read no clock.
pub(super) fn start() -> Instant {
    Instant::now()
}
