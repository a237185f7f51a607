//! What a server has done so far, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use heartwire_proto::engineio::{DisconnectReason, Refusal};

use crate::tally::Tally;

/// What a server has done so far, in numbers. Those that only grow are counted from its start.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Clients that are connected over polling.
    pub polling: usize,
    /// Clients that are connected over a WebSocket.
    pub websocket: usize,
    /// Clients that have connected.
    pub connected: u64,
    /// Clients that have gone, by reason.
    pub disconnected: Vec<(DisconnectReason, u64)>,
    /// Sessions that went from polling to a WebSocket.
    pub upgraded: u64,
    /// WebSockets that were to take over a session and did not.
    pub upgrades_abandoned: u64,
    /// Messages that were received.
    pub messages_received: u64,
    /// Bytes that were received in WebSockets and in bodies.
    pub bytes_received: u64,
    /// Messages that were sent.
    pub messages_sent: u64,
    /// Bytes that were sent in WebSockets and in bodies, before compression.
    pub bytes_sent: u64,
    /// Messages that were accepted for sending and may not have arrived
    /// ([`Disconnected::unsent`](super::super::Disconnected::unsent)).
    pub messages_unsent: u64,
    /// Requests that were refused, by reason.
    pub refused: Vec<(Refusal, u64)>,
    /// Requests that the application has rejected.
    pub rejected: u64,
}

/// What is counted.
pub(super) struct Counters {
    traffic: Tally<4>,
    connected: AtomicU64,
    disconnected: [AtomicU64; DisconnectReason::ALL.len()],
    upgraded: AtomicU64,
    upgrades_abandoned: AtomicU64,
    unsent: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    rejected: AtomicU64,
}

/// Messages and bytes that have passed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) messages_received: u64,
    pub(super) bytes_received: u64,
    pub(super) messages_sent: u64,
    pub(super) bytes_sent: u64,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            traffic: Tally::new(),
            connected: AtomicU64::new(0),
            disconnected: std::array::from_fn(|_| AtomicU64::new(0)),
            upgraded: AtomicU64::new(0),
            upgrades_abandoned: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
            rejected: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn moved(&self, traffic: Traffic) {
        let Traffic { messages_received, bytes_received, messages_sent, bytes_sent } = traffic;
        self.traffic.add([messages_received, bytes_received, messages_sent, bytes_sent]);
    }

    pub(super) fn connected(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn disconnected(&self, reason: DisconnectReason, unsent: usize) {
        if let Some(at) = DisconnectReason::ALL.iter().position(|known| *known == reason) {
            self.disconnected[at].fetch_add(1, Ordering::Relaxed);
        }
        self.unsent.fetch_add(unsent as u64, Ordering::Relaxed);
    }

    pub(super) fn upgraded(&self) {
        self.upgraded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn upgrade_abandoned(&self) {
        self.upgrades_abandoned.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        // Those of the WebSocket handshake count as one kind.
        let known = |known: &Refusal| known.name() == refusal.name();
        if let Some(at) = Refusal::ALL.iter().position(known) {
            self.refused[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, where so many clients are connected.
    pub(super) fn stats(&self, polling: usize, websocket: usize) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [messages_received, bytes_received, messages_sent, bytes_sent] = self.traffic.sum();
        Stats {
            polling,
            websocket,
            connected: read(&self.connected),
            disconnected: DisconnectReason::ALL
                .into_iter()
                .zip(self.disconnected.iter().map(read))
                .collect(),
            upgraded: read(&self.upgraded),
            upgrades_abandoned: read(&self.upgrades_abandoned),
            messages_received,
            bytes_received,
            messages_sent,
            bytes_sent,
            messages_unsent: read(&self.unsent),
            refused: Refusal::ALL.into_iter().zip(self.refused.iter().map(read)).collect(),
            rejected: read(&self.rejected),
        }
    }
}
