//! What went over a connection, for Python.

use heartwire::repod::{RoundTrip, Statistics};

/// Messages sent, bytes sent, messages received, bytes received, ignored.
pub(super) type Counts = (u64, u64, u64, u64, u64);

pub(super) fn counts(statistics: Statistics) -> Counts {
    (
        statistics.messages_sent,
        statistics.bytes_sent,
        statistics.messages_received,
        statistics.bytes_received,
        statistics.ignored,
    )
}

/// The time and its variation, in seconds.
pub(super) fn seconds(trip: RoundTrip) -> (f64, f64) {
    (trip.time.as_secs_f64(), trip.variation.as_secs_f64())
}
