//! One connection, as either end sees it.
//!
//! ```text
//! Open ──(close())──► Lingering ──(everything sent, or too late)──► Closed
//!   └──(peer closed, fault, limit exceeded)───────────────────────────▲
//! ```
//!
//! A server greets first; a client says nothing unasked. Whatever a peer sends is a message and no more:
//! nothing that it says changes the state of this side.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::disconnect::DisconnectReason;
use super::frame::FrameTooLong;
use super::message::MessageRef;
use super::value::DecodeError;
use crate::shared::{Ending, Mutant, SendQueue, Weight, after, earliest};

/// How a connection is treated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// Bytes of a payload that are accepted. Default: 16 MiB; repod itself has no limit.
    pub max_payload: usize,
    /// Time from the first byte of a frame to its last. Default: 30 s.
    pub frame_timeout: Duration,
    /// Time for what waits to be sent when the connection is closed. Default: 1 s.
    pub linger: Duration,
    /// Messages in a second that are accepted from the peer, and as many at once. Default: no limit.
    pub max_rate: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_payload: 16 << 20,
            frame_timeout: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            max_rate: None,
        }
    }
}

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It has connected.
    Client,
    /// It was connected to, and greets.
    Server,
}

/// One connection, as either end sees it.
///
/// After every call, call [`poll_output`](Self::poll_output) until it returns `None`.
#[derive(Debug)]
pub struct Session<T> {
    config: Config,
    state: State,
    outputs: VecDeque<Output<T>>,
}

/// An order to the driver.
#[derive(Debug, PartialEq)]
pub enum Output<T> {
    /// Send [`GREETING`].
    Greet,
    /// Send this.
    Send(T),
    /// Close the connection when everything before this is sent.
    CloseSocket,
    /// The connection has ended: tell the user. Nothing follows. What the queue holds was not sent.
    Closed(DisconnectReason),
}

/// How the byte stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketEnd {
    /// The peer has closed it.
    Closed,
    /// Reading or writing failed.
    Failed,
    /// The peer announced a frame that is too long.
    TooLong(FrameTooLong),
    /// The peer has taken nothing for too long.
    Stalled,
}

#[derive(Debug)]
enum State {
    Open(Open),
    Lingering {
        until: Instant,
    },
    /// If the user has closed it: what was sent may take until then to go.
    Closed {
        until: Option<Instant>,
    },
}

#[derive(Debug)]
struct Open {
    /// When the frame began that has not ended.
    frame_began: Option<Instant>,
    rate: Rate,
}

/// Counts messages against the limit: a bucket that is full at first and refills steadily.
#[derive(Debug)]
struct Rate {
    left: f64,
    at: Instant,
}

impl<T: Weight> Session<T> {
    /// Opens a connection at `now`.
    pub fn open(now: Instant, config: Config, role: Role) -> Self {
        let outputs = match role {
            Role::Client => VecDeque::new(),
            Role::Server => VecDeque::from([Output::Greet]),
        };
        let rate = Rate { left: config.max_rate.map_or(0.0, f64::from), at: now };
        Self { config, state: State::Open(Open { frame_began: None, rate }), outputs }
    }

    /// Takes the payload of a frame, and returns the message, if it is one.
    ///
    /// # Errors
    ///
    /// The payload is malformed, for the driver's log: the session has ended already.
    pub fn handle_payload<'a>(
        &mut self,
        now: Instant,
        payload: &'a [u8],
    ) -> Result<Option<MessageRef<'a>>, DecodeError> {
        let State::Open(open) = &mut self.state else { return Ok(None) };
        open.frame_began = None;
        if self.config.max_rate.is_some_and(|max| !open.rate.take(now, max)) {
            self.end(DisconnectReason::RateExceeded);
            return Ok(None);
        }
        match MessageRef::decode(payload) {
            Ok(Some(message))
                if Mutant::BelievesPeer.is_back() && message.action() == "disconnected" =>
            {
                self.state = State::Closed { until: None };
                Ok(None)
            }
            Ok(message) => Ok(message),
            Err(error) if Mutant::StopsAfterFault.is_back() => {
                self.state = State::Lingering { until: after(now, Duration::MAX) };
                Err(error)
            }
            Err(error) => {
                self.end(DisconnectReason::ProtocolError);
                Err(error)
            }
        }
    }

    /// Takes the news that a frame has begun and not ended.
    pub fn handle_partial(&mut self, now: Instant) {
        if let State::Open(open) = &mut self.state {
            open.frame_began.get_or_insert(now);
        }
    }

    /// Takes the news that the byte stream has ended.
    pub fn handle_socket_end(&mut self, end: SocketEnd) {
        if Mutant::KeepsZombie.is_back() && end == SocketEnd::Failed {
            return;
        }
        self.end(match end {
            SocketEnd::Closed => DisconnectReason::PeerClosed,
            SocketEnd::Failed => DisconnectReason::ConnectionError,
            SocketEnd::TooLong(_) => DisconnectReason::TooLarge,
            SocketEnd::Stalled => DisconnectReason::SlowPeer,
        });
    }

    /// Moves time forward to `now`. `listening` says whether the driver reads what arrives: where this
    /// side does not, the peer cannot be late.
    pub fn handle_time(&mut self, now: Instant, listening: bool) {
        match &mut self.state {
            State::Open(Open { frame_began: Some(began), .. }) => {
                if !listening {
                    *began = now;
                } else if after(*began, self.config.frame_timeout) <= now {
                    self.end(DisconnectReason::FrameTimeout);
                }
            }
            State::Lingering { until } if *until <= now => self.end(DisconnectReason::Closed),
            State::Open(_) | State::Lingering { .. } | State::Closed { .. } => {}
        }
    }

    /// The next order, given what the user wants sent. Stop asking while the stream cannot take more:
    /// what is not asked for stays in `queue`.
    #[inline]
    pub fn poll_output(&mut self, now: Instant, queue: &mut SendQueue<T>) -> Option<Output<T>> {
        loop {
            if let Some(order) = self.outputs.pop_front() {
                return Some(order);
            }
            if let State::Closed { .. } = self.state {
                return None;
            }
            self.handle_ending(now, queue.ending());
            match queue.ending() {
                Ending::Open => return queue.pop().map(Output::Send),
                Ending::Flush => match queue.pop() {
                    Some(message) => return Some(Output::Send(message)),
                    None => self.end(DisconnectReason::Closed),
                },
                Ending::Discard => {}
            }
        }
    }

    /// Takes the news of how the user wants the connection to end, if at all. `poll_output` does that,
    /// too; a driver that does not ask for output, because the stream takes none, tells it this way.
    pub fn handle_ending(&mut self, now: Instant, ending: Ending) {
        match (ending, &self.state) {
            (Ending::Flush, State::Open(_)) => {
                self.state = State::Lingering { until: after(now, self.config.linger) };
            }
            (Ending::Discard, State::Open(_) | State::Lingering { .. }) => {
                if let State::Lingering { until } = &mut self.state {
                    *until = now.min(*until);
                }
                self.end(DisconnectReason::Closed);
            }
            (Ending::Open, _) | (_, State::Lingering { .. } | State::Closed { .. }) => {}
        }
    }

    /// Whether [`poll_output`](Self::poll_output) has something to say that does not depend on the
    /// queue.
    pub fn has_orders(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// When [`handle_time`](Self::handle_time) wants to be called next.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Open(open) => {
                earliest([open.frame_began.map(|began| after(began, self.config.frame_timeout))])
            }
            State::Lingering { until } => Some(*until),
            State::Closed { .. } => None,
        }
    }

    /// Whether messages of the peer are still taken: neither side has ended the connection.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// By when what was ordered has to be sent once the connection has ended: the end of the linger time
    /// if the user has closed it, and as long from `now` otherwise.
    pub fn farewell_deadline(&self, now: Instant) -> Instant {
        match self.state {
            State::Lingering { until } | State::Closed { until: Some(until) } => until,
            State::Open(_) | State::Closed { until: None } => after(now, self.config.linger),
        }
    }

    fn end(&mut self, reason: DisconnectReason) {
        if !self.is_closed() {
            let until = match self.state {
                State::Lingering { until } => Some(until),
                State::Open(_) | State::Closed { .. } => None,
            };
            self.state = State::Closed { until };
            self.outputs.extend([Output::CloseSocket, Output::Closed(reason)]);
        }
    }
}

impl Rate {
    /// Takes one message out of the bucket, if one is left.
    fn take(&mut self, now: Instant, max: u32) -> bool {
        let max = f64::from(max);
        let refill = now.saturating_duration_since(self.at).as_secs_f64() * max;
        self.left = (self.left + refill).min(max);
        self.at = now;
        let taken = self.left >= 1.0;
        if taken {
            self.left -= 1.0;
        }
        taken
    }
}

/// What a server sends first: `{"action": "connected"}`.
pub const GREETING: &[u8; 22] = b"\x00\x00\x00\x12\x81\xa6action\xa9connected";
