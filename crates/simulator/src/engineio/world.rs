//! Two sides, the network between them, and what they do over time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::client::ClientSession;
use heartwire_proto::engineio::server::{self, ExchangeId, ServerSession};
use heartwire_proto::engineio::{DisconnectReason, Message, SessionId, SocketEnd};
use heartwire_proto::shared::{Ending, SendQueue};
use heartwire_proto::websocket::Decoder;

use super::plan::{Act, Plan};
use super::wire::{Parcel, Request, RequestId};
use crate::ledger::Ledger;
use crate::mutant::Mutant;
use crate::network::{Lane, Network};
use crate::report::Report;

/// Two sides, and the network between them.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) mutant: Option<Mutant>,
    /// Whether the trace is kept.
    pub(super) traced: bool,
    pub(super) net: Network<Parcel>,
    pub(super) report: Report,
    pub(super) client: ClientSide,
    pub(super) server: ServerSide,
    pub(super) requests: BTreeMap<RequestId, Pending>,
    pub(super) sockets: BTreeMap<u32, Wire>,
    pub(super) up: Ledger<Message>,
    pub(super) down: Ledger<Message>,
    pub(super) stranger: Stranger,
    pub(super) sockets_work: bool,
    pub(super) sockets_hear: bool,
    /// Until when an answer to a GET is lost.
    pub(super) loses_answers_until: Duration,
    /// Moments by which a side has to know that the session is over.
    pub(super) client_knows_by: Option<Duration>,
    pub(super) server_knows_by: Option<Duration>,
    /// What the first to close had accepted when it did, if it was open.
    pub(super) flushed: Option<(Act, usize)>,
    last_request: RequestId,
    /// Messages by number: each is another.
    count: usize,
}

pub(super) struct ClientSide {
    pub(super) session: ClientSession<Message>,
    pub(super) queue: SendQueue<Message>,
    pub(super) decoder: Decoder,
    pub(super) socket: Option<u32>,
    pub(super) get: Option<RequestId>,
    pub(super) opened: Option<Duration>,
    pub(super) upgraded: Option<Duration>,
    pub(super) upgrade_failed: bool,
    pub(super) closed: Option<(Duration, DisconnectReason)>,
}

pub(super) struct ServerSide {
    pub(super) config: Arc<server::Config>,
    pub(super) session: Option<ServerSession<Message>>,
    pub(super) queue: SendQueue<Message>,
    pub(super) decoder: Decoder,
    pub(super) socket: Option<u32>,
    pub(super) probe: Option<(ExchangeId, u32)>,
    pub(super) poll: Option<(ExchangeId, RequestId)>,
    pub(super) post: Option<RequestId>,
    pub(super) closed: Option<(Duration, DisconnectReason)>,
    /// A mistake: messages that others overtake.
    pub(super) held_back: Vec<Message>,
    pub(super) is_deaf: bool,
}

/// Somebody else who speaks in the session's name.
#[derive(Default)]
pub(super) struct Stranger {
    pub(super) requests: Vec<RequestId>,
    /// POSTs that were answered with success, and messages that were delivered.
    pub(super) accepted: usize,
    pub(super) delivered: usize,
}

/// A request that is under way.
pub(super) struct Pending {
    pub(super) is_post: bool,
    /// The client waits for the answer.
    pub(super) awaited: bool,
    /// Its connection was reset: no answer reaches the client.
    pub(super) is_reset: bool,
}

/// A WebSocket: its two directions, and which ends are open.
pub(super) struct Wire {
    pub(super) up: Lane,
    pub(super) down: Lane,
    pub(super) bytes_up: usize,
    pub(super) bytes_down: usize,
    pub(super) client_open: bool,
    pub(super) server_open: bool,
    /// Nothing passes any more.
    pub(super) is_reset: bool,
}

/// What a run says when something is wrong.
pub(super) type Checked = Result<(), String>;

impl World {
    pub(super) fn new(plan: Plan, mutant: Option<Mutant>, traced: bool) -> Self {
        let mut net = Network::new(plan.chance.clone(), plan.latency);
        for (moment, act) in &plan.acts {
            net.at(*moment, Parcel::Act(*act));
        }
        let client = ClientSide {
            session: ClientSession::open(plan.client.clone()),
            queue: SendQueue::new(plan.limits),
            decoder: super::client::decoder(),
            socket: None,
            get: None,
            opened: None,
            upgraded: None,
            upgrade_failed: false,
            closed: None,
        };
        let server = ServerSide {
            config: Arc::new(plan.server.clone()),
            session: None,
            queue: SendQueue::new(plan.limits),
            decoder: super::server::decoder(),
            socket: None,
            probe: None,
            poll: None,
            post: None,
            closed: None,
            held_back: vec![],
            is_deaf: false,
        };
        Self {
            plan,
            mutant,
            traced,
            net,
            report: Report::default(),
            client,
            server,
            requests: BTreeMap::new(),
            sockets: BTreeMap::new(),
            up: Ledger::new("client to server"),
            down: Ledger::new("server to client"),
            stranger: Stranger::default(),
            sockets_work: true,
            sockets_hear: true,
            loses_answers_until: Duration::ZERO,
            client_knows_by: None,
            server_knows_by: None,
            flushed: None,
            last_request: 0,
            count: 0,
        }
    }

    /// Lets everything happen that the plan says, and what follows from it.
    pub(super) fn run(mut self) -> Report {
        if self.traced {
            self.report.trace.push(format!("{:?}", self.plan));
        }
        if let Err(violation) = self.live().and_then(|()| self.check_end()) {
            self.note(&format!("VIOLATION: {violation}"));
            self.report.violation = Some(violation);
        }
        self.report.delivered = self.up.delivered() + self.down.delivered();
        self.report
    }

    fn live(&mut self) -> Checked {
        self.drain()?;
        let mut still = 0;
        while let Some(next) = self.next_moment().filter(|next| *next <= self.plan.end) {
            still = if next > self.net.now() { 0 } else { still + 1 };
            if still > 10_000 {
                return Err("the sessions spin: time stands still".to_owned());
            }
            self.net.advance(next);
            while let Some(parcel) = self.net.arrived() {
                if self.traced {
                    self.note(&parcel.describe());
                }
                self.deliver(parcel)?;
                self.drain()?;
            }
            self.tick();
            self.drain()?;
        }
        self.net.advance(self.plan.end);
        Ok(())
    }

    fn next_moment(&mut self) -> Option<Duration> {
        let server = self.server.session.as_ref().and_then(ServerSession::next_deadline);
        let deadlines =
            [server.filter(|_| !self.is_forgetful()), self.client.session.next_deadline()];
        let arrival = self.net.next_arrival();
        let moments = deadlines.into_iter().flatten().map(|at| self.net.time_of(at));
        moments.chain(arrival).min()
    }

    fn tick(&mut self) {
        let now = self.net.instant();
        self.client.session.handle_time(now, true);
        let forgetful = self.is_forgetful();
        if let Some(session) = &mut self.server.session
            && !forgetful
        {
            let jumps = self.mutant == Some(Mutant::ReadsWallClock) && self.net.rng.u8(..40) == 0;
            let hour = Duration::from_secs(if jumps { 3600 } else { 0 });
            session.handle_time(now + hour, true);
        }
    }

    fn is_forgetful(&self) -> bool {
        self.mutant == Some(Mutant::ForgetsHeartbeat)
            && self.plan.client.upgrade
            && self.server.socket.is_some()
    }

    fn drain(&mut self) -> Checked {
        self.drain_client()?;
        self.drain_server()
    }

    fn deliver(&mut self, parcel: Parcel) -> Checked {
        match parcel {
            Parcel::Act(act) => self.act(act),
            Parcel::Request(id, request) => self.receive_request(id, request),
            Parcel::RestOfPost(id, body) => self.receive_post(id, &body),
            Parcel::RequestGone(id) => {
                self.request_gone(id);
                Ok(())
            }
            Parcel::Answer(id, answer) => self.receive_answer(id, answer),
            Parcel::RequestFailed(id) | Parcel::RequestLate(id) => {
                self.request_failed(id, false);
                Ok(())
            }
            Parcel::OpenSocket(socket) => {
                self.receive_socket(socket);
                Ok(())
            }
            Parcel::SocketOpened(socket, opened) => {
                self.socket_opened(socket, opened);
                Ok(())
            }
            Parcel::Bytes { socket, to_server: true, data } => self.server_reads(socket, data),
            Parcel::Bytes { socket, to_server: false, data } => self.client_reads(socket, data),
            Parcel::End { socket, to_server: true, end } => {
                self.server_socket_ends(socket, end);
                Ok(())
            }
            Parcel::End { socket, to_server: false, end } => {
                self.client_socket_ends(socket, end);
                Ok(())
            }
        }
    }

    fn act(&mut self, act: Act) -> Checked {
        match act {
            Act::ClientSends { messages } => {
                for _ in 0..messages {
                    let message = self.message("up");
                    if self.client.queue.push(message.clone()).is_ok() {
                        self.up.accept(message);
                    }
                }
                check_limits(&self.client.queue)?;
            }
            Act::ServerSends { messages } if self.server.session.is_some() => {
                for _ in 0..messages {
                    let message = self.message("down");
                    if self.server.queue.push(message.clone()).is_ok() {
                        self.down.accept(message);
                    }
                }
                check_limits(&self.server.queue)?;
            }
            // Nobody is there yet.
            Act::ServerSends { .. } => {}
            Act::ClientCloses(ending) => {
                if self.flushed.is_none() && self.client.opened.is_some() {
                    self.flushed = Some((act, self.up.accepted()));
                }
                self.client.queue.close(ending);
            }
            Act::ServerCloses(ending) => {
                if self.server.session.is_some() {
                    if self.flushed.is_none() {
                        self.flushed = Some((act, self.down.accepted()));
                    }
                    self.server.queue.close(ending);
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
                self.client_knows_by = self.client_knows_by.filter(|moment| *moment < now);
                self.server_knows_by = self.server_knows_by.filter(|moment| *moment < now);
                self.net.go_silent(Parcel::is_local);
            }
            Act::RefusesSockets => self.sockets_work = false,
            Act::DeafensSockets => self.sockets_hear = false,
            Act::StrangerPolls => self.stranger_asks(Request::Get),
            Act::StrangerPosts => {
                self.stranger_asks(Request::Post("4stranger\u{1e}x\u{1e}4stranger".into()))
            }
            Act::StrangerTalks => self.stranger_asks(Request::Post("4stranger".into())),
            Act::StrangerInjects => {
                if let Some(socket) = self.server.socket
                    && !self.server.decoder.is_mid_message()
                {
                    // A reserved opcode.
                    let data = vec![0x83, 0x80, 0, 0, 0, 0];
                    self.server_reads(socket, data)?;
                    self.drain()?;
                    let closed = self.server.closed.is_some();
                    let open = self.sockets.get(&socket).is_some_and(|wire| wire.server_open);
                    if open && !closed {
                        return Err("a frame that cannot be read leaves the session open".into());
                    }
                }
            }
        }
        Ok(())
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

    fn reset(&mut self) {
        let soon = self.net.now() + self.net.round_trip() + Duration::from_millis(200);
        let client_is_open = self.client.opened.is_some() && self.client.closed.is_none();
        let stays = self.client.queue.ending() == Ending::Open;
        if client_is_open && stays && (self.client.get.is_some() || self.client.socket.is_some()) {
            self.client_knows_by = Some(soon);
        }
        let heard = self.server.poll.is_some() || self.server.socket.is_some();
        if heard && self.server.session.is_some() && self.server.closed.is_none() {
            self.server_knows_by = Some(soon);
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

    pub(super) fn new_request(&mut self, is_post: bool) -> RequestId {
        self.last_request += 1;
        let id = self.last_request;
        self.requests.insert(id, Pending { is_post, awaited: true, is_reset: false });
        id
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

    pub(super) fn note(&mut self, what: &str) {
        if !self.traced {
            return;
        }
        let millis = self.net.now().as_secs_f64() * 1000.0;
        self.report.trace.push(format!("{millis:>10.3} {what}"));
    }

    pub(super) fn sid() -> SessionId {
        SessionId::from_random([7; 16])
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

/// Whether a queue was closed in a way that sends what waits.
pub(super) fn flushes(act: Act) -> bool {
    matches!(act, Act::ClientCloses(Ending::Flush) | Act::ServerCloses(Ending::Flush))
}
