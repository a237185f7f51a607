//! A timer that is only set again when it has fired, or when something is due earlier: a deadline that
//! moves away, as a heartbeat's does with each sign of life, costs nothing.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

pin_project! {
    /// A timer for deadlines that move. While it is not set, it is set for a time that never comes: every
    /// connection has one, so nothing is kept besides.
    pub(crate) struct Alarm {
        #[pin]
        timer: Sleep,
    }
}

impl Alarm {
    /// A timer that is not set. It needs a tokio runtime.
    pub(crate) fn new() -> Self {
        Self { timer: tokio::time::sleep(NEVER) }
    }

    /// Whether it has fired by `now`. If so, it is not set any more.
    pub(crate) fn has_fired(self: Pin<&mut Self>, now: Instant) -> bool {
        let fired = self.timer.deadline().into_std() <= now;
        if fired {
            self.project().timer.reset((now + NEVER).into());
        }
        fired
    }

    /// Sees to it that the task is woken at `deadline` at the latest. Ready if that is now.
    pub(crate) fn poll_at(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.timer.deadline().into_std() <= deadline {
            return Poll::Pending;
        }
        let mut timer = self.project().timer;
        timer.as_mut().reset(deadline.into());
        // A task that has used up its turn would be sent away before the timer knows whom to wake, and the
        // timer, being set, is not polled again.
        pin!(unconstrained(timer)).poll(cx)
    }
}

/// Ten years: longer than a program runs, and short enough for every clock.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::task::coop::consume_budget;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_set_at_the_end_of_a_turn_wakes() {
        let mut alarm = pin!(Alarm::new());
        let deadline = tokio::time::Instant::now().into_std() + Duration::from_secs(1);
        let mut turns = 0;
        poll_fn(|cx| {
            turns += 1;
            if turns == 1 {
                // As much as a task may do in a turn.
                while pin!(consume_budget()).poll(cx).is_ready() {}
            }
            let now = tokio::time::Instant::now().into_std();
            if alarm.as_mut().has_fired(now) {
                return Poll::Ready(());
            }
            alarm.as_mut().poll_at(cx, Some(deadline))
        })
        .await;
        assert!(tokio::time::Instant::now().into_std() >= deadline);
    }
}
