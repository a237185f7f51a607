//! How the kernel finds out that a peer is gone which did not say so: repod has no heartbeat of its own.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How the kernel finds out that a peer is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Liveness {
    /// Time without traffic before the kernel asks whether the peer is there; `None` if never.
    pub(super) keep_alive: Option<Duration>,
    /// Time without a confirmation from the peer's kernel after which the connection counts as broken.
    pub(super) dead_after: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { keep_alive: Some(seconds(15)), dead_after: seconds(30) }
    }
}

impl Liveness {
    /// Tells the kernel, and that small messages must not wait for each other.
    pub(super) fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if let Some(idle) = self.keep_alive {
            // What systems take, in whole seconds.
            let idle = idle.clamp(Duration::from_secs(1), MAX_IDLE);
            let interval = (idle / PROBES).max(Duration::from_secs(1));
            let keep_alive = TcpKeepalive::new().with_time(idle).with_interval(interval);
            #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
            let keep_alive = keep_alive.with_retries(PROBES);
            socket.set_tcp_keepalive(&keep_alive)?;
        }
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(self.dead_after.min(MAX_DEAD_AFTER)))?;
        Ok(())
    }
}

/// Questions without an answer after which the peer is gone, where the system has no time limit for that.
const PROBES: u32 = 3;

/// Linux takes no longer times.
const MAX_IDLE: Duration = Duration::from_secs(32767);

/// Linux counts milliseconds in 31 bits.
#[cfg(target_os = "linux")]
const MAX_DEAD_AFTER: Duration = Duration::from_millis(i32::MAX as u64);

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_is_told() {
        let seconds = Duration::from_secs;
        told(Liveness::default(), Some((seconds(15), seconds(5))), seconds(30)).await;
        let options = Liveness { keep_alive: Some(seconds(60)), dead_after: seconds(7) };
        told(options, Some((seconds(60), seconds(20))), seconds(7)).await;
        told(Liveness { keep_alive: None, ..options }, None, seconds(7)).await;
    }

    #[tokio::test]
    async fn times_that_no_system_takes_are_cut() {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(32767));
        let endless = Liveness { keep_alive: Some(Duration::MAX), dead_after: Duration::MAX };
        told(endless, Some((most, most / 3)), Duration::from_millis(i32::MAX as u64)).await;
        let hasty =
            Liveness { keep_alive: Some(Duration::from_millis(1)), dead_after: Duration::ZERO };
        told(hasty, Some((least, least)), Duration::ZERO).await;
    }

    /// Checks what a socket says after `liveness` was applied: the times of keep-alive, if it is on, and
    /// the time until a peer counts as dead.
    async fn told(
        liveness: Liveness,
        keep_alive: Option<(Duration, Duration)>,
        dead_after: Duration,
    ) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        liveness.apply(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert_eq!(socket.keepalive().unwrap(), keep_alive.is_some());
        if let Some((idle, interval)) = keep_alive {
            let seconds = |time: Duration| Duration::from_secs(time.as_secs());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), idle);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(interval));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        }
        assert_eq!(socket.tcp_user_timeout().unwrap().unwrap_or_default(), dead_after);
    }
}
