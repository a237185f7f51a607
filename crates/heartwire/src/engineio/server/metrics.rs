//! A server's numbers for whatever collects them, through the `metrics` facade.

use super::handle::Server;
use super::stats::Stats;

impl Server {
    /// Gives the server's numbers to the recorder that the program has installed, under these names:
    ///
    /// | metric | labels |
    /// |---|---|
    /// | `heartwire_engineio_connections` | `transport` |
    /// | `heartwire_engineio_connected_total` | |
    /// | `heartwire_engineio_disconnected_total` | `reason` |
    /// | `heartwire_engineio_upgrades_total` | `outcome`: `done` or `abandoned` |
    /// | `heartwire_engineio_messages_total`, `heartwire_engineio_bytes_total` | `direction`: `in` or `out` |
    /// | `heartwire_engineio_messages_unsent_total` | |
    /// | `heartwire_engineio_refused_total` | `reason`: `rejected` if the application did it |
    ///
    /// Call it whenever they are to be fresh, as before each scrape: so nothing has to be recorded while
    /// messages pass.
    pub fn record_metrics(&self) {
        let Stats {
            polling,
            websocket,
            connected,
            disconnected,
            upgraded,
            upgrades_abandoned,
            messages_received,
            bytes_received,
            messages_sent,
            bytes_sent,
            messages_unsent,
            refused,
            rejected,
        } = self.stats();
        for (transport, count) in [("polling", polling), ("websocket", websocket)] {
            metrics::gauge!("heartwire_engineio_connections", "transport" => transport)
                .set(count as f64);
        }
        metrics::counter!("heartwire_engineio_connected_total").absolute(connected);
        for (reason, count) in disconnected {
            metrics::counter!("heartwire_engineio_disconnected_total", "reason" => reason.name())
                .absolute(count);
        }
        for (outcome, count) in [("done", upgraded), ("abandoned", upgrades_abandoned)] {
            metrics::counter!("heartwire_engineio_upgrades_total", "outcome" => outcome)
                .absolute(count);
        }
        for (direction, messages, bytes) in
            [("in", messages_received, bytes_received), ("out", messages_sent, bytes_sent)]
        {
            metrics::counter!("heartwire_engineio_messages_total", "direction" => direction)
                .absolute(messages);
            metrics::counter!("heartwire_engineio_bytes_total", "direction" => direction)
                .absolute(bytes);
        }
        metrics::counter!("heartwire_engineio_messages_unsent_total").absolute(messages_unsent);
        let refused = refused.into_iter().map(|(refusal, count)| (refusal.name(), count));
        for (reason, count) in refused.chain([("rejected", rejected)]) {
            metrics::counter!("heartwire_engineio_refused_total", "reason" => reason)
                .absolute(count);
        }
    }
}
