//! Every option of a client session: unit, default, and why.

use std::time::Duration;

use super::super::payload;
use super::super::transport::Transport;

/// How a client treats its session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The transport that opens the session. Default: polling, which every network lets through.
    pub transport: Transport,
    /// Whether to go on over a WebSocket when the server offers it. Default: yes.
    pub upgrade: bool,
    /// Time from the request for the WebSocket to the end of the upgrade. The session goes on over
    /// polling when it is over. Default: 10 s, as servers wait.
    pub upgrade_timeout: Duration,
    /// Time that the end of a session may take: to send what waits and to tell the server, or, after a POST
    /// has failed, to hear what the server has sent before. Default: 5 s.
    pub close_timeout: Duration,
    /// Packets in one POST. Default: 16, the most that python-engineio's server takes; of a larger
    /// payload it delivers nothing.
    pub max_post_packets: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transport: Transport::Polling,
            upgrade: true,
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            max_post_packets: payload::MAX_PACKETS,
        }
    }
}
