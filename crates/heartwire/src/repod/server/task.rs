//! The task of a channel: its driver, its timer, and the user's future.
//!
//! ```text
//! Open ──(connection ended)──► Farewell ──► Done
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use heartwire_proto::repod::{DisconnectReason, MessageRef, Role};
use pin_project_lite::pin_project;

use super::super::driver::{Driver, End, Ends, Replies, User};
use super::application::{Application, Context};
use super::channel::Channel;
use super::engine::Engine;
use crate::admission::Ticket;
use crate::alarm::Alarm;
use crate::callback::{UserFuture, guard, poll_user};
use crate::stream::Stream;

pin_project! {
    /// The task of a channel.
    pub(super) struct ChannelTask {
        engine: Arc<Engine>,
        channel: Channel,
        stage: Stage,
        user: Option<UserFuture>,
        ticket: Ticket,
        #[pin]
        alarm: Alarm,
    }

    impl PinnedDrop for ChannelTask {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // If the task ends before its connection, as when the runtime stops, that ends with it.
            this.engine.finish(this.channel, DisconnectReason::ConnectionError, None, 0);
            this.engine.lifecycle.task_ended();
        }
    }
}

enum Stage {
    Open(Box<Driver>),
    /// The connection has ended; what was sent is on its way, and the stream is being closed.
    Farewell(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Only the user's future may still run.
    Done,
}

impl ChannelTask {
    /// The task of a channel that is open and counted. Tells the user.
    pub(super) fn new(
        engine: Arc<Engine>,
        channel: Channel,
        stream: Stream,
        ticket: Ticket,
    ) -> Self {
        let options = &engine.options;
        let (config, stall) = (options.session, options.stall_timeout);
        let driver = Driver::open(Instant::now(), stream, config, Role::Server, stall);
        let stage = Stage::Open(Box::new(driver));
        let mut task = Self { engine, channel, stage, user: None, ticket, alarm: Alarm::new() };
        task.user = task.engine.application().and_then(|user| user.connect(&task.channel));
        task
    }

    /// Does what the stage can do now. Ready when the stage has changed, or the timer has fired
    /// already.
    fn poll_stage(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let now = Instant::now();
        let this = self.as_mut().project();
        let fired = this.alarm.has_fired(now);
        let shared = &this.channel.shared;
        let deadline = match this.stage {
            Stage::Open(driver) => {
                let mut user =
                    ServerUser { channel: this.channel, application: this.engine.application() };
                if fired {
                    driver.handle_time(now, user.has_room(cx));
                }
                let ends = Ends { mailbox: &shared.mailbox, traffic: &shared.traffic };
                match driver.poll(cx, now, ends, &mut user) {
                    Poll::Pending => driver.next_deadline(),
                    Poll::Ready(end) => {
                        let Stage::Open(driver) = std::mem::replace(this.stage, Stage::Done) else {
                            unreachable!("it was matched above");
                        };
                        let (engine, channel) = (this.engine.clone(), this.channel.clone());
                        let bye = say_goodbye(engine, channel, driver, end);
                        *this.stage = Stage::Farewell(Box::pin(bye));
                        return Poll::Ready(());
                    }
                }
            }
            Stage::Farewell(farewell) => {
                if farewell.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                *this.stage = Stage::Done;
                return Poll::Ready(());
            }
            Stage::Done => return Poll::Pending,
        };
        self.project().alarm.poll_at(cx, deadline)
    }
}

impl Future for ChannelTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            let progress = self.as_mut().poll_stage(cx);
            // What it sends or closes wakes this task again.
            let this = self.as_mut().project();
            if poll_user(this.user, cx, this.channel.id()) {
                this.channel.close();
            }
            if let (Stage::Done, None) = (&self.stage, &self.user) {
                return Poll::Ready(());
            }
            if progress.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The application, for the messages of one channel.
struct ServerUser<'a> {
    channel: &'a Channel,
    application: Option<&'a Application>,
}

impl User for ServerUser<'_> {
    fn has_room(&self, cx: &TaskContext<'_>) -> bool {
        self.application.is_none_or(|application| application.has_room(self.channel, cx))
    }

    #[inline]
    fn take(&mut self, message: MessageRef<'_>, replies: &mut Replies<'_>) {
        match (self.application, &self.channel.shared.inbox) {
            (Some(Application::Handler(handler)), _) => {
                let mut context = Context::new(self.channel, replies);
                guard(self.channel.id(), "message", || handler.message(&mut context, message));
            }
            (_, Some(inbox)) => inbox.push(message.to_message()),
            (_, None) => {}
        }
    }
}

/// Sends what is unsent, tells the user, and closes the stream.
async fn say_goodbye(engine: Arc<Engine>, channel: Channel, driver: Box<Driver>, end: End) {
    let cut_off = engine.lifecycle.stopped();
    let (link, deadline, unsent) = driver.finish(end.reason, cut_off).await;
    engine.finish(&channel, end.reason, end.detail, unsent);
    drop(channel);
    tokio::select! {
        () = link.farewell(deadline.saturating_duration_since(Instant::now())) => {}
        () = engine.lifecycle.stopped() => {}
    }
}
