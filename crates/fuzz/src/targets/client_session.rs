//! A client's session against a server that answers anything, in any order, or not at all.

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use heartwire_proto::engineio::client::{ClientSession, Config, Event, Output};
use heartwire_proto::engineio::{
    DisconnectReason, Handshake, Message, MessageRef, Packet, SocketEnd, Transport, payload,
};
use heartwire_proto::shared::{Ending, Limits};

use super::accounts::Accounts;
use super::palette;
use super::server_session::{ENDS, start};

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
    config: Config,
    session: ClientSession<Message>,
    accounts: Accounts,
    now: Instant,
    get: bool,
    post: bool,
    socket: Socket,
    opened: Option<Handshake>,
    upgraded: bool,
    closed: Option<DisconnectReason>,
    /// When the server was last heard.
    heard: Instant,
}

/// The WebSocket, as the driver has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Socket {
    None,
    Connecting,
    Open,
}

impl World {
    fn new(facts: u8) -> Self {
        let config = Config {
            transport: if facts & 1 == 0 { Transport::Polling } else { Transport::WebSocket },
            upgrade: facts & 2 == 0,
            upgrade_timeout: Duration::from_secs(3),
            close_timeout: Duration::from_secs(4),
            max_post_packets: 1 + usize::from(facts >> 2 & 3),
        };
        let now = start();
        Self {
            session: ClientSession::open(config.clone()),
            config,
            accounts: Accounts::new(Limits { messages: 5, bytes: 300 }),
            now,
            get: false,
            post: false,
            socket: Socket::None,
            opened: None,
            upgraded: false,
            closed: None,
            heard: now,
        }
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=17_u8)? {
            0 => {
                let wait = Duration::from_millis(50) * u32::from(input.arbitrary::<u8>()?);
                self.pass(self.now + wait);
            }
            1 => {
                // The machine was asleep.
                self.now += Duration::from_millis(200) * u32::from(input.arbitrary::<u8>()?);
                self.session.handle_time(self.now, true);
            }
            2 => self.answer_get(&palette::payload(input)?),
            3 => self.answer_get(HANDSHAKES[usize::from(input.arbitrary::<u8>()?) % 4]),
            4 => self.answer_post(),
            5 => {
                if input.arbitrary()? {
                    if std::mem::take(&mut self.get) {
                        self.session.handle_get_failed();
                        assert!(self.session.is_closed(), "what it carried is lost unnoticed");
                    }
                } else if std::mem::take(&mut self.post) {
                    self.session.handle_post_failed(self.now, input.arbitrary()?);
                    self.drain();
                    let waits = self.get && self.session.next_deadline().is_some();
                    assert!(self.session.is_closed() || waits, "what it carried is lost unnoticed");
                }
            }
            6 => {
                if self.socket == Socket::Connecting {
                    self.socket = Socket::Open;
                    self.session.handle_socket_open();
                }
            }
            7 => self.text(&palette::text(input)?),
            8 => self.text("3probe"),
            9 => {
                let data = vec![7; usize::from(input.arbitrary::<u8>()?)];
                if self.socket == Socket::Open {
                    let expected = self.has_socket().then_some(MessageRef::Binary(&data));
                    // What a probe brings is no sign of life.
                    self.heard = if self.has_socket() { self.now } else { self.heard };
                    let message = self.session.handle_binary(self.now, &data);
                    assert_eq!(message, expected, "bytes on a WebSocket are a message");
                }
            }
            10 => {
                let end = ENDS[usize::from(input.arbitrary::<u8>()?) % ENDS.len()];
                self.end_socket(end);
            }
            11 => {
                self.heard = self.now;
                self.session.handle_traffic(self.now);
            }
            12 | 13 => {
                let length = usize::from(input.arbitrary::<u8>()?);
                self.accounts.push(length, length % 3 != 0);
            }
            14 => self.close(Ending::Flush),
            15 => self.close(Ending::Discard),
            16 => {
                // The user does not take what arrives, so nobody can be late.
                self.heard = self.now;
                self.session.handle_time(self.now, false);
            }
            _ => {
                self.answer_get("2");
                self.drain();
                self.answer_post();
            }
        }
        self.drain();
        Ok(())
    }

    fn close(&mut self, ending: Ending) {
        self.accounts.queue.close(ending);
        let discards = self.accounts.queue.is_discarded();
        self.drain();
        assert!(!discards || self.closed.is_some(), "discarding ends a session at once");
        assert!(!self.has_socket() || self.closed.is_some(), "a WebSocket takes all that waits");
    }

    /// Whether packets travel over the WebSocket.
    fn has_socket(&self) -> bool {
        let first = self.config.transport == Transport::WebSocket && self.opened.is_some();
        self.closed.is_none() && (first || self.upgraded)
    }

    fn answer_get(&mut self, body: &str) {
        if !self.get {
            return;
        }
        let mut packets = payload::Decoder::new(body);
        while let Some(packet) = packets.next_packet() {
            self.packet(packet);
            self.drain();
            if !self.get {
                return; // it was aborted
            }
        }
        self.get = false;
        self.heard = self.now;
        self.session.handle_get_end(self.now);
    }

    fn packet(
        &mut self,
        packet: std::result::Result<Packet<'_>, heartwire_proto::engineio::PacketError>,
    ) {
        let takes = self.opened.is_some() && self.closed.is_none();
        let leaves = self.session.transport() == Some(Transport::Polling)
            && self.accounts.queue.ending() == Ending::Flush;
        self.heard = self.now;
        let message = self.session.handle_packet(self.now, packet);
        match packet {
            // Who leaves may have asked for the last packets already.
            Ok(Packet::Message(_)) if leaves && message.is_none() => {}
            Ok(Packet::Message(sent)) => assert_eq!(message, takes.then_some(sent)),
            _ => assert_eq!(message, None),
        }
    }

    fn answer_post(&mut self) {
        if std::mem::take(&mut self.post) {
            self.heard = self.now;
            self.session.handle_posted(self.now);
        }
    }

    fn text(&mut self, text: &str) {
        if self.socket != Socket::Open {
            return;
        }
        let takes = self.has_socket();
        self.heard = if takes { self.now } else { self.heard };
        let (mut scratch, mut other) = (vec![], vec![]);
        let message = self.session.handle_text(self.now, text, &mut scratch);
        match Packet::decode(text, &mut other) {
            Ok(Packet::Message(sent)) => assert_eq!(message, takes.then_some(sent)),
            _ => assert_eq!(message, None),
        }
    }

    fn end_socket(&mut self, end: SocketEnd) {
        if self.socket == Socket::None {
            return;
        }
        let is_needed = self.has_socket() || self.opened.is_none();
        if !is_needed {
            self.socket = Socket::None;
        }
        self.session.handle_socket_end(end);
        assert_eq!(self.session.is_closed(), is_needed, "only an upgrade can do without");
    }

    /// Time passes, and the driver wakes up whenever the session wants it to.
    fn pass(&mut self, until: Instant) {
        let mut wakes = 0;
        while let Some(deadline) = self.session.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(deadline);
            self.session.handle_time(self.now, true);
            self.drain();
            wakes += 1;
            assert!(wakes <= 8, "it spins");
        }
        self.now = until;
        let is_open = self.closed.is_none() && self.accounts.queue.ending() == Ending::Open;
        if is_open && let Some(patience) = self.patience() {
            assert!(
                self.now < self.heard + patience,
                "a server that is silent for so long is gone"
            );
        }
    }

    fn patience(&self) -> Option<Duration> {
        let Handshake { ping_interval, ping_timeout, .. } = self.opened.as_ref()?;
        Some(*ping_interval + *ping_timeout)
    }

    /// Nothing happens any more: the session ends.
    fn leave_alone(&mut self) {
        if self.opened.is_none() && self.closed.is_none() {
            // Until it is open, the driver has deadlines of its own.
            if std::mem::take(&mut self.get) {
                self.session.handle_get_failed();
            } else {
                self.session.handle_socket_end(SocketEnd::Failed);
            }
            self.drain();
        }
        let patience = self.patience().unwrap_or_default();
        self.pass(self.now + patience + self.config.close_timeout);
        assert!(self.closed.is_some(), "nobody is there, and it is still open");
        self.accounts.close();
    }

    fn drain(&mut self) {
        loop {
            let has_orders = self.session.has_orders();
            let Some(output) = self.session.poll_output(self.now, &mut self.accounts.queue) else {
                assert!(!has_orders, "it has orders, and says nothing");
                break;
            };
            assert_eq!(self.closed, None, "{output:?} after the end");
            self.carry_out(output);
        }
        assert_eq!(self.closed.is_some(), self.session.is_closed());
        let deadline = self.session.next_deadline();
        let is_open = self.opened.is_some() && self.closed.is_none();
        assert_eq!(is_open, deadline.is_some(), "an open session has a deadline");
        if self.closed.is_some() {
            assert_eq!((self.get, self.post, self.socket), (false, false, Socket::None));
        }
        if is_open && !self.has_socket() && self.socket == Socket::None {
            let leaves = self.accounts.queue.ending() != Ending::Open;
            assert!(self.get || leaves, "it does not ask for packets");
        }
    }

    fn carry_out(&mut self, output: Output<Message>) {
        match output {
            Output::Get => {
                assert!(!self.get && !self.has_socket());
                self.get = true;
            }
            Output::Post { body, messages } => {
                assert!(!self.post && !self.has_socket() && self.opened.is_some());
                self.post = true;
                self.check_body(&body, &messages);
            }
            Output::AbortRequests => (self.get, self.post) = (false, false),
            Output::OpenSocket => {
                assert_eq!(self.socket, Socket::None);
                self.socket = Socket::Connecting;
            }
            Output::SendPacket(packet) => {
                assert_eq!(self.socket, Socket::Open, "{packet:?}");
                match packet {
                    Packet::Ping("probe") => assert!(!self.has_socket()),
                    Packet::Upgrade => {
                        let under_way = (self.get, self.post);
                        assert_eq!(under_way, (false, false), "packets may overtake each other");
                    }
                    Packet::Pong("") | Packet::Close => {}
                    other => panic!("{other:?} from a client"),
                }
            }
            Output::SendMessage(message) => {
                assert!(self.has_socket());
                let length = match &message {
                    Message::Text(text) => 1 + text.len(),
                    Message::Binary(data) => data.len(),
                };
                assert!(length <= self.max_payload());
                self.accounts.leave(&message);
            }
            Output::TooLarge { message, length, max } => {
                assert!(length > max && max == self.max_payload() && length >= message.len());
                self.accounts.leave(&message);
            }
            Output::CloseSocket(_) => {
                assert_ne!(self.socket, Socket::None, "there is none to close");
                self.socket = Socket::None;
            }
            Output::Event(Event::Opened(handshake)) => {
                assert_eq!(self.opened.replace(handshake), None);
                self.heard = self.now;
            }
            Output::Event(Event::Upgraded) => {
                assert!(!self.has_socket() && self.socket == Socket::Open);
                assert_eq!((self.get, self.post), (false, false));
                self.upgraded = true;
            }
            Output::Event(Event::UpgradeFailed) => {
                assert!(!self.has_socket());
                assert_eq!(self.socket, Socket::None, "it stays open for ever");
            }
            Output::Event(Event::Closed(reason)) => {
                if reason == DisconnectReason::PingTimeout {
                    assert!(Some(self.now - self.heard) >= self.patience(), "too early");
                }
                self.closed = Some(reason);
                self.accounts.close();
            }
        }
    }

    fn max_payload(&self) -> usize {
        self.opened.as_ref().and_then(|handshake| handshake.max_payload).unwrap_or(usize::MAX)
    }

    /// The body of a POST: what it says it carries, within limits.
    fn check_body(&mut self, body: &[u8], messages: &[Message]) {
        let mut carried = messages.iter();
        let mut decoder = payload::Decoder::new(str::from_utf8(body).unwrap());
        let (mut count, mut ends) = (0, false);
        while let Some(packet) = decoder.next_packet() {
            assert!(!ends, "something follows the end");
            count += 1;
            match packet.unwrap() {
                Packet::Message(message) => {
                    assert_eq!(Some(&message.to_message()), carried.next());
                    assert!(body.len() <= self.max_payload());
                    self.accounts.leave(&message.to_message());
                }
                Packet::Pong("") => assert_eq!(count, 1, "the pong comes first"),
                Packet::Close => ends = true,
                other => panic!("{other:?} from a client"),
            }
        }
        assert_eq!(carried.next(), None);
        let fits = body.len() <= self.max_payload() && count <= self.config.max_post_packets;
        assert!(count == 1 || fits, "{count} packets in {} bytes", body.len());
    }
}

/// Answers that open a session.
const HANDSHAKES: [&str; 4] = [
    r#"0{"sid":"a","upgrades":["websocket"],"pingInterval":1000,"pingTimeout":2000,"maxPayload":100}"#,
    r#"0{"sid":"a","upgrades":[],"pingInterval":1000,"pingTimeout":2000,"maxPayload":100}"#,
    "0{\"sid\":\"a\",\"upgrades\":[\"websocket\"],\"pingInterval\":1000,\"pingTimeout\":2000}\u{1e}4early\u{1e}2",
    r#"0{"sid":"a","upgrades":["websocket"],"pingInterval":0,"pingTimeout":0,"maxPayload":3}"#,
];
