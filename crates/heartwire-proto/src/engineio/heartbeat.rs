//! The heartbeat: the server pings at intervals, the client answers, and each knows when the other is
//! gone.
//!
//! ```text
//! server:  Resting ──(interval over: ping)──► AwaitingPong ──(anything heard: wait longer)──┐
//!             ▲                                 │   │  ▲────────────────────────────────────┘
//!             └───────────────(pong)────────────┘   └──(timeout over)──► Dead
//!
//! client:  Listening ──(anything heard: wait longer)──► Listening ──(interval + timeout over)──► Dead
//! ```
//!
//! The deadlines belong to the session, not to its transport: they run on through an upgrade.
//!
//! Source: Engine.IO protocol v4, § Heartbeat.

use std::time::{Duration, Instant};

use crate::shared::wall_clock;

/// The server's half.
///
/// Interval and timeout are the same for all sessions of a server, so they are arguments.
#[derive(Debug)]
pub(super) enum ServerHeartbeat {
    Resting { ping_at: Instant },
    AwaitingPong { dead_at: Instant },
    Dead,
}

/// What the session has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HeartbeatAction {
    /// The peer was not heard in time.
    CloseSession,
    /// Send a ping.
    SendPing,
}

impl ServerHeartbeat {
    /// Starts resting at `now`; the first ping is due after `interval`.
    pub(super) fn new(now: Instant, interval: Duration) -> Self {
        Self::Resting { ping_at: now + interval }
    }

    /// Moves time forward to `now` and says what the session has to do.
    pub(super) fn handle_time(
        &mut self,
        now: Instant,
        timeout: Duration,
    ) -> Option<HeartbeatAction> {
        let now = wall_clock(now);
        match *self {
            Self::Resting { ping_at } if ping_at <= now => {
                let due = now - ping_at <= TIMER_SLACK.min(timeout / 10);
                let since = if due { ping_at } else { now };
                *self = Self::AwaitingPong { dead_at: since + timeout };
                Some(HeartbeatAction::SendPing)
            }
            Self::AwaitingPong { dead_at } if dead_at <= now => {
                *self = Self::Dead;
                Some(HeartbeatAction::CloseSession)
            }
            Self::Resting { .. } | Self::AwaitingPong { .. } | Self::Dead => None,
        }
    }

    /// Takes a pong. One that was not asked for moves the next ping away, as in the Node server.
    pub(super) fn handle_pong(&mut self, now: Instant, interval: Duration) {
        match self {
            Self::Resting { .. } | Self::AwaitingPong { .. } => {
                *self = Self::Resting { ping_at: now + interval };
            }
            Self::Dead => {}
        }
    }

    /// Takes any other sign of life, or the news that nobody listens: the pong may be on its way
    /// behind something large.
    pub(super) fn handle_traffic(&mut self, now: Instant, timeout: Duration) {
        if let Self::AwaitingPong { dead_at } = self {
            *dead_at = now + timeout;
        }
    }

    /// Whether the peer was not heard in time, although [`handle_time`](Self::handle_time) was not
    /// called yet.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        match self {
            Self::AwaitingPong { dead_at } => *dead_at <= now,
            Self::Resting { .. } | Self::Dead => false,
        }
    }

    /// When [`handle_time`](Self::handle_time) wants to be called next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Resting { ping_at } => Some(*ping_at),
            Self::AwaitingPong { dead_at } => Some(*dead_at),
            Self::Dead => None,
        }
    }
}

/// The client's half.
#[derive(Debug)]
pub(super) struct ClientHeartbeat {
    /// Interval and timeout together.
    patience: Duration,
    dead_at: Instant,
}

impl ClientHeartbeat {
    /// Starts listening at `now`.
    pub(super) fn new(now: Instant, interval: Duration, timeout: Duration) -> Self {
        let patience = interval + timeout;
        Self { patience, dead_at: now + patience }
    }

    /// Takes any sign of life.
    pub(super) fn handle_traffic(&mut self, now: Instant) {
        self.dead_at = now + self.patience;
    }

    /// Whether the server was silent for too long.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.dead_at <= now
    }

    /// When the server is silent for too long.
    pub(super) fn next_deadline(&self) -> Instant {
        self.dead_at
    }
}

/// Timers are a little late, always, and the sum of interval and timeout is what clients go by: so much
/// does not lengthen it. A ping that is later than this, because the machine was asleep, has its whole
/// timeout.
const TIMER_SLACK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(25);
    const TIMEOUT: Duration = Duration::from_secs(20);

    #[test]
    fn silent_client_is_closed_after_interval_plus_timeout() {
        let start = start();
        let mut heartbeat = ServerHeartbeat::new(start, INTERVAL);
        assert_eq!(heartbeat.handle_time(start, TIMEOUT), None);
        assert_eq!(
            heartbeat.handle_time(start + INTERVAL, TIMEOUT),
            Some(HeartbeatAction::SendPing)
        );
        assert_eq!(heartbeat.handle_time(start + INTERVAL, TIMEOUT), None, "one ping at a time");
        assert_eq!(heartbeat.next_deadline(), Some(start + INTERVAL + TIMEOUT));
        assert_eq!(
            heartbeat.handle_time(start + INTERVAL + TIMEOUT, TIMEOUT),
            Some(HeartbeatAction::CloseSession)
        );
        assert_eq!(heartbeat.next_deadline(), None);
    }

    #[test]
    fn a_timer_that_is_late_does_not_lengthen_the_wait() {
        let start = start();
        let mut heartbeat = ServerHeartbeat::new(start, INTERVAL);
        heartbeat.handle_time(start + INTERVAL + TIMER_SLACK, TIMEOUT);
        assert!(!heartbeat.is_overdue(start + INTERVAL + TIMEOUT - Duration::from_millis(1)));
        assert!(heartbeat.is_overdue(start + INTERVAL + TIMEOUT));
        assert_eq!(heartbeat.next_deadline(), Some(start + INTERVAL + TIMEOUT));
    }

    #[test]
    fn a_ping_after_a_long_sleep_has_its_whole_timeout() {
        let mut now = start();
        let mut heartbeat = ServerHeartbeat::new(now, INTERVAL);
        now += INTERVAL * 10;
        heartbeat.handle_time(now, TIMEOUT);
        assert_eq!(heartbeat.next_deadline(), Some(now + TIMEOUT));
    }

    #[test]
    fn pongs_keep_a_session_alive() {
        let mut now = start();
        let mut heartbeat = ServerHeartbeat::new(now, INTERVAL);
        for _ in 0..1000 {
            now += INTERVAL;
            assert_eq!(heartbeat.handle_time(now, TIMEOUT), Some(HeartbeatAction::SendPing));
            now += TIMEOUT - Duration::from_millis(1);
            assert_eq!(heartbeat.handle_time(now, TIMEOUT), None);
            heartbeat.handle_pong(now, INTERVAL);
        }
    }

    #[test]
    fn traffic_lets_a_pong_be_late() {
        let mut now = start();
        let mut heartbeat = ServerHeartbeat::new(now, INTERVAL);
        now += INTERVAL;
        heartbeat.handle_time(now, TIMEOUT);
        now += TIMEOUT - Duration::from_millis(1);
        heartbeat.handle_traffic(now, TIMEOUT);
        now += TIMEOUT - Duration::from_millis(1);
        assert_eq!(heartbeat.handle_time(now, TIMEOUT), None);
        now += Duration::from_millis(1);
        assert_eq!(heartbeat.handle_time(now, TIMEOUT), Some(HeartbeatAction::CloseSession));
    }

    #[test]
    fn traffic_between_pings_does_not_delay_the_next() {
        let start = start();
        let mut heartbeat = ServerHeartbeat::new(start, INTERVAL);
        heartbeat.handle_traffic(start + INTERVAL / 2, TIMEOUT);
        assert_eq!(heartbeat.next_deadline(), Some(start + INTERVAL));
    }

    #[test]
    fn silent_server_is_given_up_after_interval_plus_timeout() {
        let start = start();
        let mut heartbeat = ClientHeartbeat::new(start, INTERVAL, TIMEOUT);
        assert!(!heartbeat.is_dead(start + INTERVAL + TIMEOUT - Duration::from_millis(1)));
        assert!(heartbeat.is_dead(start + INTERVAL + TIMEOUT));
        heartbeat.handle_traffic(start + INTERVAL);
        assert!(!heartbeat.is_dead(start + INTERVAL + TIMEOUT));
        assert_eq!(heartbeat.next_deadline(), start + INTERVAL + INTERVAL + TIMEOUT);
    }

    /// Any moment will do: the code under test reads no clock.
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other constructor")]
    fn start() -> Instant {
        Instant::now()
    }
}
