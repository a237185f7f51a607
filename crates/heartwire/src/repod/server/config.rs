//! Every option of a server.

use std::time::Duration;

use heartwire_proto::repod;
use heartwire_proto::shared::Limits;

use super::super::liveness::Liveness;

/// What [`Server::builder`](super::Server::builder) collects.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct ServerBuilder {
    pub(super) options: Options,
}

/// The options once the server is built.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) session: repod::Config,
    pub(super) send_limits: Limits,
    pub(super) receive_bytes: usize,
    pub(super) slow_peer: SlowPeerPolicy,
    pub(super) stall_timeout: Duration,
    pub(super) liveness: Liveness,
    pub(super) max_connections: Option<usize>,
    pub(super) max_connections_per_address: Option<usize>,
}

/// What happens when too much waits for a peer already and more is to be sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum SlowPeerPolicy {
    /// The message is refused: the sender decides.
    #[default]
    Refuse,
    /// The connection is ended: a peer that misses messages without knowing is worse than one that has
    /// to connect again.
    Disconnect,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        let options = Options {
            session: repod::Config::default(),
            send_limits: Limits { messages: 1024, bytes: 1 << 20 },
            receive_bytes: 1 << 20,
            slow_peer: SlowPeerPolicy::default(),
            stall_timeout: Duration::from_secs(10),
            liveness: Liveness::default(),
            max_connections: None,
            max_connections_per_address: None,
        };
        Self { options }
    }

    /// Bytes of a message that are accepted from a client; more ends its connection. Default: 16 MiB.
    pub fn max_frame(mut self, bytes: usize) -> Self {
        self.options.session.max_payload = bytes;
        self
    }

    /// Time that a message may take to arrive, from its first byte to its last. Default: 30 s.
    pub fn frame_timeout(mut self, timeout: Duration) -> Self {
        self.options.session.frame_timeout = timeout;
        self
    }

    /// Messages a second, and as many at once, that are accepted from a client; more end its
    /// connection. Default: no limit.
    pub fn max_rate(mut self, messages: u32) -> Self {
        self.options.session.max_rate = Some(messages);
        self
    }

    /// Time to send what waits when a connection is closed. Default: 1 s.
    pub fn linger(mut self, time: Duration) -> Self {
        self.options.session.linger = time;
        self
    }

    /// What may wait to be sent to one client, in messages and in bytes. Default: 1024 messages, 1 MiB.
    pub fn send_limits(mut self, messages: usize, bytes: usize) -> Self {
        self.options.send_limits = Limits { messages, bytes };
        self
    }

    /// What happens when that is reached. Default: the message is refused.
    pub fn slow_peer(mut self, policy: SlowPeerPolicy) -> Self {
        self.options.slow_peer = policy;
        self
    }

    /// Time that a client has to take what is sent to it, in steps of 16 KiB, before it is given up as a
    /// slow peer. Default: 10 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.options.stall_timeout = timeout;
        self
    }

    /// Bytes that may wait to be received by [`Channel::recv`](super::Channel::recv) before the server
    /// stops reading from that client. Default: 1 MiB.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.options.receive_bytes = bytes;
        self
    }

    /// Time without traffic before the kernel asks whether a client is still there; `None` if never.
    /// Nothing of it is seen by programs. Default: 15 s.
    pub fn keep_alive(mut self, idle: Option<Duration>) -> Self {
        self.options.liveness.keep_alive = idle;
        self
    }

    /// Time without a confirmation from a client's kernel after which it counts as gone (Linux; others
    /// count unanswered questions). Default: 30 s.
    pub fn dead_peer_timeout(mut self, timeout: Duration) -> Self {
        self.options.liveness.dead_after = timeout;
        self
    }

    /// Connections that are let in; more are closed at once. Default: as many as the system gives.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.options.max_connections = Some(connections);
        self
    }

    /// Connections that are let in from one address; of IPv6, the first 64 bits count. Default: no
    /// limit.
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.options.max_connections_per_address = Some(connections);
        self
    }
}
