//! A timer that is only set again when it has fired, or when something is due earlier: a deadline that
//! moves away, as a heartbeat's does with each sign of life, costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project_lite::pin_project;
use tokio::time::Sleep;

pin_project! {
    /// A timer for deadlines that move.
    pub(crate) struct Alarm {
        // When the timer fires; `None` while it is not set.
        armed: Option<Instant>,
        #[pin]
        timer: Sleep,
    }
}

impl Alarm {
    /// A timer that is not set. It needs a tokio runtime.
    pub(crate) fn new() -> Self {
        let timer = tokio::time::sleep_until(tokio::time::Instant::now());
        Self { armed: None, timer }
    }

    /// Whether it has fired by `now`. If so, it is not set any more.
    pub(crate) fn has_fired(self: Pin<&mut Self>, now: Instant) -> bool {
        let this = self.project();
        let fired = this.armed.is_some_and(|at| at <= now);
        if fired {
            *this.armed = None;
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
        let mut this = self.project();
        if this.armed.is_some_and(|at| at <= deadline) {
            return Poll::Pending;
        }
        *this.armed = Some(deadline);
        this.timer.as_mut().reset(deadline.into());
        this.timer.poll(cx)
    }
}
