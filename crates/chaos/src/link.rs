//! Two hosts and the line between them: what one sends passes through this process, which decides by dice what
//! becomes of it.
//!
//! ```text
//! server's namespace                      this process                       client's namespace
//!   programs ── TUN device ──► weather of what the server sends ──► TUN device ── programs
//!            ◄────────────── weather of what the client sends ◄──────────────
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tun_rs::{AsyncDevice, DeviceBuilder, Layer};

use crate::namespace::Namespace;
use crate::segment::Segment;
use crate::weather::{Dice, Fate, Weather};

/// One of the two hosts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one whose programs listen.
    Server,
    /// The one whose programs connect.
    Client,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Server, Self::Client];

    /// Its address. Nobody else has it: it is kept for examples.
    pub fn address(self) -> &'static str {
        match self {
            Self::Server => "192.0.2.1",
            Self::Client => "192.0.2.2",
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// Two hosts and the line between them. Both are gone when it is dropped.
#[derive(Debug)]
pub struct Link {
    hosts: [Host; 2],
    forwarding: JoinSet<()>,
}

#[derive(Debug)]
struct Host {
    namespace: Namespace,
    device: String,
    /// What happens to what it sends.
    weather: Arc<Mutex<Weather>>,
    tally: Arc<Tally>,
}

/// Packets of one direction, by what became of them.
#[derive(Debug, Default)]
struct Tally {
    arrived: AtomicU64,
    lost: AtomicU64,
    reset: AtomicU64,
}

impl Link {
    /// Two hosts and a line with good weather. The seed decides what becomes of packets later. Needs a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// The system does not let this process.
    pub async fn open(seed: u64) -> io::Result<Self> {
        let (server, near) = Host::create(Side::Server)?;
        let (client, far) = Host::create(Side::Client)?;
        let (near, far) = (Arc::new(near), Arc::new(far));
        let mut forwarding = JoinSet::new();
        let ways = [(&server, &near, &far, 0), (&client, &far, &near, 1)];
        for (host, from, to, salt) in ways {
            let (from, to) = (from.clone(), to.clone());
            let (weather, tally) = (host.weather.clone(), host.tally.clone());
            forwarding.spawn(forward(from, to, weather, tally, 2 * seed + salt));
        }
        Ok(Self { hosts: [server, client], forwarding })
    }

    /// The namespace of a host.
    pub fn namespace(&self, side: Side) -> &Namespace {
        &self.host(side).namespace
    }

    /// Changes what happens to what a host sends.
    pub fn set_weather(&self, side: Side, weather: Weather) {
        *lock(&self.host(side).weather) = weather;
    }

    /// Good weather for both.
    pub fn heal(&self) {
        for side in Side::BOTH {
            self.set_weather(side, Weather::default());
        }
    }

    /// Lets a host send and take only packets of at most so many bytes.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn set_mtu(&self, side: Side, bytes: u16) -> io::Result<()> {
        let Host { namespace, device, .. } = self.host(side);
        namespace.ip(["link", "set", device, "mtu", &bytes.to_string()])
    }

    /// Pulls a host's plug, or plugs it in again: its own system knows that there is no line.
    ///
    /// # Errors
    ///
    /// What `ip` says.
    pub fn set_plugged(&self, side: Side, plugged: bool) -> io::Result<()> {
        let Host { namespace, device, .. } = self.host(side);
        namespace.ip(["link", "set", device, if plugged { "up" } else { "down" }])
    }

    /// Packets of a host: how many arrived, were lost, and were made a reset.
    pub fn tally(&self, side: Side) -> [u64; 3] {
        let Tally { arrived, lost, reset } = &*self.host(side).tally;
        [arrived, lost, reset].map(|count| count.load(Ordering::Relaxed))
    }

    /// Whether packets are still passed on.
    pub fn is_alive(&self) -> bool {
        self.forwarding.len() == 2
    }

    fn host(&self, side: Side) -> &Host {
        match side {
            Side::Server => &self.hosts[0],
            Side::Client => &self.hosts[1],
        }
    }
}

impl Host {
    /// A host, and this process's end of its line.
    fn create(side: Side) -> io::Result<(Self, AsyncDevice)> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let namespace = Namespace::create()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Systems take no more than 15 characters.
        let device = format!("hw{}n{number}", std::process::id());
        let line = DeviceBuilder::new()
            .name(&device)
            .layer(Layer::L3)
            .mtu(MTU)
            .enable(false)
            .build_async()?;
        namespace.take(&device)?;
        let (own, peer) = (side.address(), side.other().address());
        namespace.ip(["address", "add", own, "peer", peer, "dev", &device])?;
        namespace.ip(["link", "set", &device, "up"])?;
        let host = Self { namespace, device, weather: Arc::default(), tally: Arc::default() };
        Ok((host, line))
    }
}

/// A packet that arrives later.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Flying {
    at: Instant,
    /// Those that arrive at the same time do so in order.
    number: u64,
    packet: Vec<u8>,
}

/// Passes on what comes from one line to another, as the weather lets it.
async fn forward(
    from: Arc<AsyncDevice>,
    to: Arc<AsyncDevice>,
    weather: Arc<Mutex<Weather>>,
    tally: Arc<Tally>,
    seed: u64,
) {
    let mut dice = Dice::new(seed, Instant::now());
    let mut flying = BinaryHeap::new();
    let mut number = 0;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let next = flying.peek().map(|Reverse(Flying { at, .. })| *at);
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = from.recv(&mut buffer) => {
                // A device whose plug is pulled may give errors, and goes on later.
                let Ok(length) = received else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let packet = &buffer[..length];
                let Some(segment) = Segment::read(packet) else { continue };
                let weather = *lock(&weather);
                let fate = dice.roll(Instant::now(), &weather, length, segment.has_data());
                let shreds = weather.shred && segment.has_data();
                let mut send = |at, packet| {
                    number += 1;
                    flying.push(Reverse(Flying { at, number, packet }));
                };
                match fate {
                    Fate::Lost => {
                        tally.lost.fetch_add(1, Ordering::Relaxed);
                    }
                    Fate::Reset { at } => {
                        tally.reset.fetch_add(1, Ordering::Relaxed);
                        send(at, segment.reset());
                    }
                    Fate::Arrives { at } => {
                        tally.arrived.fetch_add(1, Ordering::Relaxed);
                        for at in at {
                            match shreds {
                                true => segment.shred().into_iter().for_each(|shred| send(at, shred)),
                                false => send(at, packet.to_vec()),
                            }
                        }
                    }
                }
            }
            () = due => {
                let now = Instant::now();
                while flying.peek().is_some_and(|Reverse(Flying { at, .. })| *at <= now) {
                    let Some(Reverse(Flying { packet, .. })) = flying.pop() else { break };
                    // A line that was cut meanwhile takes what was on it.
                    if !lock(&weather).cut {
                        let _ = to.send(&packet).await;
                    }
                }
            }
        }
    }
}

fn lock(weather: &Mutex<Weather>) -> std::sync::MutexGuard<'_, Weather> {
    weather.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As on most networks.
const MTU: u16 = 1500;
