//! What users, the network and strangers do.

use std::time::Duration;

use heartwire_proto::engineio::{Message, SocketEnd};
use heartwire_proto::shared::{Ending, SendQueue};

use super::client::WINDOW;
use super::plan::{Act, Deed, Handler, MAX_PAYLOAD, Side};
use super::wire::{Parcel, Request};
use super::world::{Checked, World};

impl World {
    pub(super) fn act(&mut self, act: Act) -> Checked {
        match act {
            Act::ClientSends { messages } => {
                for _ in 0..messages {
                    self.client_sends();
                }
                check_limits(&self.client.queue)?;
            }
            Act::ServerSends { messages } if self.server.session.is_some() => {
                for _ in 0..messages {
                    self.server_sends();
                }
                check_limits(&self.server.queue)?;
            }
            // Nobody is there yet.
            Act::ServerSends { .. } => {}
            Act::ClientCloses(ending) => self.close_client(ending)?,
            Act::ServerCloses(ending) => self.close_server(ending),
            Act::Drains => {
                let now = self.net.now();
                self.draining.get_or_insert(now);
                for side in self.former.iter_mut().chain([&mut self.server]) {
                    side.closing.get_or_insert(now);
                    side.queue.close(Ending::Flush);
                }
            }
            // Of a silent network nobody hears that it was reset.
            Act::Reset if self.net.is_silent() => {}
            Act::Reset => self.reset(),
            Act::LosesAnswer => {
                self.loses_answers_until = self.net.now() + Duration::from_millis(300)
            }
            Act::Silence => {
                // The news of a reset vanishes as well.
                let now = self.net.now();
                self.client.knows_by = self.client.knows_by.filter(|moment| *moment < now);
                self.server.knows_by = self.server.knows_by.filter(|moment| *moment < now);
                self.net.go_silent(Parcel::is_local);
            }
            Act::ClientStalls => self.client.stalls = self.client.socket,
            Act::RefusesSockets => self.sockets_work = false,
            Act::DeafensSockets => self.sockets_hear = false,
            Act::StrangerPolls => self.stranger_asks(Request::Get),
            Act::StrangerPosts => {
                self.stranger_asks(Request::Post("4stranger\u{1e}x\u{1e}4stranger".into()))
            }
            Act::StrangerTalks => self.stranger_asks(Request::Post("4stranger".into())),
            Act::StrangerInjects => self.stranger_injects()?,
        }
        Ok(())
    }

    fn client_sends(&mut self) {
        let message = self.message("up");
        if self.client.queue.push(message.clone()).is_ok() {
            let due = self.due(&self.client.queue, self.plan.client.max_post_packets);
            self.up.accept(message, due);
        }
    }

    fn server_sends(&mut self) {
        let message = self.message("down");
        if self.server.queue.push(message.clone()).is_ok() {
            let due = self.due(&self.server.queue, self.plan.server.max_poll_packets);
            self.server.down.accept(message, due);
        }
    }

    fn close_client(&mut self, ending: Ending) -> Checked {
        let act = Act::ClientCloses(ending);
        if self.flushed.is_none() && self.client.opened.is_some() {
            self.flushed = Some((act, self.up.accepted()));
        }
        self.closes.push(act);
        self.client.closing.get_or_insert(self.net.now());
        self.client.queue.close(ending);
        // Between two sessions there is nothing to flush to.
        if self.comes_back.take().is_some() { self.give_up() } else { Ok(()) }
    }

    fn close_server(&mut self, ending: Ending) {
        if self.server.session.is_none() {
            return;
        }
        let act = Act::ServerCloses(ending);
        if self.flushed.is_none() {
            self.flushed = Some((act, self.server.down.accepted()));
        }
        self.closes.push(act);
        self.server.closing.get_or_insert(self.net.now());
        self.server.queue.close(ending);
    }

    /// A handler of messages is called.
    pub(super) fn handle(&mut self, side: Side) -> Checked {
        self.handled[side as usize] += 1;
        let seen = self.handled[side as usize];
        let Some(Handler { deed, .. }) =
            self.plan.handler.filter(|handler| handler.side == side && handler.nth == seen)
        else {
            return Ok(());
        };
        self.note(&format!("the handler of the {side:?}: {deed:?}"));
        match (deed, side) {
            (Deed::Fails, _) => {}
            (Deed::Sends, Side::Client) => self.client_sends(),
            (Deed::Sends, Side::Server) => self.server_sends(),
            (Deed::Closes(ending), Side::Client) => self.close_client(ending)?,
            (Deed::Closes(ending), Side::Server) => self.close_server(ending),
        }
        Ok(())
    }

    /// When what was pushed last is delivered at the latest, where nothing goes wrong: as many round trips
    /// as bodies, or windows of a WebSocket, are before it, and those of an upgrade.
    fn due(&self, queue: &SendQueue<Message>, packets: usize) -> Duration {
        if !self.peaceful || !self.client.is_open() {
            return Duration::MAX;
        }
        // A body may be half empty, and base64 is a third longer.
        let bodies = queue.len() / packets + 3 * queue.bytes() / MAX_PAYLOAD;
        let trips = 4 + bodies + queue.bytes() / WINDOW;
        let trip = self.net.round_trip() + super::server::SLOWEST_POST;
        // A heartbeat may have a body of its own.
        let beats = trip.div_duration_f64(self.plan.server.ping_interval);
        let trips = trip.mul_f64(trips as f64 / (1.0 - beats));
        let upgrade = 3 * self.net.round_trip() + Duration::from_millis(200);
        self.net.now() + trips + upgrade
    }

    fn stranger_asks(&mut self, request: Request) {
        // It knows the session's id, so there is a session.
        if self.client.opened.is_some() {
            let id = self.new_request(matches!(request, Request::Post(_)));
            if let Some(pending) = self.requests.get_mut(&id) {
                pending.awaited = false;
            }
            self.stranger.requests.push(id);
            self.net.send(Parcel::Request(id, request));
        }
    }

    fn stranger_injects(&mut self) -> Checked {
        let Some(socket) = self.server.socket else { return Ok(()) };
        if self.server.decoder.is_mid_message() {
            return Ok(());
        }
        // A reserved opcode.
        let data = vec![0x83, 0x80, 0, 0, 0, 0];
        self.server_reads(socket, data)?;
        self.drain_server()?;
        let closed = self.server.closed.is_some();
        let open = self.sockets.get(&socket).is_some_and(|wire| wire.server_open);
        if open && !closed {
            return Err("a frame that cannot be read leaves the session open".into());
        }
        Ok(())
    }

    fn reset(&mut self) {
        let soon = self.net.now() + self.net.round_trip() + Duration::from_millis(200);
        let stays = self.client.queue.ending() == Ending::Open;
        let hears = self.client.get.is_some() || self.client.socket.is_some();
        if self.client.is_open() && stays && hears {
            // After a POST has failed, it hears what a GET on a new connection may bring.
            self.client.knows_by = Some(soon + Duration::from_secs(1));
        }
        let heard = self.server.poll.is_some() || self.server.socket.is_some();
        if heard && self.server.is_open() {
            self.server.knows_by = Some(soon);
        }
        self.net.forget(|parcel| !parcel.is_local());
        let requests: Vec<_> = self.requests.keys().copied().collect();
        for id in requests {
            if let Some(pending) = self.requests.get_mut(&id) {
                pending.is_reset = true;
            }
            self.net.send(Parcel::RequestFailed(id));
            self.net.send(Parcel::RequestGone(id));
        }
        for (&socket, wire) in &mut self.sockets {
            wire.is_reset = true;
            for to_server in [true, false] {
                self.net.send(Parcel::End { socket, to_server, end: SocketEnd::Failed });
            }
        }
    }

    fn message(&mut self, name: &str) -> Message {
        self.count += 1;
        let mut content = format!("{name} {} ", self.count);
        let length = match self.net.rng.u8(..10) {
            0 if self.net.rng.u8(..8) == 0 => self.net.rng.usize(..20_000),
            1 => self.net.rng.usize(..2000),
            _ => self.net.rng.usize(..40),
        };
        content.extend(std::iter::repeat_n('ü', length / 2));
        if self.net.rng.u8(..3) == 0 {
            Message::from(content.into_bytes())
        } else {
            Message::from(content)
        }
    }
}

fn check_limits(queue: &SendQueue<Message>) -> Checked {
    let limits = queue.limits();
    if queue.len() > limits.messages || (queue.bytes() > limits.bytes && queue.len() > 1) {
        return Err(format!(
            "{} messages and {} bytes wait, of {limits:?}",
            queue.len(),
            queue.bytes()
        ));
    }
    Ok(())
}
