//! Two sides, the network between them, and what they do over time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::client::ClientSession;
use heartwire_proto::engineio::server::{self, ExchangeId, ServerSession};
use heartwire_proto::engineio::{
    DisconnectReason, Message, Request, Route, SessionId, SocketEnd, Transport,
};
use heartwire_proto::shared::{Ending, SendQueue};
use heartwire_proto::websocket::Decoder;

use super::intruder::Intruder;
use super::plan::{Act, Plan};
use super::wire::{Parcel, RequestId};
use crate::ledger::Ledger;
use crate::network::{Lane, Network};
use crate::report::Report;

/// Two sides, and the network between them.
pub(super) struct World {
    pub(super) plan: Plan,
    /// Whether nothing goes wrong.
    pub(super) peaceful: bool,
    /// Whether the trace is kept.
    pub(super) traced: bool,
    pub(super) net: Network<Parcel>,
    pub(super) report: Report,
    pub(super) client: ClientSide,
    /// The server's side of the client's session.
    pub(super) server: ServerSide,
    /// The server's sides of sessions that the client has left behind.
    pub(super) former: Vec<ServerSide>,
    pub(super) requests: BTreeMap<RequestId, Pending>,
    pub(super) sockets: BTreeMap<u32, Wire>,
    pub(super) up: Ledger<Message>,
    pub(super) stranger: Stranger,
    /// Somebody who has sessions of his own.
    pub(super) intruder: Option<Intruder>,
    pub(super) sockets_work: bool,
    pub(super) sockets_hear: bool,
    /// Until when an answer to a GET is lost.
    pub(super) loses_answers_until: Duration,
    /// What the first to close had accepted when it did, if it was open.
    pub(super) flushed: Option<(Act, usize)>,
    /// What users have closed, and how.
    pub(super) closes: Vec<Act>,
    /// Since when the server lets nobody in.
    pub(super) draining: Option<Duration>,
    /// When the client tries to come back, and how often it has tried.
    pub(super) comes_back: Option<Duration>,
    pub(super) attempt: u32,
    pub(super) was_open: bool,
    /// Messages that handlers have seen: the client's, the server's.
    pub(super) handled: [usize; 2],
    /// How often a timer alone was the reason to wake up.
    wakes: u64,
    last_request: RequestId,
    /// Messages by number: each is another.
    pub(super) count: usize,
}

pub(super) struct ClientSide {
    /// Which of its sessions this is.
    pub(super) number: usize,
    pub(super) session: ClientSession<Message>,
    pub(super) queue: SendQueue<Message>,
    pub(super) decoder: Decoder,
    pub(super) socket: Option<u32>,
    pub(super) get: Option<RequestId>,
    pub(super) opened: Option<Duration>,
    pub(super) upgraded: Option<Duration>,
    pub(super) upgrade_failed: bool,
    /// The WebSocket that it reads nothing from.
    pub(super) stalls: Option<u32>,
    /// Whether a GET has failed.
    pub(super) get_failed: bool,
    /// When the user has closed it.
    pub(super) closing: Option<Duration>,
    /// By when it has to know that the session is over.
    pub(super) knows_by: Option<Duration>,
    pub(super) closed: Option<(Duration, DisconnectReason)>,
}

pub(super) struct ServerSide {
    /// Which of the client's sessions this is.
    pub(super) number: usize,
    pub(super) config: Arc<server::Config>,
    pub(super) knock: Knock,
    pub(super) session: Option<ServerSession<Message>>,
    pub(super) queue: SendQueue<Message>,
    pub(super) decoder: Decoder,
    pub(super) socket: Option<u32>,
    pub(super) probe: Option<(ExchangeId, u32)>,
    pub(super) poll: Option<(ExchangeId, RequestId)>,
    pub(super) post: Option<RequestId>,
    pub(super) down: Ledger<Message>,
    pub(super) closing: Option<Duration>,
    pub(super) knows_by: Option<Duration>,
    pub(super) closed: Option<(Duration, DisconnectReason)>,
}

/// How far a client has come that wants in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Knock {
    /// Nobody has come.
    Silent,
    /// The application has yet to decide.
    Request(RequestId),
    Socket(u32),
    /// It has decided, or the client has left before.
    Answered,
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
    /// The session that it belongs to, or opens.
    pub(super) session: usize,
    pub(super) is_post: bool,
    /// The client waits for the answer.
    pub(super) awaited: bool,
    /// Its connection was reset: no answer reaches the client.
    pub(super) is_reset: bool,
}

/// A WebSocket: its two directions, and which ends are open.
pub(super) struct Wire {
    /// The session that it belongs to, or opens.
    pub(super) session: usize,
    pub(super) up: Lane,
    pub(super) down: Lane,
    pub(super) bytes_up: usize,
    pub(super) bytes_down: usize,
    /// When the server has last taken some, or the first were sent.
    pub(super) up_taken_at: Duration,
    /// When the client has.
    pub(super) down_taken_at: Duration,
    pub(super) client_open: bool,
    pub(super) server_open: bool,
    /// Nothing passes any more.
    pub(super) is_reset: bool,
}

/// What a run says when something is wrong.
pub(super) type Checked = Result<(), String>;

impl ClientSide {
    pub(super) fn new(number: usize, plan: &Plan, queue: SendQueue<Message>) -> Self {
        Self {
            number,
            session: ClientSession::open(plan.client.clone()),
            queue,
            decoder: super::client::decoder(),
            socket: None,
            get: None,
            opened: None,
            upgraded: None,
            upgrade_failed: false,
            stalls: None,
            get_failed: false,
            closing: None,
            knows_by: None,
            closed: None,
        }
    }

    /// Whether it reads nothing from its session's WebSocket.
    pub(super) fn is_stalled(&self) -> bool {
        let stalls = self.socket.is_some() && self.stalls == self.socket;
        stalls && self.session.transport() == Some(Transport::WebSocket)
    }

    pub(super) fn is_open(&self) -> bool {
        self.opened.is_some() && self.closed.is_none()
    }
}

impl ServerSide {
    pub(super) fn new(number: usize, plan: &Plan) -> Self {
        Self {
            number,
            config: Arc::new(plan.server.clone()),
            knock: Knock::Silent,
            session: None,
            queue: SendQueue::new(plan.limits),
            decoder: super::server::decoder(),
            socket: None,
            probe: None,
            poll: None,
            post: None,
            down: Ledger::new("server to client"),
            closing: None,
            knows_by: None,
            closed: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.session.is_some() && self.closed.is_none()
    }
}

impl World {
    pub(super) fn new(plan: Plan, intruder: Option<Intruder>, traced: bool) -> Self {
        let mut net = Network::new(plan.chance.clone(), plan.latency);
        for (moment, act) in &plan.acts {
            net.at(*moment, Parcel::Act(*act));
        }
        Self {
            peaceful: plan.is_peaceful(),
            traced,
            net,
            report: Report::default(),
            client: ClientSide::new(0, &plan, SendQueue::new(plan.limits)),
            server: ServerSide::new(0, &plan),
            former: vec![],
            plan,
            requests: BTreeMap::new(),
            sockets: BTreeMap::new(),
            up: Ledger::new("client to server"),
            stranger: Stranger::default(),
            intruder,
            sockets_work: true,
            sockets_hear: true,
            loses_answers_until: Duration::ZERO,
            flushed: None,
            closes: vec![],
            draining: None,
            comes_back: None,
            attempt: 0,
            was_open: false,
            handled: [0; 2],
            wakes: 0,
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
        let sides = self.former.iter().chain([&self.server]);
        self.report.delivered =
            self.up.delivered() + sides.map(|side| side.down.delivered()).sum::<usize>();
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
            self.wakes += 1;
            while let Some(parcel) = self.net.arrived() {
                self.wakes = self.wakes.saturating_sub(1);
                if self.traced {
                    self.note(&parcel.describe());
                }
                self.deliver(parcel)?;
                self.drain()?;
            }
            self.tick();
            self.drain()?;
            self.intrude()?;
        }
        self.net.advance(self.plan.end);
        Ok(())
    }

    fn next_moment(&mut self) -> Option<Duration> {
        let arrival = self.net.next_arrival();
        let intruder = self.intruder.as_mut().and_then(Intruder::next_moment);
        let servers = self.former.iter().chain([&self.server]);
        let servers = servers.filter_map(|side| side.session.as_ref()?.next_deadline());
        let deadlines = servers.chain(self.client.session.next_deadline());
        let moments = deadlines.map(|at| self.net.time_of(at));
        let stalls = self.client_stalled_at().into_iter().chain(self.server_stalled_at());
        moments.chain(arrival).chain(intruder).chain(stalls).min()
    }

    fn tick(&mut self) {
        let now = self.net.instant();
        let listens = !self.client.is_stalled();
        self.client.session.handle_time(now, listens);
        if self.client_stalled_at().is_some_and(|moment| moment <= self.net.now()) {
            self.client.session.handle_socket_end(SocketEnd::Stalled);
        }
        if self.server_stalled_at().is_some_and(|moment| moment <= self.net.now())
            && let Some(session) = &mut self.server.session
        {
            session.handle_socket_end(SocketEnd::Stalled);
        }
        for side in self.former.iter_mut().chain([&mut self.server]) {
            if let Some(session) = &mut side.session {
                session.handle_time(now, true);
            }
        }
    }

    /// When the client gives up a server that takes nothing of what waits.
    fn client_stalled_at(&self) -> Option<Duration> {
        let wire = self.sockets.get(&self.client.socket.filter(|_| self.client.is_open())?)?;
        self.client_is_blocked().then(|| wire.up_taken_at + STALL)
    }

    /// When the server gives up a client that takes nothing.
    fn server_stalled_at(&self) -> Option<Duration> {
        let wire = self.sockets.get(&self.server.socket.filter(|_| self.server.is_open())?)?;
        (wire.bytes_down > 0).then(|| wire.down_taken_at + STALL)
    }

    fn intrude(&mut self) -> Checked {
        let Some(mut intruder) = self.intruder.take() else { return Ok(()) };
        let sids = (0..=self.server.number).map(|number| (sid(number), number)).collect();
        let result = intruder.act(self.net.now(), &sids, |what| self.note(what));
        self.intruder = Some(intruder);
        result
    }

    fn drain(&mut self) -> Checked {
        self.drain_client()?;
        self.drain_server()?;
        for number in 0..self.former.len() {
            self.with_former(number, Self::drain_server)?;
        }
        self.check_step()
    }

    /// Lets a session that the client has left behind be the server's for a moment.
    fn with_former<R>(&mut self, place: usize, what: impl FnOnce(&mut Self) -> R) -> R {
        std::mem::swap(&mut self.server, &mut self.former[place]);
        let result = what(self);
        std::mem::swap(&mut self.server, &mut self.former[place]);
        result
    }

    fn deliver(&mut self, parcel: Parcel) -> Checked {
        let session = match &parcel {
            Parcel::Request(id, _) | Parcel::RestOfPost(id, _) | Parcel::RequestGone(id) => {
                self.requests.get(id).map(|pending| pending.session)
            }
            Parcel::OpenSocket(socket)
            | Parcel::Bytes { socket, to_server: true, .. }
            | Parcel::End { socket, to_server: true, .. } => {
                self.sockets.get(socket).map(|wire| wire.session)
            }
            Parcel::Decision(number) => Some(*number),
            _ => None,
        };
        let place = self.former.iter().position(|side| Some(side.number) == session);
        match place {
            Some(place) => self.with_former(place, |world| world.deliver_here(parcel)),
            None => self.deliver_here(parcel),
        }
    }

    fn deliver_here(&mut self, parcel: Parcel) -> Checked {
        match parcel {
            Parcel::Act(act) => self.act(act)?,
            Parcel::Reconnect => self.reconnect()?,
            Parcel::Decision(_) => self.decide(),
            Parcel::Request(id, request) => self.receive_request(id, request)?,
            Parcel::RestOfPost(id, body) => self.receive_post(id, &body)?,
            Parcel::RequestGone(id) => self.request_gone(id),
            Parcel::Answer(id, answer) => self.receive_answer(id, answer)?,
            Parcel::RequestFailed(id) | Parcel::RequestLate(id) => self.request_failed(id, false),
            Parcel::OpenSocket(socket) => self.receive_socket(socket)?,
            Parcel::SocketOpened(socket, opened) => self.socket_opened(socket, opened),
            Parcel::SocketLate(socket) => {
                if self.client.opened.is_none() {
                    self.client_socket_ends(socket, SocketEnd::Failed);
                }
            }
            Parcel::Bytes { socket, to_server: true, data } => self.server_reads(socket, data)?,
            Parcel::Bytes { socket, to_server: false, data } => self.client_reads(socket, data)?,
            Parcel::End { socket, to_server: true, end } => self.server_socket_ends(socket, end),
            Parcel::End { socket, to_server: false, end } => self.client_socket_ends(socket, end),
        }
        Ok(())
    }

    pub(super) fn new_request(&mut self, is_post: bool) -> RequestId {
        self.last_request += 1;
        let id = self.last_request;
        let session = self.client.number;
        self.requests.insert(id, Pending { session, is_post, awaited: true, is_reset: false });
        id
    }

    pub(super) fn wakes(&self) -> u64 {
        self.wakes
    }

    pub(super) fn note(&mut self, what: &str) {
        if !self.traced {
            return;
        }
        let millis = self.net.now().as_secs_f64() * 1000.0;
        self.report.trace.push(format!("{millis:>10.3} {what}"));
    }
}

/// For how long the other side may take nothing.
const STALL: Duration = Duration::from_secs(10);

/// The id of the client's session of that number.
pub(super) fn sid(number: usize) -> SessionId {
    let mut bits = *b"a session, no. 0";
    bits[15] = number as u8;
    SessionId::from_random(bits)
}

/// The sessions of a server, by id: there is no other way to one.
pub(super) type Sessions = BTreeMap<SessionId, usize>;

/// Which session a request belongs to.
pub(super) fn session_of(query: &str, sessions: &Sessions) -> Option<usize> {
    let request = Request { method: "GET", query, upgrade: false };
    match Route::of(&request, &Transport::ALL) {
        Ok(Route::Session(request)) => sessions.get(&*request.sid).copied(),
        Ok(Route::Open(_)) | Err(_) => None,
    }
}

/// Whether a queue was closed in a way that sends what waits.
pub(super) fn flushes(act: Act) -> bool {
    matches!(act, Act::ClientCloses(Ending::Flush) | Act::ServerCloses(Ending::Flush))
}
