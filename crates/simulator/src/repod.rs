//! A client and a server of repod, with drivers that do what the real ones do.

use std::time::Duration;

use heartwire_proto::repod::{
    Config, DisconnectReason, Frame, FrameDecoder, GREETING, Output, Role, Session, SocketEnd,
};
use heartwire_proto::shared::{Ending, Limits, SendQueue};
use serde_json::json;

use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::network::{Lane, Network};
use crate::report::Report;

/// Runs what a seed stands for, and keeps the trace if asked to.
pub fn run(seed: u64, traced: bool) -> Report {
    World::new(Chance::with_seed(seed), traced).run()
}

/// Runs what bytes stand for: each decides one thing or a part of one.
pub fn run_bytes(bytes: &[u8], traced: bool) -> Report {
    World::new(Chance::with_bytes(bytes), traced).run()
}

type Checked = Result<(), String>;

/// Two sides, and the stream between them.
struct World {
    acts: Vec<(Duration, Act)>,
    end: Duration,
    /// Whether the trace is kept.
    traced: bool,
    net: Network<Parcel>,
    report: Report,
    /// The client, then the server.
    sides: [Side; 2],
    /// Whether a stranger has put bytes into the stream.
    tampered: bool,
    knows_by: Option<Duration>,
    /// Nothing passes any more.
    is_reset: bool,
    flushed: Option<(usize, usize)>,
    /// How often a user has closed a side.
    closes: usize,
    /// Whether nothing goes wrong.
    peaceful: bool,
    /// A side, at which message its handler does something, and what.
    handler: Option<(usize, usize, Deed)>,
    count: usize,
}

struct Side {
    name: &'static str,
    session: Session<Frame>,
    queue: SendQueue<Frame>,
    decoder: FrameDecoder,
    /// What this side sends.
    ledger: Ledger<Vec<u8>>,
    lane: Lane,
    /// Bytes that are on their way to the other side.
    unread: usize,
    /// When the other side has last taken some of them.
    taken_at: Duration,
    open: bool,
    closed: Option<(Duration, DisconnectReason)>,
    greeted: bool,
    /// Messages that its handler has seen.
    handled: usize,
    /// When its user has closed it.
    closing: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Sends {
        side: usize,
        messages: usize,
    },
    Closes {
        side: usize,
        ending: Ending,
    },
    /// The connection is reset: what is on its way is lost, and both sides learn of it.
    Reset,
    /// From now on everything vanishes, and nobody learns of it.
    Silence,
    /// Bytes that are no frame reach a side.
    Tampers {
        side: usize,
        how: Tampering,
    },
}

/// What a handler of messages does, once.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// It fails: what comes next is handled all the same.
    Fails,
    Sends,
    Closes(Ending),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tampering {
    /// A length that nobody may announce.
    HugeLength,
    /// A payload that is not msgpack.
    Garbage,
    /// A frame that never ends.
    HalfFrame,
    /// A frame that holds nil: it is ignored.
    Nil,
}

#[derive(Debug)]
enum Parcel {
    Act(Act),
    Bytes { to: usize, data: Vec<u8> },
    End { to: usize, end: SocketEnd },
}

impl World {
    fn new(mut rng: Chance, traced: bool) -> Self {
        let millis = Duration::from_millis;
        let least = rng.u64(..60);
        let latency = (millis(least), millis(least + rng.u64(..40)));
        let config = Config {
            max_payload: MAX_PAYLOAD,
            frame_timeout: millis(rng.u64(1000..4000)),
            linger: LINGER,
            max_rate: None,
        };
        let limits = Limits { messages: rng.usize(20..400), bytes: rng.usize(50_000..400_000) };
        let handler = (rng.u8(..4) == 0).then(|| handler(&mut rng));
        let acts = acts(&mut rng);
        let peaceful = acts.iter().all(|(_, act)| act.is_peaceful());
        let last = acts.iter().map(|(moment, _)| *moment).max().unwrap_or_default();
        let mut net = Network::new(rng, latency);
        for (moment, act) in &acts {
            net.at(*moment, Parcel::Act(*act));
        }
        let side = |name, way, role| Side {
            name,
            session: Session::open(net.instant(), config, role),
            queue: SendQueue::new(limits),
            decoder: FrameDecoder::new(MAX_PAYLOAD),
            ledger: Ledger::new(way),
            lane: Lane::default(),
            unread: 0,
            taken_at: Duration::ZERO,
            open: true,
            closed: None,
            greeted: false,
            handled: 0,
            closing: None,
        };
        let client = side("client", "client to server", Role::Client);
        let server = side("server", "server to client", Role::Server);
        Self {
            end: last + LINGER + STALL + millis(5000),
            acts,
            traced,
            net,
            report: Report::default(),
            sides: [client, server],
            tampered: false,
            knows_by: None,
            is_reset: false,
            flushed: None,
            closes: 0,
            peaceful,
            handler,
            count: 0,
        }
    }

    fn run(mut self) -> Report {
        if self.traced {
            self.report.trace.push(format!("{:?}", self.acts));
        }
        if let Err(violation) = self.live().and_then(|()| self.check_end()) {
            self.note(&format!("VIOLATION: {violation}"));
            self.report.violation = Some(violation);
        }
        self.report.delivered = self.sides.iter().map(|side| side.ledger.delivered()).sum();
        self.report
    }

    fn live(&mut self) -> Checked {
        self.drain()?;
        let mut still = 0;
        while let Some(next) = self.next_moment().filter(|next| *next <= self.end) {
            still = if next > self.net.now() { 0 } else { still + 1 };
            if still > 10_000 {
                return Err("the sessions spin: time stands still".to_owned());
            }
            self.net.advance(next);
            while let Some(parcel) = self.net.arrived() {
                match &parcel {
                    _ if !self.traced => {}
                    Parcel::Bytes { to, data } => {
                        let text = format!("{} bytes to the {}", data.len(), self.sides[*to].name);
                        self.note(&text);
                    }
                    other => self.note(&format!("{other:?}")),
                }
                self.deliver(parcel)?;
                self.drain()?;
            }
            let (now, time) = (self.net.instant(), self.net.now());
            for side in &mut self.sides {
                side.session.handle_time(now, true);
                if side.stalls_at().is_some_and(|moment| moment <= time) {
                    side.session.handle_socket_end(SocketEnd::Stalled);
                }
            }
            self.drain()?;
        }
        self.net.advance(self.end);
        Ok(())
    }

    fn next_moment(&mut self) -> Option<Duration> {
        let arrival = self.net.next_arrival();
        let deadlines = self.sides.iter().flat_map(|side| {
            let own = side.session.next_deadline().map(|at| self.net.time_of(at));
            [own, side.stalls_at()]
        });
        deadlines.flatten().chain(arrival).min()
    }

    fn deliver(&mut self, parcel: Parcel) -> Checked {
        match parcel {
            Parcel::Act(act) => self.act(act)?,
            Parcel::Bytes { to, data } => {
                let sender = &mut self.sides[1 - to];
                sender.unread = sender.unread.saturating_sub(data.len());
                sender.taken_at = self.net.now();
                self.read(to, &data)?;
            }
            Parcel::End { to, end } => {
                let side = &mut self.sides[to];
                if side.open {
                    side.open = false;
                    side.session.handle_socket_end(end);
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, act: Act) -> Checked {
        match act {
            Act::Sends { side, messages } => {
                for _ in 0..messages {
                    self.send(side)?;
                }
                let queue = &self.sides[side].queue;
                if queue.len() > queue.limits().messages {
                    return Err(format!("{} messages wait, of {:?}", queue.len(), queue.limits()));
                }
            }
            Act::Closes { side, ending } => self.close(side, ending),
            Act::Silence => {
                // The news of a reset vanishes as well.
                self.knows_by = self.knows_by.filter(|moment| *moment < self.net.now());
                self.net.go_silent(|parcel| matches!(parcel, Parcel::Act(_)));
            }
            Act::Reset if self.net.is_silent() => {}
            Act::Reset => {
                self.net.forget(|parcel| !matches!(parcel, Parcel::Act(_)));
                self.is_reset = true;
                let soon = self.net.now() + self.net.round_trip();
                if self.sides.iter().all(|side| side.open && side.closed.is_none()) {
                    self.knows_by = Some(soon);
                }
                for to in [0, 1] {
                    self.net.send(Parcel::End { to, end: SocketEnd::Failed });
                }
            }
            Act::Tampers { side, how } => {
                let receiver = &self.sides[side];
                // Behind a half frame it would be a part of it.
                if receiver.open && receiver.closed.is_none() && !receiver.decoder.is_mid_frame() {
                    self.tampered = true;
                    // A session that lingers does not look at what comes.
                    let looks = receiver.session.is_open() || matches!(how, Tampering::HugeLength);
                    self.read(side, how.bytes())?;
                    self.drain()?;
                    let goes_on = self.sides[side].closed.is_none();
                    let is_bad = matches!(how, Tampering::HugeLength | Tampering::Garbage);
                    if goes_on && looks && is_bad {
                        return Err(format!("{how:?}, and the {} goes on", self.sides[side].name));
                    }
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, number: usize) -> Checked {
        let frame = self.frame()?;
        let side = &mut self.sides[number];
        if side.queue.push(frame.clone()).is_ok() {
            // As many times the longest way as windows are before it, where nothing goes wrong.
            let ways = 4 + (side.queue.bytes() + side.unread) / WINDOW;
            let due = self.net.now() + self.net.round_trip() * ways as u32;
            let due = if self.peaceful { due } else { Duration::MAX };
            side.ledger.accept(frame.as_bytes().to_vec(), due);
        }
        Ok(())
    }

    fn close(&mut self, number: usize, ending: Ending) {
        let side = &mut self.sides[number];
        if ending == Ending::Flush && self.flushed.is_none() {
            self.flushed = Some((number, side.ledger.accepted()));
        }
        self.closes += 1;
        side.closing.get_or_insert(self.net.now());
        side.queue.close(ending);
    }

    /// A handler of messages is called.
    fn handle(&mut self, number: usize) -> Checked {
        self.sides[number].handled += 1;
        let seen = self.sides[number].handled;
        let Some((_, _, deed)) =
            self.handler.filter(|(side, nth, _)| (*side, *nth) == (number, seen))
        else {
            return Ok(());
        };
        self.note(&format!("the handler of the {}: {deed:?}", self.sides[number].name));
        match deed {
            Deed::Fails => {}
            Deed::Sends => self.send(number)?,
            Deed::Closes(ending) => self.close(number, ending),
        }
        Ok(())
    }

    fn read(&mut self, to: usize, data: &[u8]) -> Checked {
        let now = self.net.instant();
        let mut rest = data;
        while !rest.is_empty() && self.sides[to].open {
            let side = &mut self.sides[to];
            let mut received = None;
            match side.decoder.decode(rest) {
                Ok((taken, payload)) => {
                    rest = &rest[taken..];
                    match payload {
                        Some(payload) => {
                            let message = side.session.handle_payload(now, &payload);
                            if let Ok(Some(message)) = message {
                                received = Some(message.to_frame().as_bytes().to_vec());
                            }
                        }
                        None => side.session.handle_partial(now),
                    }
                    let held = side.decoder.held_bytes();
                    if held > 4 * MAX_PAYLOAD {
                        return Err(format!("{held} bytes are held for a peer"));
                    }
                }
                Err(error) => {
                    rest = &[];
                    side.session.handle_socket_end(SocketEnd::TooLong(error));
                }
            }
            if let Some(frame) = received {
                self.receive(to, &frame)?;
            }
        }
        Ok(())
    }

    fn receive(&mut self, to: usize, frame: &[u8]) -> Checked {
        if to == 0 && !self.sides[0].greeted {
            self.sides[0].greeted = true;
            if frame == GREETING {
                return Ok(());
            }
            return Err("the first message of the server is not its greeting".to_owned());
        }
        if self.sides[to].closed.is_some() {
            return Err(format!("the {} delivers after its end", self.sides[to].name));
        }
        let now = self.net.now();
        self.sides[1 - to].ledger.deliver(0, &frame.to_vec(), now)?;
        self.handle(to)
    }

    fn drain(&mut self) -> Checked {
        for number in [0, 1] {
            loop {
                let now = self.net.instant();
                let side = &mut self.sides[number];
                side.session.handle_ending(now, side.queue.ending());
                if side.unread > WINDOW && !side.session.has_orders() {
                    break;
                }
                let Some(output) = side.session.poll_output(now, &mut side.queue) else { break };
                if side.closed.is_some() {
                    return Err(format!("the {} goes on after its end: {output:?}", side.name));
                }
                self.carry_out(number, output)?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, number: usize, output: Output<Frame>) -> Checked {
        match output {
            Output::Greet => self.write(number, GREETING),
            Output::Send(frame) => {
                self.sides[number].ledger.hand_over(&frame.as_bytes().to_vec())?;
                self.write(number, frame.as_bytes());
            }
            Output::CloseSocket => {
                let side = &mut self.sides[number];
                if side.open {
                    side.open = false;
                    if self.is_reset {
                        return Ok(());
                    }
                    let parcel = Parcel::End { to: 1 - number, end: SocketEnd::Closed };
                    self.net.send_on(&mut side.lane, parcel);
                }
            }
            Output::Closed(reason) => {
                self.note(&format!("{}: {reason}", self.sides[number].name));
                let side = &mut self.sides[number];
                side.closed = Some((self.net.now(), reason));
                side.queue.close(Ending::Discard);
                let left: Vec<_> =
                    side.queue.drain().iter().map(|frame| frame.as_bytes().to_vec()).collect();
                side.ledger.check_left(&left)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, number: usize, bytes: &[u8]) {
        let pieces = self.net.cut(bytes);
        let now = self.net.now();
        let side = &mut self.sides[number];
        if !side.open {
            return;
        }
        for data in pieces {
            if side.unread == 0 {
                side.taken_at = now;
            }
            side.unread += data.len();
            if self.is_reset {
                continue;
            }
            self.net.send_on(&mut side.lane, Parcel::Bytes { to: 1 - number, data });
        }
    }

    fn check_end(&mut self) -> Checked {
        for side in &self.sides {
            if side.closed.is_some() && side.session.next_deadline().is_some() {
                return Err(format!("the {} is over and wants something", side.name));
            }
            let patience = LINGER + STALL + Duration::from_secs(1);
            let late = |since| side.closed.is_none_or(|(moment, _)| moment > since + patience);
            if side.closing.is_some_and(late) {
                return Err(format!("the {} was closed, and goes on", side.name));
            }
            if let Some(limit) = self.knows_by
                && side.closed.is_none_or(|(moment, _)| moment > limit)
            {
                return Err(format!("the connection was reset: the {} did not notice", side.name));
            }
        }
        let silent = self.net.is_silent();
        let over = |side: &Side| side.closed.is_some();
        if !silent && over(&self.sides[0]) != over(&self.sides[1]) {
            return Err("one side believes that the connection is over".to_owned());
        }
        if !self.peaceful {
            return Ok(());
        }
        match self.flushed {
            None if self.closes == 0 => {
                for side in &self.sides {
                    let (accepted, delivered) = (side.ledger.accepted(), side.ledger.delivered());
                    if accepted != delivered || side.closed.is_some() {
                        let name = side.name;
                        return Err(format!("{name}: {accepted} accepted, {delivered} delivered"));
                    }
                }
            }
            Some((side, accepted)) if self.closes == 1 => {
                let ledger = &self.sides[side].ledger;
                if ledger.delivered() < accepted {
                    let (delivered, sent) = (ledger.delivered(), ledger.handed_over());
                    return Err(format!(
                        "closed after {accepted}: {sent} sent, {delivered} arrived"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self) -> Result<Frame, String> {
        self.count += 1;
        let action = match self.net.rng.u8(..12) {
            0 => "disconnected",
            1 => "error",
            2 => "socketConnect",
            3 => "fault",
            _ => "move",
        };
        let length = match self.net.rng.u8(..10) {
            0 if self.net.rng.u8(..8) == 0 => self.net.rng.usize(..20_000),
            1 => self.net.rng.usize(..2000),
            _ => self.net.rng.usize(..40),
        };
        let message = json!({"action": action, "number": self.count, "data": "x".repeat(length)});
        Frame::encode(&message).map_err(|error| error.to_string())
    }

    fn note(&mut self, what: &str) {
        if !self.traced {
            return;
        }
        let millis = self.net.now().as_secs_f64() * 1000.0;
        self.report.trace.push(format!("{millis:>10.3} {what}"));
    }
}

impl Side {
    /// When it gives up a peer that takes nothing.
    fn stalls_at(&self) -> Option<Duration> {
        (self.closed.is_none() && self.unread > 0).then(|| self.taken_at + STALL)
    }
}

impl Act {
    /// Whether it leaves the network and the peers as they should be.
    fn is_peaceful(self) -> bool {
        match self {
            Self::Sends { .. } | Self::Closes { .. } => true,
            Self::Reset | Self::Silence | Self::Tampers { .. } => false,
        }
    }
}

impl Tampering {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::HugeLength => &[0xff; 4],
            Self::Garbage => &[0, 0, 0, 1, 0xc1],
            Self::HalfFrame => &[0, 0, 0, 9, 0x81],
            Self::Nil => &[0, 0, 0, 1, 0xc0],
        }
    }
}

fn handler(rng: &mut Chance) -> (usize, usize, Deed) {
    let deed = match rng.u8(..4) {
        0 => Deed::Closes(Ending::Flush),
        1 => Deed::Closes(Ending::Discard),
        2 => Deed::Sends,
        _ => Deed::Fails,
    };
    (rng.usize(..2), rng.usize(1..30), deed)
}

fn acts(rng: &mut Chance) -> Vec<(Duration, Act)> {
    let span = rng.u64(50..4000);
    let moment = |rng: &mut Chance| Duration::from_micros(rng.u64(..span * 1000));
    let mut acts = vec![];
    for _ in 0..rng.usize(1..12) {
        let messages = if rng.u8(..5) == 0 { rng.usize(20..120) } else { rng.usize(1..5) };
        acts.push((moment(rng), Act::Sends { side: rng.usize(..2), messages }));
    }
    if rng.u8(..3) == 0 {
        let ending = if rng.u8(..4) == 0 { Ending::Discard } else { Ending::Flush };
        acts.push((moment(rng), Act::Closes { side: rng.usize(..2), ending }));
    }
    for _ in 0..rng.usize(..4).saturating_sub(1) {
        let side = rng.usize(..2);
        let act = match rng.u8(..8) {
            0 | 1 => Act::Reset,
            2 => Act::Silence,
            3 => Act::Tampers { side, how: Tampering::HugeLength },
            4 => Act::Tampers { side, how: Tampering::Garbage },
            5 => Act::Tampers { side, how: Tampering::HalfFrame },
            6 => Act::Tampers { side, how: Tampering::Nil },
            _ => Act::Closes { side, ending: Ending::Flush },
        };
        acts.push((moment(rng), act));
    }
    acts
}

/// Bytes of a payload that a side takes.
const MAX_PAYLOAD: usize = 40_000;

/// Bytes that the stream takes before the other side has read them.
const WINDOW: usize = 16 * 1024;

/// For how long the other side may take nothing.
const STALL: Duration = Duration::from_secs(10);

/// Long enough for everything that waits to be sent: where it is not, the network is to blame.
const LINGER: Duration = Duration::from_secs(60);
