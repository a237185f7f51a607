//! What is done to a server.

use std::time::Duration;

use crate::args::Bench;

/// What is done to a server.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) connections: usize,
    /// Messages of a connection that may be under way.
    pub(super) depth: usize,
    /// Bytes of a message.
    pub(super) size: usize,
    pub(super) binary: bool,
    /// Messages a second, of all connections together. Without it, each answer is followed by the next
    /// message.
    pub(super) rate: Option<f64>,
    /// What is sent before this is checked and not measured.
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    /// Connections that are opened in a second; without it, as fast as the server lets them in.
    pub(super) connect_rate: Option<f64>,
    pub(super) threads: usize,
    /// Whether the server sends each message back.
    pub(super) replies: bool,
    /// How long a connection may take to open, and answers to arrive after the last message.
    pub(super) patience: Duration,
}

impl Plan {
    /// What the arguments want.
    pub(super) fn new(args: &Bench) -> Self {
        let connections = args.connections as usize;
        let processors = std::thread::available_parallelism().map_or(1, Into::into);
        // The other half is for a server on the same machine, and for the system.
        let threads = args.threads.map_or((processors / 2).max(1), usize::from);
        let depth = args.depth.unwrap_or(match (args.no_reply, args.rate) {
            (true, _) => 64,
            (false, Some(_)) => 1000,
            (false, None) => 1,
        });
        Self {
            connections,
            depth: depth as usize,
            size: args.size as usize,
            binary: args.binary,
            rate: args.rate,
            warm_up: args.warm_up,
            duration: args.duration,
            connect_rate: args.connect_rate,
            threads: threads.min(connections),
            replies: !args.no_reply,
            patience: args.timeout_ms,
        }
    }

    /// Connections of one of the threads.
    pub(super) fn connections_of(&self, thread: usize) -> usize {
        self.connections / self.threads + usize::from(thread < self.connections % self.threads)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One that tests change.
    pub(in super::super) fn plan() -> Plan {
        Plan {
            connections: 7,
            depth: 1,
            size: 64,
            binary: false,
            rate: None,
            warm_up: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            connect_rate: None,
            threads: 3,
            replies: true,
            patience: Duration::from_secs(5),
        }
    }

    #[test]
    fn threads_share_the_connections() {
        let mut plan = plan();
        assert_eq!([0, 1, 2].map(|thread| plan.connections_of(thread)), [3, 2, 2]);
        plan.threads = 1;
        assert_eq!(plan.connections_of(0), 7);
    }
}
