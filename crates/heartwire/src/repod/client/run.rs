//! The life of a client: connect, hold the connection, connect again.

use std::borrow::Cow;
use std::future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use heartwire_proto::repod::{Config, DisconnectReason, MessageRef, Role};
use tokio::sync::oneshot;

use super::super::disconnected::Disconnected;
use super::super::driver::{Driver, Replies, User};
use super::dial::{dial, left_to_linger};
use super::error::ConnectError;
use super::event::{Event, State};
use super::options::Options;
use super::shared::Shared;
use crate::alarm::Alarm;
use crate::inbox::Inbox;
use crate::link::Link;
use crate::retry::Retry;
use crate::stream::Stream;

/// Who waits for the first connection, if anybody does.
pub(super) type Opened = Option<oneshot::Sender<Result<(), ConnectError>>>;

/// Runs a client until it has ended for good.
pub(super) async fn run(end: EndGuard, options: Options, mut opened: Opened) {
    let shared = &*end.0;
    let mut retry = Retry::default();
    let failure = loop {
        let failure = match dial(shared, &options).await {
            Ok((stream, addr)) => {
                retry.opened(Instant::now(), options.reconnect.as_ref());
                let opened = opened.take();
                let (link, deadline, for_good) = hold(shared, &options, stream, addr, opened).await;
                let farewell = link.farewell(deadline.saturating_duration_since(Instant::now()));
                if for_good {
                    // A process that ends before the server has everything may take it back.
                    farewell.await;
                    shared.inbox.close();
                    return;
                }
                tokio::spawn(farewell);
                None
            }
            // Whoever waits for the first connection decides what to do without it.
            Err(error) if opened.is_some() || !error.is_of_the_moment() => break Some(error),
            Err(error) => Some(error),
        };
        let attempt = retry.attempt();
        let Some((next, delay)) =
            retry.next(Instant::now(), options.reconnect.as_ref(), rand::random())
        else {
            break failure;
        };
        if let Some(error) = failure {
            shared.inbox.push(Event::ConnectFailed { attempt, error });
        }
        shared.inbox.push(Event::Reconnecting { attempt: next, delay });
        if shared.mailbox.sleep(delay).await.is_err() {
            break None;
        }
    };
    let unsent = shared.mailbox.close_and_drain().len();
    shared.status().state =
        if shared.closed_at.get().is_some() { State::Closed } else { State::Failed };
    match (opened, failure) {
        (Some(opened), Some(error)) => {
            let _ = opened.send(Err(error));
        }
        (None, Some(error)) => {
            shared.inbox.push(Event::ConnectFailed { attempt: retry.attempt(), error });
            shared.inbox.push(Event::GaveUp { unsent });
        }
        (_, None) => shared.inbox.push(Event::GaveUp { unsent }),
    }
    shared.inbox.close();
}

/// Holds a connection until it ends, and tells the user. Returns what is left of it, until when that may
/// be sent, and whether it was the last connection.
async fn hold(
    shared: &Shared,
    options: &Options,
    stream: Stream,
    addr: SocketAddr,
    opened: Opened,
) -> (Link, Instant, bool) {
    {
        let mut status = shared.status();
        status.state = State::Open;
        status.addr = Some(addr);
    }
    shared.inbox.push(Event::Connected { addr });
    if let Some(opened) = opened {
        let _ = opened.send(Ok(()));
    }
    let config = Config { linger: left_to_linger(shared, options), ..options.session };
    let now = Instant::now();
    let driver = Driver::open(now, stream, config, Role::Client, options.stall_timeout);
    *shared.driver() = Some(Box::new(driver));
    let mut alarm = pin!(Alarm::new());
    let mut user = ClientUser(&shared.inbox);
    let end = future::poll_fn(|cx| {
        let mut driver = shared.driver();
        let driver = driver.as_mut().expect("only this function takes it");
        loop {
            let now = Instant::now();
            if alarm.as_mut().has_fired(now) {
                driver.handle_time(now, shared.inbox.has_room());
            }
            if let Poll::Ready(end) = driver.poll(cx, now, shared.ends(), &mut user) {
                return Poll::Ready(end);
            }
            if alarm.as_mut().poll_at(cx, driver.next_deadline()).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
    let driver = shared.driver().take().expect("only this function takes it");
    let (link, deadline, mut unsent) = driver.finish(end.reason, future::pending()).await;
    let for_good = options.reconnect.is_none() || !is_of_the_moment(end.reason);
    if for_good {
        unsent += shared.mailbox.close_and_drain().len();
    }
    let detail = end.detail.map(Cow::Owned);
    let disconnected = Disconnected { reason: end.reason, detail, unsent };
    {
        let mut status = shared.status();
        status.state = if for_good { State::Closed } else { State::Connecting };
        status.addr = None;
        status.disconnected = Some(disconnected.clone());
    }
    shared.inbox.push(Event::Disconnected(disconnected));
    (link, deadline, for_good)
}

/// Ends the client if its task is dropped before it has, or has even begun, as when its runtime stops.
pub(super) struct EndGuard(pub(super) Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let shared = &*self.0;
        if shared.inbox.is_closed() {
            return;
        }
        let in_flight = shared.driver().take().map_or(0, |driver| driver.in_flight());
        let unsent = in_flight + shared.mailbox.close_and_drain().len();
        let mut status = shared.status();
        let event = match status.state {
            State::Open => {
                let reason = DisconnectReason::ConnectionError;
                let detail = Some(Cow::Borrowed("the runtime stopped"));
                let disconnected = Disconnected { reason, detail, unsent };
                status.disconnected = Some(disconnected.clone());
                Some(Event::Disconnected(disconnected))
            }
            State::Connecting => Some(Event::GaveUp { unsent }),
            State::Idle | State::Closed | State::Failed => None,
        };
        status.state = State::Closed;
        status.addr = None;
        drop(status);
        event.into_iter().for_each(|event| shared.inbox.push(event));
        shared.inbox.close();
    }
}

/// Whether another connection may fare better than one that ended like this.
fn is_of_the_moment(reason: DisconnectReason) -> bool {
    match reason {
        DisconnectReason::Closed
        | DisconnectReason::ProtocolError
        | DisconnectReason::TooLarge
        | DisconnectReason::RateExceeded => false,
        // A server that stops and one that throws a client out do the same.
        _ => true,
    }
}

/// The user of a client, for its messages.
struct ClientUser<'a>(&'a Inbox<Event>);

impl User for ClientUser<'_> {
    fn has_room(&self, cx: &Context<'_>) -> bool {
        self.0.poll_room(cx).is_ready()
    }

    #[inline]
    fn take(&mut self, message: MessageRef<'_>, _: &mut Replies<'_>) {
        self.0.push(Event::Message(message.to_message()));
    }
}
