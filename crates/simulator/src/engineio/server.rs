//! The server's driver: what the real one does with requests and WebSockets.

use std::time::Duration;

use heartwire_proto::engineio::server::{Output, ServerSession, UpgradeRequest};
use heartwire_proto::engineio::{Message, Packet, Refusal, SocketEnd, Transport, payload};
use heartwire_proto::shared::Ending;
use heartwire_proto::websocket::{CompressionPool, Decoder, Event as Frame, Opcode, Role, frame};

use super::client::WINDOW;
use super::plan::{MAX_PAYLOAD, Side};
use super::wire::{Parcel, Request, RequestId, close_frame, message_frame, packet_frame};
use super::world::{Checked, Knock, World, session_of, sid};

pub(super) fn decoder() -> Decoder {
    Decoder::new(Role::Server, MAX_PAYLOAD, None)
}

impl World {
    pub(super) fn drain_server(&mut self) -> Checked {
        loop {
            let now = self.net.instant();
            let wire = self.server.socket.and_then(|socket| self.sockets.get(&socket));
            let blocked = wire.is_some_and(|wire| wire.server_open && wire.bytes_down > WINDOW);
            let Some(session) = &mut self.server.session else { return Ok(()) };
            if blocked && !session.has_orders() && !self.server.queue.is_discarded() {
                return Ok(());
            }
            let Some(output) = session.poll_output(now, &mut self.server.queue) else {
                return Ok(());
            };
            if self.server.closed.is_some() {
                return Err(format!("the server goes on after the session's end: {output:?}"));
            }
            self.carry_out_server(output)?;
        }
    }

    fn carry_out_server(&mut self, output: Output<Message>) -> Checked {
        match output {
            Output::Respond { poll, body, messages } => {
                if self.server.socket.is_some() && !messages.is_empty() {
                    return Err("the server answers a GET with messages after the upgrade".into());
                }
                for message in &messages {
                    self.server.down.hand_over(message)?;
                }
                let Some((waiting, id)) = self.server.poll.take() else {
                    return Err("an answer without a GET".to_owned());
                };
                if waiting != poll {
                    return Err("an answer to another GET than the one that waits".to_owned());
                }
                let body = String::from_utf8(body).map_err(|error| error.to_string())?;
                if self.net.now() < self.loses_answers_until {
                    self.note(&format!("the answer to {id} is lost: {body:?}"));
                    self.loses_answers_until = Duration::ZERO;
                    self.net.send(Parcel::RequestFailed(id));
                } else {
                    self.answer(id, Ok(body));
                }
                // The answer may have gone into a connection that is reset already: nobody says so.
                let now = self.net.now();
                self.server.knows_by = self.server.knows_by.filter(|moment| *moment < now);
            }
            Output::SendPacket(packet) => self.server_packet(self.server.socket, &packet),
            Output::SendProbe(packet) => {
                self.server_packet(self.server.probe.map(|(_, socket)| socket), &packet);
            }
            Output::SendMessage(message) => {
                self.server.down.hand_over(&message)?;
                let mut bytes = vec![];
                message_frame(&message, None, &mut bytes);
                self.server_writes(self.server.socket, &bytes);
            }
            Output::CloseProbe => {
                let socket = self.server.probe.take().map(|(_, socket)| socket);
                self.close_server_socket(socket);
            }
            Output::CloseSocket(code) => {
                let mut bytes = vec![];
                close_frame(code, None, &mut bytes);
                let socket = self.server.socket;
                self.server_writes(socket, &bytes);
                self.close_server_socket(socket);
            }
            Output::Upgraded => {
                self.server.socket = self.server.probe.take().map(|(_, socket)| socket);
            }
            Output::Closed(reason) => {
                self.note(&format!("server: closed, {reason}"));
                self.server.closed = Some((self.net.now(), reason));
                self.server.queue.close(Ending::Discard);
                let left = self.server.queue.drain();
                self.server.down.check_left(&left)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, id: RequestId, answer: Result<String, Refusal>) {
        if !self.requests.get(&id).is_some_and(|pending| pending.is_reset) {
            self.net.send(Parcel::Answer(id, answer));
        }
    }

    fn server_packet(&mut self, socket: Option<u32>, packet: &Packet<'_>) {
        let mut bytes = vec![];
        packet_frame(packet, None, &mut bytes);
        self.server_writes(socket, &bytes);
    }

    fn server_writes(&mut self, socket: Option<u32>, bytes: &[u8]) {
        let Some(socket) = socket else { return };
        let pieces = self.net.cut(bytes);
        let Some(wire) = self.sockets.get_mut(&socket) else { return };
        if !wire.server_open {
            return;
        }
        if wire.bytes_down == 0 {
            wire.down_taken_at = self.net.now();
        }
        for data in pieces {
            wire.bytes_down += data.len();
            if self.sockets_hear && !wire.is_reset {
                let parcel = Parcel::Bytes { socket, to_server: false, data };
                self.net.send_on(&mut wire.down, parcel);
            }
        }
    }

    fn close_server_socket(&mut self, socket: Option<u32>) {
        let Some(socket) = socket else { return };
        if let Some(wire) = self.sockets.get_mut(&socket)
            && wire.server_open
        {
            wire.server_open = false;
            let end = SocketEnd::Closed(None);
            self.net.send_on(&mut wire.down, Parcel::End { socket, to_server: false, end });
        }
    }

    pub(super) fn receive_request(&mut self, id: RequestId, request: Request) -> Checked {
        let now = self.net.instant();
        let stranger = self.stranger.requests.contains(&id);
        if self.server.session.is_none() {
            let Request::Open = request else {
                self.answer(id, Err(Refusal::UnknownSession));
                return Ok(());
            };
            return self.hear_knock(Knock::Request(id));
        }
        self.find_session()?;
        let Some(session) = &mut self.server.session else { return Ok(()) };
        match request {
            Request::Open => return Err("the client opens a second session".to_owned()),
            // A stranger who is alone is not noticed: it is who knows the id.
            Request::Get if stranger && self.server.poll.is_none() => {}
            Request::Get => {
                let second = self.server.poll.is_some();
                match session.handle_poll(now) {
                    Ok(poll) => self.server.poll = Some((poll, id)),
                    Err(refusal) => self.answer(id, Err(refusal)),
                }
                self.drain_server()?;
                if second && self.server.closed.is_none() {
                    return Err("a second GET, and the session goes on".to_owned());
                }
            }
            Request::Post(body) => match session.handle_post(now) {
                Ok(()) => {
                    self.server.post = Some(id);
                    let longest = SLOWEST_POST.as_micros() as u64;
                    let wait = Duration::from_micros(self.net.rng.u64(..longest));
                    self.net.at(self.net.now() + wait, Parcel::RestOfPost(id, body));
                }
                Err(refusal) => self.answer(id, Err(refusal)),
            },
        }
        Ok(())
    }

    pub(super) fn receive_post(&mut self, id: RequestId, body: &str) -> Checked {
        if self.server.post != Some(id) {
            return Ok(());
        }
        self.server.post = None;
        let answer = self.handle_post(body)?;
        self.drain_server()?;
        let polls = |session: &ServerSession<_>| session.transport() != Some(Transport::WebSocket);
        let on_polling = self.server.session.as_ref().is_some_and(polls);
        // A server that is about to leave takes nothing more, and waits for the GET that it tells so.
        let is_leaving = self.server.queue.ending() != Ending::Open
            && matches!(answer, Err(Refusal::UnknownSession));
        if answer.is_err() && !is_leaving && self.server.closed.is_none() && on_polling {
            return Err("a POST that breaks the rules leaves the session open".to_owned());
        }
        let breaks_rules = body.split('\u{1e}').any(|packet| packet == "x");
        if breaks_rules && answer.is_ok() && self.server.closed.is_none() {
            return Err("a POST that breaks the rules is answered ok".to_owned());
        }
        self.answer(id, answer);
        Ok(())
    }

    fn handle_post(&mut self, body: &str) -> Result<Result<String, Refusal>, String> {
        let now = self.net.instant();
        let ok = Ok(Ok("ok".to_owned()));
        let mut decoder = payload::Decoder::new(body);
        while let Some(packet) = decoder.next_packet() {
            let Some(session) = &mut self.server.session else { return ok };
            match session.handle_packet(now, packet) {
                Ok(Some(message)) => {
                    let message = message.to_message();
                    self.server_delivers(message)?;
                }
                Ok(None) => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
            if self.server.session.as_ref().is_some_and(ServerSession::is_closed) {
                break;
            }
        }
        if let Some(session) = &mut self.server.session {
            session.handle_post_end();
        }
        ok
    }

    pub(super) fn request_gone(&mut self, id: RequestId) {
        if self.server.knock == Knock::Request(id) {
            self.server.knock = Knock::Answered;
        }
        let Some(session) = &mut self.server.session else { return };
        if let Some((poll, waiting)) = self.server.poll
            && waiting == id
        {
            self.server.poll = None;
            session.handle_poll_gone(poll);
        }
        if self.server.post == Some(id) {
            self.server.post = None;
            session.handle_post_failed(None);
        }
    }

    pub(super) fn receive_socket(&mut self, socket: u32) -> Checked {
        let now = self.net.instant();
        if !self.sockets_work {
            self.open_socket(socket, false);
            return Ok(());
        }
        if self.server.session.is_none() {
            return self.hear_knock(Knock::Socket(socket));
        }
        self.find_session()?;
        let Some(session) = &mut self.server.session else { return Ok(()) };
        match session.handle_upgrade(now) {
            Ok(UpgradeRequest::Probe(probe)) => {
                self.server.probe = Some((probe, socket));
                self.server.decoder = decoder();
                self.open_socket(socket, true);
            }
            Ok(UpgradeRequest::Surplus) | Err(_) => self.open_socket(socket, false),
        }
        Ok(())
    }

    fn open_socket(&mut self, socket: u32, opens: bool) {
        let Some(wire) = self.sockets.get_mut(&socket) else { return };
        wire.server_open = opens;
        self.net.send_on(&mut wire.down, Parcel::SocketOpened(socket, opens));
    }

    /// The id of the session, as the request has it, leads to the session and to no other.
    fn find_session(&self) -> Checked {
        let number = self.server.number;
        let sessions = (0..=number).map(|number| (sid(number), number)).collect();
        let query = format!("EIO=4&transport=polling&sid={}", sid(number));
        match session_of(&query, &sessions) {
            Some(found) if found == number => Ok(()),
            found => Err(format!("a request for session {number} has led to {found:?}")),
        }
    }

    /// Somebody wants in: the application is asked.
    fn hear_knock(&mut self, knock: Knock) -> Checked {
        if self.server.knock != Knock::Silent {
            return Err("the client knocks twice".to_owned());
        }
        self.server.knock = knock;
        let decision = Parcel::Decision(self.server.number);
        let wait = self.plan.hook.wait;
        if wait.is_zero() {
            self.decide();
        } else {
            self.net.at(self.net.now() + wait, decision);
        }
        Ok(())
    }

    /// The application has decided.
    pub(super) fn decide(&mut self) {
        let knock = std::mem::replace(&mut self.server.knock, Knock::Answered);
        let number = self.server.number;
        let refuses = self.plan.hook.refuses_from.is_some_and(|first| number >= first);
        let refusal = match self.draining {
            Some(_) => Some(Refusal::ServiceUnavailable),
            None => refuses.then_some(Refusal::Forbidden),
        };
        let transport = match (knock, refusal) {
            (Knock::Silent | Knock::Answered, _) => return,
            (Knock::Request(id), Some(refusal)) => return self.answer(id, Err(refusal)),
            (Knock::Socket(socket), Some(_)) => return self.open_socket(socket, false),
            (Knock::Request(_), None) => Transport::Polling,
            (Knock::Socket(_), None) => Transport::WebSocket,
        };
        let config = self.server.config.clone();
        let json = config.handshake(sid(number), transport).encode();
        self.server.session = Some(ServerSession::open(self.net.instant(), config, transport));
        match knock {
            Knock::Request(id) => self.answer(id, Ok(format!("0{json}"))),
            Knock::Socket(socket) => {
                self.server.socket = Some(socket);
                self.open_socket(socket, true);
                let mut bytes = vec![];
                frame::encode(Opcode::Text, None, b"0", json.as_bytes(), &mut bytes);
                self.server_writes(Some(socket), &bytes);
            }
            Knock::Silent | Knock::Answered => {}
        }
    }

    pub(super) fn server_reads(&mut self, socket: u32, mut data: Vec<u8>) -> Checked {
        let Some(wire) = self.sockets.get_mut(&socket) else { return Ok(()) };
        wire.bytes_up = wire.bytes_up.saturating_sub(data.len());
        wire.up_taken_at = self.net.now();
        let mut rest = data.as_mut_slice();
        while !rest.is_empty() {
            let open = self.sockets.get(&socket).is_some_and(|wire| wire.server_open);
            if !open {
                return Ok(());
            }
            let current = rest;
            let taken = self.server_reads_one(socket, current)?;
            self.drain_server()?;
            rest = &mut current[taken..];
        }
        let held = self.server.decoder.held_bytes();
        if held > 2 * MAX_PAYLOAD {
            return Err(format!("{held} bytes are held for a peer that may send {MAX_PAYLOAD}"));
        }
        Ok(())
    }

    /// Reads up to one message. Says how many bytes that took.
    fn server_reads_one(&mut self, socket: u32, data: &mut [u8]) -> Result<usize, String> {
        let now = self.net.instant();
        let whole = data.len();
        let Some(session) = &mut self.server.session else { return Ok(whole) };
        let (taken, event) = match self.server.decoder.decode(data, &mut CompressionPool::default())
        {
            Ok(decoded) => decoded,
            Err(error) => {
                self.server_socket_ends(socket, SocketEnd::Broken(error));
                return Ok(whole);
            }
        };
        if let Some((probe, _)) = self.server.probe.filter(|(_, probing)| *probing == socket) {
            match event {
                Some(Frame::Text(text)) => session.handle_probe_text(now, probe, &text),
                Some(Frame::Binary(_) | Frame::Close(_)) => session.handle_probe_gone(probe),
                Some(Frame::Ping(_) | Frame::Pong(_)) | None => {}
            }
            return Ok(taken);
        }
        let mut scratch = vec![];
        let message = match &event {
            Some(Frame::Text(text)) => session.handle_text(now, text, &mut scratch),
            Some(Frame::Binary(data)) => session.handle_binary(now, data),
            Some(Frame::Close(close)) => {
                let end = SocketEnd::Closed(close.as_ref().map(|close| close.code));
                session.handle_socket_end(end);
                return Ok(whole);
            }
            Some(Frame::Ping(_) | Frame::Pong(_)) => None,
            None => {
                session.handle_traffic(now);
                None
            }
        };
        if let Some(message) = message.map(|message| message.to_message()) {
            self.server_delivers(message)?;
        }
        Ok(taken)
    }

    pub(super) fn server_socket_ends(&mut self, socket: u32, end: SocketEnd) {
        if self.server.knock == Knock::Socket(socket) {
            self.server.knock = Knock::Answered;
        }
        let Some(session) = &mut self.server.session else { return };
        match self.server.probe {
            Some((probe, probing)) if probing == socket => session.handle_probe_gone(probe),
            _ if self.server.socket == Some(socket) => session.handle_socket_end(end),
            _ => {}
        }
        if let SocketEnd::Failed = end
            && let Some(wire) = self.sockets.get_mut(&socket)
        {
            wire.server_open = false;
        }
    }

    fn server_delivers(&mut self, message: Message) -> Checked {
        if self.server.closed.is_some() {
            return Err("the server delivers after the session's end".to_owned());
        }
        if message.as_text() == Some("stranger") {
            self.stranger.delivered += 1;
            return Ok(());
        }
        self.up.deliver(self.server.number, &message, self.net.now())?;
        self.handle(Side::Server)
    }
}

/// The longest that the body of a POST takes to arrive behind its head.
pub(super) const SLOWEST_POST: Duration = Duration::from_millis(5);
