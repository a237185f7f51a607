//! Every option of a server session: unit, default, and why.

use std::time::Duration;

use super::super::handshake::{Handshake, MAX_PERIOD};
use super::super::payload;
use super::super::session_id::SessionId;
use super::super::transport::Transport;

/// How a server treats its sessions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Transports that clients may use, in any order. Default: all.
    pub transports: Vec<Transport>,
    /// Whether a polling session may go on over a WebSocket. Default: yes.
    pub allow_upgrades: bool,
    /// Time between a pong, or the handshake, and the next ping. Default: 25 s, as the Node server and
    /// python-engineio; below the idle time after which most proxies cut a connection (60 s).
    pub ping_interval: Duration,
    /// Time that a client has to answer a ping. Default: 20 s, as the Node server and python-engineio.
    pub ping_timeout: Duration,
    /// Time from the request for a WebSocket to the end of the upgrade. The session goes on over
    /// polling when it is over. Default: 10 s, as the Node server.
    pub upgrade_timeout: Duration,
    /// Time that a closed polling session waits for a GET that takes its last packets. Default: 30 s,
    /// as the Node server.
    pub close_timeout: Duration,
    /// Bytes of a polling body or a WebSocket message from a client; more ends the session. Clients
    /// are told. Default: 1 000 000, as the Node server and python-engineio.
    pub max_payload: usize,
    /// Time that a message may take to arrive over a WebSocket, from its first byte to its last; more
    /// ends the session. Default: 30 s.
    pub message_timeout: Duration,
    /// Packets in one answer to a GET. Default: 16, the most that python-engineio's client takes.
    pub max_poll_packets: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transports: Transport::ALL.to_vec(),
            allow_upgrades: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(30),
            max_payload: 1_000_000,
            message_timeout: Duration::from_secs(30),
            max_poll_packets: payload::MAX_PACKETS,
        }
    }
}

impl Config {
    /// The same with every time cut to [`MAX_PERIOD`], and the transports in order and without
    /// repetition.
    pub fn normalised(mut self) -> Self {
        for period in [
            &mut self.ping_interval,
            &mut self.ping_timeout,
            &mut self.upgrade_timeout,
            &mut self.close_timeout,
        ] {
            *period = (*period).min(MAX_PERIOD);
        }
        self.transports.sort_unstable();
        self.transports.dedup();
        self
    }

    /// Where a session on `transport` may go from there.
    pub fn upgrades(&self, transport: Transport) -> Vec<Transport> {
        let websocket = self.transports.contains(&Transport::WebSocket);
        match transport {
            Transport::Polling if self.allow_upgrades && websocket => vec![Transport::WebSocket],
            Transport::Polling | Transport::WebSocket => vec![],
        }
    }

    /// What a client that opens a session on `transport` is told.
    pub fn handshake(&self, sid: SessionId, transport: Transport) -> Handshake {
        Handshake {
            sid,
            upgrades: self.upgrades(transport),
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            max_payload: Some(self.max_payload),
        }
    }
}
