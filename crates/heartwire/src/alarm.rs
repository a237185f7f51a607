//! A timer that is only set again when it has fired, or when something is due earlier: a deadline that
//! moves away, as a heartbeat's does with each sign of life, costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
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
        timer.poll(cx)
    }
}

/// Ten years: longer than a program runs, and short enough for every clock.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
