//! A timer that is exact: those of the runtime round up to whole milliseconds, which a fast server's
//! answers do not take.

use std::io;
use std::time::Duration;

/// A timer of the kernel.
#[cfg(target_os = "linux")]
pub(super) struct Alarm(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Alarm {
    /// A timer on the current runtime.
    pub(super) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "what it warns of, a descriptor that changes, none that is owned does"
        )]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(Self(timer))
    }

    /// Waits.
    ///
    /// Cancel safety: another wait can follow at once.
    pub(super) async fn wait(&self, time: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let time = Timespec::try_from(time).map_err(|_| io::ErrorKind::InvalidInput)?;
        // With zero it would never ring.
        let it_value = if time == zero { Timespec { tv_sec: 0, tv_nsec: 1 } } else { time };
        timerfd_settime(
            self.0.get_ref(),
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: zero, it_value },
        )?;
        loop {
            let mut ready = self.0.readable().await?;
            // Setting it has forgotten that it rang: then there is nothing to read, and the runtime is told.
            let rung = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0; 8])?));
            if let Ok(rung) = rung {
                return rung.map(drop);
            }
        }
    }
}

/// The timer of the runtime.
#[cfg(not(target_os = "linux"))]
pub(super) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn wait(&self, time: Duration) -> io::Result<()> {
        tokio::time::sleep(time).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_never_rings_early() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let alarm = Alarm::new().unwrap();
            for micros in [0, 1, 300, 2500] {
                // One that nobody waits for any more rings for nobody.
                tokio::select! {
                    biased;
                    rung = alarm.wait(Duration::from_micros(1)) => rung.unwrap(),
                    () = std::future::ready(()) => {}
                }
                let (start, time) = (Instant::now(), Duration::from_micros(micros));
                alarm.wait(time).await.unwrap();
                assert!(start.elapsed() >= time, "{time:?}");
            }
        });
    }
}
