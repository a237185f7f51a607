//! The programs at the two ends of a line: a server and a client of this library, which send each other letters
//! and keep a journal.

mod correspondence;

mod engineio;

mod repod;

use std::fmt;
use std::time::Duration;

use heartwire::Backoff;
use serde::{Deserialize, Serialize};

use self::correspondence::Correspondence;
pub use self::correspondence::Phase;
use crate::link::Side;

/// How letters travel.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Engine.IO by polling alone.
    Polling,
    /// Engine.IO over WebSockets alone.
    WebSocket,
    /// Engine.IO by polling first, then over a WebSocket; a client does not live long, so that there are
    /// many upgrades.
    Upgrade,
    /// repod.
    Repod,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Polling, Self::WebSocket, Self::Upgrade, Self::Repod];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
            Self::Upgrade => "upgrade",
            Self::Repod => "repod",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a peer is told when it starts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Orders {
    /// Whether it listens or connects.
    pub side: Side,
    /// How letters travel.
    pub way: Way,
    /// The server's address.
    pub host: String,
    /// The server's port; 0 lets the system choose one for a server.
    pub port: u16,
    /// Clients in the process.
    pub clients: u32,
    /// Milliseconds between the letters of one sender.
    pub pace: u64,
    /// Milliseconds that a client lives before the next takes its place; `None` to the end.
    pub life: Option<u64>,
    /// Milliseconds between two pings of an Engine.IO server.
    pub ping_interval: u64,
    /// Milliseconds that a client has to answer a ping. A repod peer is given up after both together.
    pub ping_timeout: u64,
}

impl Orders {
    /// The time after which a silent peer is given up.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.ping_interval + self.ping_timeout)
    }

    fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval)
    }

    fn ping_timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout)
    }

    /// When clients try again: soon, so that it shows when the network is good again.
    fn backoff(&self) -> Backoff {
        Backoff::new().initial(Duration::from_millis(100)).max(Duration::from_millis(500))
    }

    /// The time for one attempt to connect, or one request.
    fn attempt(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// Runs a peer until it is told to end.
///
/// # Panics
///
/// If it cannot listen, or the system has no threads.
pub fn run(orders: &Orders) {
    // Whoever started it may be killed while it is stopped.
    let signal = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(signal)).expect("Linux has it");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system has threads");
    runtime.block_on(async {
        let correspondence = Correspondence::new(orders.pace);
        match (orders.way, orders.side) {
            (Way::Repod, Side::Server) => repod::serve(orders, correspondence).await,
            (Way::Repod, Side::Client) => repod::connect(orders, correspondence).await,
            (_, Side::Server) => engineio::serve(orders, correspondence).await,
            (_, Side::Client) => engineio::connect(orders, correspondence).await,
        }
    });
}
