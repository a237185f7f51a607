//! What went over a connection, counted where it passes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heartwire_sys::RoundTrip;

/// What went over a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Messages that were given to the network.
    pub messages_sent: u64,
    /// Bytes of their frames.
    pub bytes_sent: u64,
    /// Messages that have arrived.
    pub messages_received: u64,
    /// Bytes that have arrived.
    pub bytes_received: u64,
    /// Frames that have arrived, were well-formed, and were ignored: something else than a map, or a map
    /// without an action.
    pub ignored: u64,
    /// Frames that have arrived when nobody took them any more: after this side had closed the connection,
    /// or the one that was more than the peer may send in a second.
    pub discarded: u64,
}

/// What went over a connection, so far. One driver writes at a time, anybody reads.
#[derive(Default)]
pub(super) struct Traffic {
    messages_sent: AtomicU64,
    bytes_sent: AtomicU64,
    messages_received: AtomicU64,
    bytes_received: AtomicU64,
    ignored: AtomicU64,
    discarded: AtomicU64,
    /// Microseconds: the variation above the time; zero while unknown.
    round_trip: AtomicU64,
}

/// Frames that have arrived, by what became of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Received {
    pub(super) messages: u64,
    pub(super) ignored: u64,
    pub(super) discarded: u64,
}

impl Traffic {
    pub(super) fn sent(&self, messages: u64, bytes: usize) {
        add(&self.messages_sent, messages);
        add(&self.bytes_sent, bytes as u64);
    }

    pub(super) fn received(&self, frames: Received, bytes: usize) {
        add(&self.messages_received, frames.messages);
        add(&self.ignored, frames.ignored);
        add(&self.discarded, frames.discarded);
        add(&self.bytes_received, bytes as u64);
    }

    pub(super) fn set_round_trip(&self, trip: RoundTrip) {
        let micros =
            |time: Duration| u64::from(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
        let packed = micros(trip.variation) << 32 | micros(trip.time);
        self.round_trip.store(packed, Ordering::Relaxed);
    }

    pub(super) fn round_trip(&self) -> Option<RoundTrip> {
        let packed = self.round_trip.load(Ordering::Relaxed);
        let micros = |half: u64| Duration::from_micros(half & u64::from(u32::MAX));
        (packed != 0).then(|| RoundTrip { time: micros(packed), variation: micros(packed >> 32) })
    }

    pub(super) fn statistics(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            messages_sent: read(&self.messages_sent),
            bytes_sent: read(&self.bytes_sent),
            messages_received: read(&self.messages_received),
            bytes_received: read(&self.bytes_received),
            ignored: read(&self.ignored),
            discarded: read(&self.discarded),
        }
    }
}

/// Only one thread adds at a time, so that no locked instruction is needed.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}
