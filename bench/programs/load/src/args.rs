//! What is asked for.

use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Loads a server on this machine and prints what it has measured, as one line of JSON.
#[derive(Clone, Debug, Parser)]
pub struct Args {
    pub mode: Mode,
    /// The server's port on 127.0.0.1
    #[arg(long)]
    pub port: u16,
    /// The server's process, for its time and memory
    #[arg(long)]
    pub process: u32,
    #[arg(long, default_value = "engineio")]
    pub protocol: Protocol,
    #[arg(long, default_value = "/engine.io/")]
    pub path: String,
    #[arg(long, default_value_t = 100)]
    pub connections: usize,
    /// Messages that each connection has in flight
    #[arg(long, default_value_t = 1)]
    pub depth: usize,
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    pub size: usize,
    /// Whether messages are bytes, not text
    #[arg(long)]
    pub binary: bool,
    /// Messages a second over all connections, in turn, instead of as many as the server answers
    #[arg(long)]
    pub rate: Option<u64>,
    /// Whether a poll is in flight while a session upgrades
    #[arg(long)]
    pub pending: bool,
    /// Seconds that are measured
    #[arg(long, default_value = "1.5", value_parser = seconds)]
    pub seconds: Duration,
    /// Seconds before that
    #[arg(long, default_value = "0.5", value_parser = seconds)]
    pub warm_up: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Mode {
    /// Messages that the server sends back
    Echo,
    /// Messages of one client that the server sends to all
    Broadcast,
    /// Memory of connections that idle
    Idle,
    /// Messages that the server sends back, each by a POST and a GET
    Polling,
    /// Memory of sessions with a poll in flight
    IdlePolling,
    /// Sessions that open, upgrade, echo once, and end
    Upgrade,
    /// One message after the other over a socket that blocks
    RoundTrip,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Protocol {
    Engineio,
    /// A WebSocket without packets
    Websocket,
    /// Frames of repod, after the server's greeting
    Repod,
    /// The same without a greeting
    Tcp,
    /// Requests that are answered at once
    Http,
}

/// Not more than anybody waits for.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=20.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, at most 20".to_owned()),
    }
}
