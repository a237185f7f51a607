//! What happens in a run.

use std::time::Duration;

use heartwire_proto::engineio::{Transport, client, server};
use heartwire_proto::shared::{Backoff, Ending, Limits};

use crate::chance::Chance;

/// What happens in a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What decides the rest.
    pub(super) chance: Chance,
    pub(super) client: client::Config,
    pub(super) server: server::Config,
    pub(super) latency: (Duration, Duration),
    pub(super) limits: Limits,
    pub(super) hook: Hook,
    pub(super) waits: Option<Waits>,
    pub(super) handler: Option<Handler>,
    pub(super) acts: Vec<(Duration, Act)>,
    /// When the run is over.
    pub(super) end: Duration,
}

/// What the application says to a client that wants in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook {
    /// How long it takes to say so.
    pub(super) wait: Duration,
    /// The first session, counted from zero, that it refuses, and every later one.
    pub(super) refuses_from: Option<usize>,
}

/// How a client that was cut off comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) initial: Duration,
    pub(super) max: Duration,
    pub(super) jitter: f64,
    pub(super) attempts: u32,
}

impl Waits {
    pub(super) fn backoff(&self) -> Backoff {
        let &Self { initial, max, jitter, attempts } = self;
        Backoff::new().initial(initial).max(max).jitter(jitter).max_attempts(attempts)
    }
}

/// What a handler of messages does, once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handler {
    pub(super) side: Side,
    /// At which message.
    pub(super) nth: usize,
    pub(super) deed: Deed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// It fails: what comes next is handled all the same.
    Fails,
    Sends,
    Closes(Ending),
}

/// What users or the network do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    ClientSends {
        messages: usize,
    },
    ServerSends {
        messages: usize,
    },
    ClientCloses(Ending),
    ServerCloses(Ending),
    /// The server lets nobody in any more, and closes every session when everything is sent.
    Drains,
    /// Every connection is reset; what is on its way is lost, and both sides learn of it.
    Reset,
    /// The answer to the GET that waits is lost, should it be sent in the next moment.
    LosesAnswer,
    /// From now on everything vanishes, and nobody learns of it.
    Silence,
    /// The client reads no more from the WebSocket that it has, and does not say so.
    ClientStalls,
    /// WebSockets are refused from now on.
    RefusesSockets,
    /// WebSockets are opened from now on, and what is sent on them vanishes.
    DeafensSockets,
    /// Somebody who knows the session's id sends a GET.
    StrangerPolls,
    /// Somebody who knows the session's id sends a POST with a bad packet in it.
    StrangerPosts,
    /// Somebody who knows the session's id sends a POST that is whole.
    StrangerTalks,
    /// The server's WebSocket receives a frame that cannot be read.
    StrangerInjects,
}

impl Act {
    /// Whether it leaves the network and the peers as they should be.
    pub(super) fn is_peaceful(self) -> bool {
        match self {
            Self::ClientSends { .. }
            | Self::ServerSends { .. }
            | Self::ClientCloses(_)
            | Self::ServerCloses(_) => true,
            Self::Drains
            | Self::Reset
            | Self::LosesAnswer
            | Self::Silence
            | Self::ClientStalls
            | Self::RefusesSockets
            | Self::DeafensSockets
            | Self::StrangerPolls
            | Self::StrangerPosts
            | Self::StrangerTalks
            | Self::StrangerInjects => false,
        }
    }
}

impl Plan {
    pub(super) fn new(mut rng: Chance) -> Self {
        let millis = Duration::from_millis;
        let least = rng.u64(0..60);
        let latency = (millis(least), millis(least + rng.u64(0..40)));
        let transport = if rng.u8(..4) == 0 { Transport::WebSocket } else { Transport::Polling };
        let client = client::Config {
            transport,
            upgrade: rng.u8(..4) != 0,
            upgrade_timeout: millis(rng.u64(1000..3000)),
            close_timeout: CLOSE_TIMEOUT,
            max_post_packets: rng.usize(1..64),
        };
        let server = server::Config {
            ping_interval: millis(rng.u64(300..3000)),
            ping_timeout: millis(rng.u64(500..2000)),
            upgrade_timeout: millis(rng.u64(1000..3000)),
            close_timeout: CLOSE_TIMEOUT,
            max_payload: MAX_PAYLOAD,
            max_poll_packets: rng.usize(1..64),
            ..server::Config::default()
        };
        let limits = Limits { messages: rng.usize(20..400), bytes: rng.usize(50_000..400_000) };
        let hook = Hook {
            wait: millis(if rng.u8(..4) == 0 { rng.u64(..800) } else { 0 }),
            refuses_from: (rng.u8(..20) == 0).then(|| rng.usize(..3)),
        };
        let waits = (rng.u8(..3) != 0).then(|| waits(&mut rng));
        let handler = (rng.u8(..4) == 0).then(|| handler(&mut rng));
        let acts = acts(&mut rng);
        let last = acts.iter().map(|(moment, _)| *moment).max().unwrap_or_default();
        let end = last + server.ping_interval + server.ping_timeout + CLOSE_TIMEOUT + millis(5000);
        let chance = rng.rest();
        Self { chance, client, server, latency, limits, hook, waits, handler, acts, end }
    }

    /// Whether nothing goes wrong.
    pub(super) fn is_peaceful(&self) -> bool {
        let lets_in = self.hook.refuses_from.is_none();
        lets_in && self.acts.iter().all(|(_, act)| act.is_peaceful())
    }

    /// The longest that a session lives on when its peer has gone, or will not go.
    pub(super) fn patience(&self) -> Duration {
        self.server.ping_interval + self.server.ping_timeout + CLOSE_TIMEOUT
    }
}

fn waits(rng: &mut Chance) -> Waits {
    let millis = Duration::from_millis;
    let initial = rng.u64(1..500);
    Waits {
        initial: millis(initial),
        max: millis(initial + rng.u64(..1000)),
        jitter: f64::from(rng.u8(..=10)) / 10.0,
        attempts: rng.u32(1..5),
    }
}

fn handler(rng: &mut Chance) -> Handler {
    let side = if rng.bool() { Side::Client } else { Side::Server };
    let deed = match rng.u8(..4) {
        0 => Deed::Closes(Ending::Flush),
        1 => Deed::Closes(Ending::Discard),
        2 => Deed::Sends,
        _ => Deed::Fails,
    };
    Handler { side, nth: rng.usize(1..30), deed }
}

fn acts(rng: &mut Chance) -> Vec<(Duration, Act)> {
    let mut acts = vec![];
    let span = rng.u64(50..6000);
    let moment = |rng: &mut Chance| Duration::from_micros(rng.u64(0..span * 1000));
    for _ in 0..rng.usize(1..12) {
        let messages = match rng.u8(..6) {
            0 => rng.usize(20..120),
            1 => rng.usize(5..20),
            _ => rng.usize(1..5),
        };
        let act = match rng.bool() {
            true => Act::ClientSends { messages },
            false => Act::ServerSends { messages },
        };
        acts.push((moment(rng), act));
    }
    if rng.u8(..3) == 0 {
        let ending = if rng.u8(..4) == 0 { Ending::Discard } else { Ending::Flush };
        let act = if rng.bool() { Act::ClientCloses(ending) } else { Act::ServerCloses(ending) };
        acts.push((moment(rng), act));
        if rng.u8(..6) == 0 {
            acts.push((moment(rng), Act::ClientCloses(Ending::Flush)));
            acts.push((moment(rng), Act::ServerCloses(Ending::Flush)));
        }
    }
    // Half of the runs are peaceful.
    for _ in 0..rng.usize(..4).saturating_sub(1) {
        let act = match rng.u8(..15) {
            12 => Act::Drains,
            13 | 14 => Act::ClientStalls,
            0 | 1 => Act::Reset,
            2 | 3 => Act::LosesAnswer,
            4 => Act::Silence,
            5 => Act::RefusesSockets,
            6 => Act::DeafensSockets,
            7 => Act::StrangerPolls,
            8 => Act::StrangerPosts,
            9 | 10 => Act::StrangerTalks,
            _ => Act::StrangerInjects,
        };
        acts.push((moment(rng), act));
    }
    acts
}

/// Long enough for everything that waits to be sent: where it is not, the network is to blame.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of a body or a message that the server takes.
pub(super) const MAX_PAYLOAD: usize = 40_000;
