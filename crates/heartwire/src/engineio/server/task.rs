//! The task of a connection: its timer, its WebSocket, and the user's future.
//!
//! ```text
//! Upgrading ──(101 is sent)──► Socket ──► Farewell ──► Done
//! Polling ──(handed over)────────▲                      ▲
//!    └──────────────────────(session ended)─────────────┘
//! ```
//!
//! One task and one timer a connection. tokio gives a task whole multiples of 128 bytes, so what few
//! connections have is behind pointers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use heartwire_proto::engineio::server::ServerSession;
use heartwire_proto::engineio::{DisconnectReason, Transport};
use pin_project_lite::pin_project;

use super::connection::{Connection, Shared};
use super::engine::Engine;
use super::home::Home;
use super::probe::FAREWELL;
use super::pump;
use super::socket::Socket;
use super::upgraded::{Opened, Upgrade};
use crate::admission::Ticket;
use crate::alarm::Alarm;
use crate::callback::{self, UserFuture};

pin_project! {
    /// The task of a connection.
    pub(super) struct ConnectionTask {
        server: Arc<Engine>,
        connection: Connection,
        stage: Stage,
        companions: Option<Box<Companions>>,
        #[pin]
        alarm: Alarm,
    }

    impl PinnedDrop for ConnectionTask {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // Where the runtime stops, the application may keep the connection.
            drop(this.connection.shared.take_socket());
            this.server.task_ended(&this.connection.shared);
        }
    }
}

/// What goes with some connections.
struct Companions {
    /// Where connections are handled by futures, and until that returns.
    user: Option<UserFuture>,
    /// Where connections are limited.
    _ticket: Option<Box<Ticket>>,
}

impl Companions {
    fn new(user: Option<UserFuture>, ticket: Option<Box<Ticket>>) -> Option<Box<Self>> {
        let any = user.is_some() || ticket.is_some();
        any.then(|| Box::new(Self { user, _ticket: ticket }))
    }
}

enum Stage {
    /// The answer to the request for a WebSocket is being sent; nobody knows of the session yet.
    Upgrading(Box<Upgrade>),
    /// The session is with its requests; this task keeps its time.
    Polling,
    /// The session has its WebSocket, and rests at home between two turns of this task.
    Socket,
    /// The session has ended; the WebSocket is being closed.
    Farewell(Box<Farewell>),
    /// Only the user's future may still run.
    Done,
}

type Farewell = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ConnectionTask {
    /// The task of a session whose id was reserved: over a WebSocket, which opens when its request is
    /// answered, or over polling, which is opened now.
    pub(super) fn open(
        server: Arc<Engine>,
        shared: Arc<Shared>,
        upgrade: Option<Upgrade>,
        ticket: Option<Box<Ticket>>,
    ) -> Self {
        server.lifecycle.task_started();
        let connection = Connection { shared };
        let (stage, user) = match upgrade {
            Some(upgrade) => (Stage::Upgrading(Box::new(upgrade)), None),
            None => (Stage::Polling, server.announce(&connection)),
        };
        let companions = Companions::new(user, ticket);
        Self { server, connection, stage, companions, alarm: Alarm::new() }
    }

    /// Does what the stage can do now. Ready when the stage has changed, or the timer has fired
    /// already.
    fn poll_stage(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let this = self.as_mut().project();
        let fired = this.alarm.has_fired(now);
        let shared = &this.connection.shared;
        let patience = this.server.options.stall_timeout;
        let (next_stage, deadline) = match this.stage {
            Stage::Upgrading(upgrade) => match upgrade.poll(cx, this.server.max_payload()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(opened)) => {
                    let socket = open(cx, now, this.server, shared, opened);
                    let user = this.server.announce(this.connection);
                    match this.companions {
                        Some(companions) => companions.user = user,
                        none => *none = Companions::new(user, None),
                    }
                    shared.rest_socket(Box::new(socket));
                    (Some(Stage::Socket), None)
                }
                // The client has gone before it could be told its session's id.
                Poll::Ready(None) => (Some(Stage::Done), None),
            },
            Stage::Polling => {
                shared.mailbox.lock().wake_owner_with(cx);
                let mut home = shared.home();
                match &mut *home {
                    Home::Task { .. } => {
                        drop(home);
                        this.server.application().upgraded(this.connection);
                        (Some(Stage::Socket), None)
                    }
                    Home::Polling(polling) => {
                        if fired {
                            polling.session.handle_time(now, shared.listens());
                        }
                        polling.armed = Some(now); // nothing to be woken for: it is set below
                        let end = polling.drive(now, &shared.mailbox);
                        let deadline = polling.session.next_deadline();
                        polling.armed = deadline;
                        let over = polling.is_over();
                        drop(home);
                        this.server.finish_polling(shared, end);
                        (over.then_some(Stage::Done), deadline)
                    }
                }
            }
            Stage::Socket => {
                let mut socket =
                    shared.take_socket().expect("it rests there while nobody drives it");
                if fired {
                    socket.handle_time(now, shared.listens(), patience);
                }
                match socket.poll(cx, now, this.connection, this.server) {
                    Poll::Pending => {
                        let deadline = socket.next_deadline(patience);
                        shared.rest_socket(socket);
                        (None, deadline)
                    }
                    Poll::Ready(end) => {
                        let bye = say_goodbye(this.server.clone(), shared.clone(), socket, end);
                        (Some(Stage::Farewell(Box::new(Box::pin(bye)))), None)
                    }
                }
            }
            Stage::Farewell(farewell) => match Pin::new(farewell).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => (Some(Stage::Done), None),
            },
            Stage::Done => return Poll::Pending,
        };
        if let Some(stage) = next_stage {
            *this.stage = stage;
            return Poll::Ready(());
        }
        self.project().alarm.poll_at(cx, deadline)
    }

    /// Lets the user's future go on. When it returns, the connection is closed.
    fn poll_user(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let this = self.project();
        let Some(companions) = this.companions else { return };
        if callback::poll_user(&mut companions.user, cx, this.connection.id().prefix()) {
            this.connection.close();
        }
    }
}

impl Future for ConnectionTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let progress = self.as_mut().poll_stage(cx);
            // What it sends or closes wakes this task again.
            self.as_mut().poll_user(cx);
            let is_alone = self.companions.as_ref().is_none_or(|with| with.user.is_none());
            if let (Stage::Done, true) = (&self.stage, is_alone) {
                return Poll::Ready(());
            }
            if progress.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Opens a session on its WebSocket: the handshake is the first frame.
fn open(
    cx: &mut Context<'_>,
    now: Instant,
    server: &Engine,
    shared: &Shared,
    opened: Opened,
) -> Socket {
    let config = &server.options.session;
    let session = ServerSession::open(now, config.clone(), Transport::WebSocket);
    let Opened { link, codec, early } = opened;
    let mut socket = Socket::new(session, link, codec, early);
    let handshake = config.handshake(shared.id.clone(), Transport::WebSocket).encode();
    socket.send_handshake(cx, now, &handshake, server.options.initial_message.as_ref());
    socket
}

/// Sends what is unsent, tells the user, and closes the WebSocket.
async fn say_goodbye(
    server: Arc<Engine>,
    shared: Arc<Shared>,
    socket: Box<Socket>,
    end: pump::End,
) {
    let (mut link, transit, receipts) = socket.into_link();
    let heard = match end.reason {
        DisconnectReason::PingTimeout
        | DisconnectReason::SlowPeer
        | DisconnectReason::TransportError => link.is_flushed(),
        _ => {
            let flushed = tokio::time::timeout(FAREWELL, link.flush_all()).await;
            matches!(flushed, Ok(Ok(())))
        }
    };
    if heard {
        receipts.into_iter().for_each(|receipts| receipts.confirm_all());
    }
    // Where nobody meant to end it, what is on its way may not arrive any more.
    let unsent = match heard && end.reason.is_asked_for() {
        true => 0,
        false => transit.messages(link.outstanding()),
    };
    server.finish(&shared, end.reason, end.detail, unsent);
    drop((server, shared));
    link.farewell(FAREWELL).await;
}
