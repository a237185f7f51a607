//! Every option of a client.

use std::time::Duration;

use heartwire_proto::repod::Config;
use heartwire_proto::shared::{Backoff, Limits};

use super::super::liveness::Liveness;
#[cfg(feature = "tls")]
use crate::tls::ClientTls;

/// What [`Client::builder`](super::Client::builder) collects.
#[derive(Clone, Debug)]
#[must_use = "call connect() or start()"]
pub struct ClientBuilder {
    pub(super) options: Options,
}

/// The options of a client.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) connect_timeout: Duration,
    pub(super) session: Config,
    pub(super) stall_timeout: Duration,
    pub(super) liveness: Liveness,
    pub(super) send_limits: Limits,
    pub(super) receive_bytes: usize,
    pub(super) reconnect: Option<Backoff>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<ClientTls>,
}

impl ClientBuilder {
    pub(super) fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            options: Options {
                host: host.into(),
                port,
                connect_timeout: Duration::from_secs(10),
                session: Config::default(),
                stall_timeout: Duration::from_secs(30),
                liveness: Liveness::default(),
                send_limits: Limits { messages: 100_000, bytes: 64 << 20 },
                receive_bytes: 64 << 20,
                reconnect: None,
                #[cfg(feature = "tls")]
                tls: None,
            },
        }
    }

    /// The server's name or address, and its port.
    pub fn address(&self) -> (&str, u16) {
        (&self.options.host, self.options.port)
    }

    /// Time for an attempt to connect, names and TLS included. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// Connects over TLS. Default: plain TCP, as every repod server without a proxy in front of it
    /// wants it.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// Connects again after a connection was lost, or could not be opened. It is not tried after the
    /// user has closed the client, or the server has broken the protocol. Messages that wait are sent
    /// over the next connection; those whose fate is unknown are counted in
    /// [`Disconnected::unsent`](super::super::Disconnected::unsent) and not sent again. Default: off.
    pub fn reconnect(mut self, backoff: Backoff) -> Self {
        self.options.reconnect = Some(backoff);
        self
    }

    /// Time to send what waits when the client is closed. Default: 1 s.
    pub fn linger(mut self, time: Duration) -> Self {
        self.options.session.linger = time;
        self
    }

    /// Bytes of a message that are accepted from the server. Default: 16 MiB.
    pub fn max_frame(mut self, bytes: usize) -> Self {
        self.options.session.max_payload = bytes;
        self
    }

    /// Time that a message may take to arrive, from its first byte to its last. Default: 30 s.
    pub fn frame_timeout(mut self, timeout: Duration) -> Self {
        self.options.session.frame_timeout = timeout;
        self
    }

    /// Time that the server has to take what is sent, in steps of 16 KiB, before it is given up. Default:
    /// 30 s.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.options.stall_timeout = timeout;
        self
    }

    /// Time without traffic before the kernel asks whether the server is still there; `None` if never.
    /// Nothing of it is seen by programs. Default: 15 s.
    pub fn keep_alive(mut self, idle: Option<Duration>) -> Self {
        self.options.liveness.keep_alive = idle;
        self
    }

    /// Time without a confirmation from the server's kernel after which it counts as gone (Linux; others
    /// count unanswered questions). Default: 30 s.
    pub fn dead_peer_timeout(mut self, timeout: Duration) -> Self {
        self.options.liveness.dead_after = timeout;
        self
    }

    /// What may wait to be sent, in messages and in bytes; more is an error or a wait. Default:
    /// 100 000 messages, 64 MiB.
    pub fn send_limits(mut self, messages: usize, bytes: usize) -> Self {
        self.options.send_limits = Limits { messages, bytes };
        self
    }

    /// Bytes that may wait to be received before the client stops reading. Default: 64 MiB.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.options.receive_bytes = bytes;
        self
    }
}
