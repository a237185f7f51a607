//! The client's driver: what the real one does with requests and a WebSocket.

use std::time::Duration;

use heartwire_proto::engineio::client::{Event, Output};
use heartwire_proto::engineio::{Message, Refusal, SocketEnd, payload};
use heartwire_proto::websocket::{CompressionPool, Decoder, Event as Frame, Role};

use super::plan::Side;
use super::wire::{Parcel, Request, RequestId, close_frame, message_frame, packet_frame};
use super::world::{Checked, Wire, World};
use crate::network::Lane;

pub(super) fn decoder() -> Decoder {
    Decoder::new(Role::Client, MAX_MESSAGE, None)
}

impl World {
    pub(super) fn drain_client(&mut self) -> Checked {
        loop {
            let now = self.net.instant();
            let urgent = self.client.session.has_orders() || self.client.queue.is_discarded();
            if self.client_is_blocked() && !urgent {
                return Ok(());
            }
            let Some(output) = self.client.session.poll_output(now, &mut self.client.queue) else {
                return Ok(());
            };
            if self.client.closed.is_some() {
                return Err(format!("the client goes on after its end: {output:?}"));
            }
            self.carry_out_client(output)?;
        }
    }

    pub(super) fn client_is_blocked(&self) -> bool {
        let wire = self.client.socket.and_then(|socket| self.sockets.get(&socket));
        wire.is_some_and(|wire| wire.client_open && wire.bytes_up > WINDOW)
    }

    fn carry_out_client(&mut self, output: Output<Message>) -> Checked {
        match output {
            Output::Get if self.client.get_failed => {
                return Err("a GET that has failed is sent again".to_owned());
            }
            Output::Get if self.client.get.is_some() => {
                return Err("the client sends a GET beside another".to_owned());
            }
            Output::Get => self.client_gets(),
            Output::Post { body, messages } => {
                if self.client.upgraded.is_some() {
                    return Err("the client posts after the upgrade".to_owned());
                }
                for message in &messages {
                    self.up.hand_over(message)?;
                }
                let body = String::from_utf8(body).map_err(|error| error.to_string())?;
                let id = self.new_request(true);
                self.net.send(Parcel::Request(id, Request::Post(body)));
                self.net.at(self.net.now() + REQUEST_TIMEOUT, Parcel::RequestLate(id));
            }
            Output::AbortRequests => {
                if let Some(id) = self.client.get.take()
                    && let Some(pending) = self.requests.get_mut(&id)
                {
                    pending.awaited = false;
                    self.net.send(Parcel::RequestGone(id));
                }
            }
            Output::OpenSocket => {
                let socket = self.sockets.len() as u32 + 1;
                if self.client.opened.is_none() {
                    let late = self.net.now() + REQUEST_TIMEOUT;
                    self.net.at(late, Parcel::SocketLate(socket));
                }
                let wire = Wire {
                    session: self.client.number,
                    up: Lane::default(),
                    down: Lane::default(),
                    bytes_up: 0,
                    bytes_down: 0,
                    up_taken_at: Duration::ZERO,
                    down_taken_at: Duration::ZERO,
                    client_open: true,
                    server_open: false,
                    is_reset: false,
                };
                self.sockets.insert(socket, wire);
                self.client.socket = Some(socket);
                self.client.decoder = decoder();
                self.net.send(Parcel::OpenSocket(socket));
            }
            Output::SendPacket(packet) => {
                let mut bytes = vec![];
                let mask = self.net.rng.u32(..).to_be_bytes();
                packet_frame(&packet, Some(mask), &mut bytes);
                self.client_writes(&bytes);
            }
            Output::SendMessage(message) => {
                self.up.hand_over(&message)?;
                let mut bytes = vec![];
                let mask = self.net.rng.u32(..).to_be_bytes();
                message_frame(&message, Some(mask), &mut bytes);
                self.client_writes(&bytes);
            }
            Output::TooLarge { length, max, .. } => {
                return Err(format!("a message of {length} bytes is too large for {max}"));
            }
            Output::CloseSocket(code) => {
                let mut bytes = vec![];
                close_frame(code, Some([0; 4]), &mut bytes);
                self.client_writes(&bytes);
                self.close_client_socket();
            }
            Output::Event(event) => self.client_hears(event)?,
        }
        Ok(())
    }

    fn client_hears(&mut self, event: Event) -> Checked {
        let now = self.net.now();
        self.note(&format!("client: {event:?}"));
        match event {
            Event::Opened(_) if self.client.opened.is_some() => {
                return Err("the client is connected twice".to_owned());
            }
            Event::Opened(_) => {
                self.client.opened = Some(now);
                self.was_open = true;
            }
            Event::Upgraded => self.client.upgraded = Some(now),
            Event::UpgradeFailed => self.client.upgrade_failed = true,
            Event::Closed(reason) => self.client_ends(reason)?,
        }
        Ok(())
    }

    fn client_gets(&mut self) {
        let id = self.new_request(false);
        let request = if self.client.opened.is_some() { Request::Get } else { Request::Open };
        if let Request::Open = request {
            self.net.at(self.net.now() + REQUEST_TIMEOUT, Parcel::RequestLate(id));
        }
        self.client.get = Some(id);
        self.net.send(Parcel::Request(id, request));
    }

    fn client_writes(&mut self, bytes: &[u8]) {
        let Some(socket) = self.client.socket else { return };
        let pieces = self.net.cut(bytes);
        let Some(wire) = self.sockets.get_mut(&socket) else { return };
        if !wire.client_open {
            return;
        }
        if wire.bytes_up == 0 {
            wire.up_taken_at = self.net.now();
        }
        for data in pieces {
            wire.bytes_up += data.len();
            if self.sockets_hear && !wire.is_reset {
                let parcel = Parcel::Bytes { socket, to_server: true, data };
                self.net.send_on(&mut wire.up, parcel);
            }
        }
    }

    fn close_client_socket(&mut self) {
        let Some(socket) = self.client.socket.take() else { return };
        if let Some(wire) = self.sockets.get_mut(&socket)
            && wire.client_open
        {
            wire.client_open = false;
            let end = SocketEnd::Closed(None);
            self.net.send_on(&mut wire.up, Parcel::End { socket, to_server: true, end });
        }
    }

    pub(super) fn receive_answer(
        &mut self,
        id: RequestId,
        answer: Result<String, Refusal>,
    ) -> Checked {
        if self.stranger.requests.contains(&id) {
            let is_post = self.requests.remove(&id).is_some_and(|pending| pending.is_post);
            self.stranger.accepted += usize::from(is_post && answer.is_ok());
            return Ok(());
        }
        if !self.requests.get(&id).is_some_and(|pending| pending.awaited) {
            self.requests.remove(&id);
            return Ok(());
        }
        let now = self.net.instant();
        match answer {
            Err(_) => self.request_failed(id, true),
            Ok(_) if self.requests.remove(&id).is_some_and(|pending| pending.is_post) => {
                self.client.session.handle_posted(now);
            }
            Ok(body) => {
                self.client.get = None;
                let mut packets = payload::Decoder::new(&body);
                while let Some(packet) = packets.next_packet() {
                    let message = self.client.session.handle_packet(now, packet);
                    if let Some(message) = message.map(|message| message.to_message()) {
                        self.client_delivers(&message)?;
                    }
                    // A client that has just opened tells of it first.
                    if self.client.opened.is_none() {
                        self.drain_client()?;
                    }
                }
                self.client.session.handle_get_end(now);
            }
        }
        Ok(())
    }

    pub(super) fn request_failed(&mut self, id: RequestId, refused: bool) {
        let pending = self.requests.get_mut(&id);
        if !pending.is_some_and(|pending| std::mem::take(&mut pending.awaited)) {
            return;
        }
        if self.client.get == Some(id) {
            self.client.get = None;
            self.client.get_failed = true;
            self.client.session.handle_get_failed();
        } else {
            self.client.session.handle_post_failed(self.net.instant(), refused);
        }
    }

    pub(super) fn socket_opened(&mut self, socket: u32, opened: bool) {
        if self.client.socket != Some(socket) {
            return;
        }
        if opened {
            self.client.session.handle_socket_open();
        } else {
            self.client.socket = None;
            self.client.session.handle_socket_end(SocketEnd::Failed);
        }
    }

    pub(super) fn client_reads(&mut self, socket: u32, mut data: Vec<u8>) -> Checked {
        let Some(wire) = self.sockets.get_mut(&socket) else { return Ok(()) };
        if self.client.stalls == Some(socket) {
            return Ok(());
        }
        wire.bytes_down = wire.bytes_down.saturating_sub(data.len());
        wire.down_taken_at = self.net.now();
        if !wire.client_open || self.client.socket != Some(socket) {
            return Ok(());
        }
        let now = self.net.instant();
        let mut rest = data.as_mut_slice();
        while !rest.is_empty() && self.client.socket == Some(socket) {
            let current = rest;
            let mut received = None;
            let taken = match self.client.decoder.decode(current, &mut CompressionPool::default()) {
                Ok((taken, event)) => {
                    let mut scratch = vec![];
                    match event {
                        Some(Frame::Text(text)) => {
                            let message = self.client.session.handle_text(now, &text, &mut scratch);
                            received = message.map(|message| message.to_message());
                        }
                        Some(Frame::Binary(data)) => {
                            let message = self.client.session.handle_binary(now, &data);
                            received = message.map(|message| message.to_message());
                        }
                        Some(Frame::Close(close)) => {
                            let end = SocketEnd::Closed(close.map(|close| close.code));
                            self.client.session.handle_socket_end(end);
                            return Ok(());
                        }
                        Some(Frame::Ping(_) | Frame::Pong(_)) => {}
                        None => self.client.session.handle_traffic(now),
                    }
                    taken
                }
                Err(error) => return Err(format!("the server's frames cannot be read: {error}")),
            };
            if let Some(message) = received {
                self.client_delivers(&message)?;
            }
            self.drain_client()?;
            rest = &mut current[taken..];
        }
        let held = self.client.decoder.held_bytes();
        if held > 2 * MAX_MESSAGE {
            return Err(format!("{held} bytes are held for a server that may send {MAX_MESSAGE}"));
        }
        Ok(())
    }

    fn client_delivers(&mut self, message: &Message) -> Checked {
        if self.client.closed.is_some() {
            return Err("the client delivers after its end".to_owned());
        }
        self.server.down.deliver(0, message, self.net.now())?;
        self.handle(Side::Client)
    }

    pub(super) fn client_socket_ends(&mut self, socket: u32, end: SocketEnd) {
        if self.client.socket == Some(socket) {
            if let Some(wire) = self.sockets.get_mut(&socket) {
                wire.client_open = false;
            }
            self.client.socket = None;
            self.client.session.handle_socket_end(end);
        }
    }
}

/// Bytes that a WebSocket takes before somebody has read them.
pub(super) const WINDOW: usize = 16 * 1024;

/// Bytes of a message that the client takes.
const MAX_MESSAGE: usize = 100_000;

/// For how long the client waits for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
