//! Two Engine.IO sessions, a network with latency between them, and a virtual clock.
//!
//! Every request, answer and frame takes [`LATENCY`]. The network can be cut (both sides are told, as
//! by a reset) or swallow everything (nobody is told, as when a cable is pulled).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heartwire_proto::engineio::client::{self, ClientSession, Event};
use heartwire_proto::engineio::server::{self, ExchangeId, ServerSession, UpgradeRequest};
use heartwire_proto::engineio::{
    DisconnectReason, Message, Packet, Refusal, SessionId, SocketEnd, Transport, payload,
};
use heartwire_proto::shared::{Ending, Limits, SendQueue};

/// One way through the network.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);

/// Two sessions and everything that is on its way between them.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) server: Option<ServerSession<Message>>,
    pub(crate) server_queue: SendQueue<Message>,
    pub(crate) client: ClientSession<Message>,
    pub(crate) client_queue: SendQueue<Message>,
    /// What the users of both sides have seen, in order.
    pub(crate) seen: Seen,
    config: Arc<server::Config>,
    on_the_way: BinaryHeap<Reverse<Parcel>>,
    /// Parcels by number: the heap holds only what it sorts by.
    contents: BTreeMap<u64, Content>,
    next_number: u64,
    /// Which WebSocket is connected, if any; frames of an older one are lost with it.
    socket: Option<u32>,
    probe: Option<ExchangeId>,
    sockets: u32,
    poll: Option<ExchangeId>,
    network: Network,
    /// What the answers to GETs take beyond [`LATENCY`].
    detour: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) at_server: Vec<Message>,
    pub(crate) at_client: Vec<Message>,
    pub(crate) opened: Option<Instant>,
    pub(crate) upgraded: Option<Instant>,
    pub(crate) upgrade_failed: Option<Instant>,
    pub(crate) server_closed: Option<(Instant, DisconnectReason)>,
    pub(crate) client_closed: Option<(Instant, DisconnectReason)>,
    /// Bodies of answers to GETs, the handshake left out.
    pub(crate) polls: Vec<String>,
    /// Bodies of POSTs.
    pub(crate) posts: Vec<String>,
    /// Frames in either direction.
    pub(crate) frames: Vec<String>,
    /// Messages that were on their way and that a side was told to count as lost.
    pub(crate) undelivered: usize,
    /// Messages that the client will not send, their length and the limit.
    pub(crate) too_large: Vec<(Message, usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Network {
    Up,
    /// Swallows everything.
    Silent,
    /// Refuses WebSockets.
    NoSockets,
    /// Accepts WebSockets and swallows what is sent on them.
    DeafSockets,
}

type Parcel = (Instant, u64);

enum Content {
    Get,
    GetAnswer(String),
    GetRefused,
    Post(String, usize),
    PostAnswer(Result<(), Refusal>),
    OpenSocket(u32),
    SocketOpen(u32),
    ToServer(u32, Frame),
    ToClient(u32, Frame),
    ServerSocketEnd(u32, SocketEnd),
    ClientSocketEnd(u32, SocketEnd),
    GetGone(ExchangeId),
}

enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

impl Pair {
    pub(crate) fn new(client: client::Config) -> Self {
        Self::with(client, server::Config::default())
    }

    pub(crate) fn with(client: client::Config, config: server::Config) -> Self {
        let limits = Limits { messages: usize::MAX, bytes: usize::MAX };
        Self {
            now: Instant::now(),
            server: None,
            server_queue: SendQueue::new(limits),
            client: ClientSession::open(client),
            client_queue: SendQueue::new(limits),
            seen: Seen::default(),
            config: Arc::new(config),
            on_the_way: BinaryHeap::new(),
            contents: BTreeMap::new(),
            next_number: 0,
            socket: None,
            probe: None,
            sockets: 0,
            poll: None,
            network: Network::Up,
            detour: Duration::ZERO,
        }
    }

    /// An open session over `transport` that will stay there.
    pub(crate) fn open(transport: Transport) -> Self {
        let mut pair =
            Self::new(client::Config { transport, upgrade: false, ..Default::default() });
        pair.run_for(5 * LATENCY);
        assert_eq!(pair.client.transport(), Some(transport));
        pair
    }

    pub(crate) fn send_from_client(&mut self, message: impl Into<Message>) {
        self.client_queue.push(message.into()).unwrap();
    }

    pub(crate) fn send_from_server(&mut self, message: impl Into<Message>) {
        self.server_queue.push(message.into()).unwrap();
    }

    pub(crate) fn close_client(&mut self, ending: Ending) {
        self.client_queue.close(ending);
    }

    pub(crate) fn close_server(&mut self, ending: Ending) {
        self.server_queue.close(ending);
    }

    /// From now on answers to GETs take longer than everything else.
    pub(crate) fn detain_polls(&mut self, detour: Duration) {
        self.detour = detour;
    }

    /// From now on everything vanishes.
    pub(crate) fn go_silent(&mut self) {
        self.network = Network::Silent;
    }

    pub(crate) fn refuse_sockets(&mut self) {
        self.network = Network::NoSockets;
    }

    pub(crate) fn deafen_sockets(&mut self) {
        self.network = Network::DeafSockets;
    }

    /// Resets every connection: what is on the way is lost, and both sides learn of it.
    pub(crate) fn cut(&mut self) {
        self.on_the_way.clear();
        let lost = std::mem::take(&mut self.contents);
        self.seen.undelivered += lost.values().map(Content::messages).sum::<usize>();
        if let Some(socket) = self.socket.take() {
            self.ship(Content::ServerSocketEnd(socket, SocketEnd::Failed));
            self.ship(Content::ClientSocketEnd(socket, SocketEnd::Failed));
        }
        if let Some(poll) = self.poll.take() {
            self.ship(Content::GetGone(poll));
        }
        if self.client.transport() == Some(Transport::Polling) {
            self.ship(Content::GetRefused);
        }
    }

    /// Lets time pass, delivering everything that is due.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        while let Some(next) = self.next_moment().filter(|&next| next <= end) {
            self.now = self.now.max(next);
            self.step();
            self.drain();
        }
        self.now = end;
    }

    /// Lets time pass until nothing is on the way.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            self.drain();
            let Some(&Reverse((at, _))) = self.on_the_way.peek() else { return };
            self.now = self.now.max(at);
            self.step();
        }
        panic!("the sessions never come to rest");
    }

    fn next_moment(&self) -> Option<Instant> {
        let parcel = self.on_the_way.peek().map(|Reverse((at, _))| *at);
        let server = self.server.as_ref().and_then(ServerSession::next_deadline);
        [parcel, server, self.client.next_deadline()].into_iter().flatten().min()
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(&Reverse((at, number))) = self.on_the_way.peek() {
            if at > now {
                break;
            }
            self.on_the_way.pop();
            let content = self.contents.remove(&number).expect("every parcel has contents");
            self.deliver(content);
            self.drain();
        }
        if let Some(server) = &mut self.server {
            server.handle_time(now, true);
        }
        self.client.handle_time(now, true);
    }

    fn ship(&mut self, content: Content) {
        if self.network == Network::Silent {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        let detour = if let Content::GetAnswer(_) = content { self.detour } else { Duration::ZERO };
        self.on_the_way.push(Reverse((self.now + LATENCY + detour, number)));
        self.contents.insert(number, content);
    }

    fn deliver(&mut self, content: Content) {
        let now = self.now;
        match content {
            Content::Get => self.deliver_get(),
            Content::GetAnswer(body) => {
                let mut packets = payload::Decoder::new(&body);
                while let Some(packet) = packets.next_packet() {
                    if let Some(message) = self.client.handle_packet(now, packet) {
                        self.seen.at_client.push(message.to_message());
                    }
                }
                self.client.handle_get_end(now);
            }
            Content::GetRefused => self.client.handle_get_failed(),
            Content::Post(body, messages) => {
                let answer = self.deliver_post(&body);
                if answer.is_err() {
                    self.seen.undelivered += messages;
                }
                self.ship(Content::PostAnswer(answer));
            }
            Content::PostAnswer(Ok(())) => self.client.handle_posted(now),
            Content::PostAnswer(Err(_)) => self.client.handle_post_failed(now, true),
            Content::OpenSocket(socket) => self.deliver_socket(socket),
            Content::SocketOpen(socket) if self.socket == Some(socket) => {
                self.client.handle_socket_open();
            }
            Content::ToServer(socket, frame) if self.socket == Some(socket) => {
                self.deliver_to_server(frame);
            }
            Content::ToClient(socket, frame) if self.socket == Some(socket) => {
                let mut scratch = vec![];
                let message = match &frame {
                    Frame::Text(text) => self.client.handle_text(now, text, &mut scratch),
                    Frame::Binary(data) => self.client.handle_binary(now, data),
                };
                self.seen.at_client.extend(message.map(|message| message.to_message()));
            }
            Content::ServerSocketEnd(socket, end) if socket == self.sockets => {
                match (self.probe.take(), &mut self.server) {
                    (Some(probe), Some(server)) => server.handle_probe_gone(probe),
                    (None, Some(server)) => server.handle_socket_end(end),
                    (_, None) => {}
                }
            }
            Content::ClientSocketEnd(socket, end) if socket == self.sockets => {
                self.client.handle_socket_end(end);
            }
            Content::GetGone(poll) => {
                if let Some(server) = &mut self.server {
                    server.handle_poll_gone(poll);
                }
            }
            Content::SocketOpen(_)
            | Content::ToServer(..)
            | Content::ToClient(..)
            | Content::ServerSocketEnd(..)
            | Content::ClientSocketEnd(..) => {}
        }
    }

    fn deliver_get(&mut self) {
        let Some(server) = &mut self.server else {
            let sid = SessionId::from_random([7; 16]);
            let json = self.config.handshake(sid, Transport::Polling).encode();
            self.server =
                Some(ServerSession::open(self.now, self.config.clone(), Transport::Polling));
            return self.ship(Content::GetAnswer(format!("0{json}")));
        };
        match server.handle_poll(self.now) {
            Ok(poll) => self.poll = Some(poll),
            Err(_) => self.ship(Content::GetRefused),
        }
    }

    fn deliver_post(&mut self, body: &str) -> Result<(), Refusal> {
        let server = self.server.as_mut().ok_or(Refusal::UnknownSession)?;
        server.handle_post(self.now)?;
        let mut packets = payload::Decoder::new(body);
        while let Some(packet) = packets.next_packet() {
            if let Some(message) = server.handle_packet(self.now, packet)? {
                self.seen.at_server.push(message.to_message());
            }
            if server.is_closed() {
                break;
            }
        }
        server.handle_post_end();
        Ok(())
    }

    fn deliver_socket(&mut self, socket: u32) {
        if self.network == Network::NoSockets {
            return self.ship(Content::ClientSocketEnd(socket, SocketEnd::Failed));
        }
        self.socket = Some(socket);
        let Some(server) = &mut self.server else {
            let sid = SessionId::from_random([7; 16]);
            let json = self.config.handshake(sid, Transport::WebSocket).encode();
            self.server =
                Some(ServerSession::open(self.now, self.config.clone(), Transport::WebSocket));
            self.ship(Content::SocketOpen(socket));
            return self.ship(Content::ToClient(socket, Frame::Text(format!("0{json}"))));
        };
        match server.handle_upgrade(self.now) {
            Ok(UpgradeRequest::Probe(probe)) => {
                self.probe = Some(probe);
                self.ship(Content::SocketOpen(socket));
            }
            Ok(UpgradeRequest::Surplus) | Err(_) => {
                self.ship(Content::ClientSocketEnd(socket, SocketEnd::Closed(None)));
            }
        }
    }

    fn deliver_to_server(&mut self, frame: Frame) {
        let Some(server) = &mut self.server else { return };
        let now = self.now;
        match (&frame, self.probe) {
            (Frame::Text(text), Some(probe)) => server.handle_probe_text(now, probe, text),
            (Frame::Binary(_), Some(probe)) => server.handle_probe_gone(probe),
            (Frame::Text(text), None) => {
                let mut scratch = vec![];
                let message = server.handle_text(now, text, &mut scratch);
                self.seen.at_server.extend(message.map(|message| message.to_message()));
            }
            (Frame::Binary(data), None) => {
                let message = server.handle_binary(now, data);
                self.seen.at_server.extend(message.map(|message| message.to_message()));
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output(self.now, &mut self.client_queue) {
            self.carry_out_client(output);
        }
        loop {
            let Some(server) = &mut self.server else { return };
            let Some(output) = server.poll_output(self.now, &mut self.server_queue) else { return };
            self.carry_out_server(output);
        }
    }

    fn carry_out_client(&mut self, output: client::Output<Message>) {
        let now = self.now;
        match output {
            client::Output::Get => self.ship(Content::Get),
            client::Output::Post { body, messages } => {
                let body = String::from_utf8(body).unwrap();
                self.seen.posts.push(body.clone());
                self.ship(Content::Post(body, messages.len()));
            }
            client::Output::AbortRequests => {
                if let Some(poll) = self.poll {
                    self.ship(Content::GetGone(poll));
                }
            }
            client::Output::OpenSocket => {
                self.sockets += 1;
                self.ship(Content::OpenSocket(self.sockets));
            }
            client::Output::SendPacket(packet) => self.send_frame(text_frame(&packet), true),
            client::Output::SendMessage(message) => self.send_frame(message_frame(message), true),
            client::Output::TooLarge { message, length, max } => {
                self.seen.too_large.push((message, length, max));
            }
            client::Output::CloseSocket(_) => {
                let socket = self.sockets;
                self.ship(Content::ServerSocketEnd(socket, SocketEnd::Closed(None)));
            }
            client::Output::Event(Event::Opened(_)) => self.seen.opened = Some(now),
            client::Output::Event(Event::Upgraded) => self.seen.upgraded = Some(now),
            client::Output::Event(Event::UpgradeFailed) => self.seen.upgrade_failed = Some(now),
            client::Output::Event(Event::Closed(reason)) => {
                assert_eq!(self.seen.client_closed, None, "closed once");
                self.seen.client_closed = Some((now, reason));
            }
        }
    }

    fn carry_out_server(&mut self, output: server::Output<Message>) {
        match output {
            server::Output::Respond { poll, body, .. } => {
                assert_eq!(self.poll.take(), Some(poll), "answers the GET that waits");
                let body = String::from_utf8(body).unwrap();
                self.seen.polls.push(body.clone());
                self.ship(Content::GetAnswer(body));
            }
            server::Output::SendPacket(packet) | server::Output::SendProbe(packet) => {
                self.send_frame(text_frame(&packet), false);
            }
            server::Output::SendMessage(message) => self.send_frame(message_frame(message), false),
            server::Output::CloseProbe => {
                self.probe = None;
                self.ship(Content::ClientSocketEnd(self.sockets, SocketEnd::Closed(None)));
            }
            server::Output::CloseSocket(_) => {
                self.ship(Content::ClientSocketEnd(self.sockets, SocketEnd::Closed(None)));
            }
            server::Output::Upgraded => self.probe = None,
            server::Output::Closed(reason) => {
                assert_eq!(self.seen.server_closed, None, "closed once");
                self.seen.server_closed = Some((self.now, reason));
            }
        }
    }

    fn send_frame(&mut self, frame: Frame, to_server: bool) {
        let shown = match &frame {
            Frame::Text(text) => text.clone(),
            Frame::Binary(data) => format!("{} bytes", data.len()),
        };
        self.seen.frames.push(shown);
        if self.network == Network::DeafSockets {
            return;
        }
        let Some(socket) = self.socket else {
            self.seen.undelivered += 1;
            return;
        };
        let content = if to_server { Content::ToServer } else { Content::ToClient };
        self.ship(content(socket, frame));
    }
}

impl Content {
    /// User's messages that vanish with this.
    fn messages(&self) -> usize {
        let count = |body: &String| body.split('\x1e').filter(|part| part.starts_with('4')).count();
        match self {
            Self::GetAnswer(body) | Self::Post(body, _) => count(body),
            Self::ToServer(_, Frame::Binary(_)) | Self::ToClient(_, Frame::Binary(_)) => 1,
            Self::ToServer(_, Frame::Text(text)) | Self::ToClient(_, Frame::Text(text)) => {
                usize::from(text.starts_with('4'))
            }
            Self::Get
            | Self::GetRefused
            | Self::PostAnswer(_)
            | Self::OpenSocket(_)
            | Self::SocketOpen(_)
            | Self::ServerSocketEnd(..)
            | Self::ClientSocketEnd(..)
            | Self::GetGone(_) => 0,
        }
    }
}

fn text_frame(packet: &Packet<'_>) -> Frame {
    let mut text = vec![];
    packet.encode(&mut text);
    Frame::Text(String::from_utf8(text).unwrap())
}

fn message_frame(message: Message) -> Frame {
    match message {
        Message::Text(text) => Frame::Text(format!("4{text}")),
        Message::Binary(data) => Frame::Binary(data.to_vec()),
    }
}

/// Numbered texts, so that loss, doubling and disorder show.
pub(crate) fn numbered(name: &str, count: usize) -> Vec<Message> {
    (0..count).map(|number| Message::from(format!("{name} {number}"))).collect()
}
