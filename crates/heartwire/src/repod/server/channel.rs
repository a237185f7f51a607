//! One client, as the application sees it.

use std::fmt;
use std::future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use heartwire_proto::repod::{DisconnectReason, Frame, Message};
use heartwire_proto::shared::{Ending, PushError};
use heartwire_sys::RoundTrip;
use serde::Serialize;

use super::super::disconnected::{Disconnected, SendError};
use super::super::traffic::{Statistics, Traffic};
use super::config::SlowPeerPolicy;
use crate::inbox::Inbox;
use crate::mailbox::Mailbox;
use crate::outcome::Outcome;

/// One client, as the application sees it. Clones are handles to the same connection, for use from any
/// thread or task.
#[derive(Clone)]
pub struct Channel {
    pub(super) shared: Arc<Shared>,
}

/// Tells a server's channels apart. It is never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelId(pub(super) u64);

/// What everybody who has to do with a connection holds.
pub(super) struct Shared {
    pub(super) id: ChannelId,
    pub(super) addr: SocketAddr,
    pub(super) mailbox: Mailbox<Frame>,
    /// Where messages wait for `recv()`, if the application asks for them that way.
    pub(super) inbox: Option<Box<Inbox<Message>>>,
    pub(super) traffic: Traffic,
    pub(super) slow_peer: SlowPeerPolicy,
    /// Why this side ends the connection, where there is more to say than that it does.
    pub(super) verdict: OnceLock<Verdict>,
    pub(super) outcome: Outcome<Disconnected>,
}

/// Why this side ends a connection.
pub(super) struct Verdict {
    pub(super) reason: DisconnectReason,
    pub(super) detail: String,
}

impl Channel {
    /// Tells the server's channels apart.
    pub fn id(&self) -> ChannelId {
        self.shared.id
    }

    /// The client's address.
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// Sends a message, which is any value that serialises to a map, waiting for room if too much waits
    /// already. It is delivered once and in order, or counted in [`Disconnected::unsent`].
    ///
    /// Cancel safety: a message is either accepted or not touched; a future that is dropped before it
    /// is ready has not sent.
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] when the value cannot be sent, [`SendError::Closed`] when the connection
    /// ends or has ended.
    pub async fn send<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), SendError> {
        let frame = Frame::encode(message)?;
        Ok(self.shared.mailbox.push_when_ready(frame).await?)
    }

    /// Sends a message, if there is room for it. Returns the bytes of its frame.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`SendError::Full`] when too much waits already
    /// ([`ServerBuilder::send_limits`](super::ServerBuilder::send_limits)), unless such clients are
    /// [disconnected](super::ServerBuilder::slow_peer): then it is closed.
    pub fn try_send<T: Serialize + ?Sized>(&self, message: &T) -> Result<usize, SendError> {
        let frame = Frame::encode(message)?;
        let length = frame.len();
        self.try_send_frame(frame).map(|()| length)
    }

    /// Sends a message that is encoded already, for instance one that many get, or one that was
    /// received.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_frame(&self, frame: Frame) -> Result<(), SendError> {
        if let Some(waker) = self.queue_frame(frame)? {
            waker.wake();
        }
        Ok(())
    }

    /// As [`try_send_frame`](Self::try_send_frame), but leaves it to the caller to wake the connection's
    /// task, if that sleeps. Each wake-up from another thread is a system call: who sends to many channels
    /// may gather the wakers, and wake them all from a task of the same runtime. Nobody else wakes the task,
    /// whatever is sent after this: a waker that is lost loses the connection its turn.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    #[must_use = "nothing is sent before the waker is woken"]
    pub fn queue_frame(&self, frame: Frame) -> Result<Option<Waker>, SendError> {
        match self.shared.mailbox.push_for_later(frame) {
            Ok(waker) => Ok(waker),
            Err(PushError::Full { .. }) if self.shared.slow_peer == SlowPeerPolicy::Disconnect => {
                self.end(DisconnectReason::SlowPeer, "its send queue is full", Ending::Discard);
                Err(SendError::Closed)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Receives the next message; `None` when the connection has ended and everything was received.
    /// Where several tasks receive, each message goes to one of them.
    ///
    /// A server with a [`Handler`](super::Handler) gives its messages to that: there, this waits for the
    /// end.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub async fn recv(&self) -> Option<Message> {
        match &self.shared.inbox {
            Some(inbox) => future::poll_fn(|cx| inbox.poll_take(cx)).await,
            None => {
                self.closed().await;
                None
            }
        }
    }

    /// Ends the connection when everything that was sent is on its way, within the server's
    /// [linger](super::ServerBuilder::linger) time. Does nothing where it ends already.
    pub fn close(&self) {
        self.shared.mailbox.close(Ending::Flush);
    }

    /// As [`close`](Self::close), with a reason for this side's records: it is the detail of
    /// [`Disconnected`]. The client is told nothing but what was sent before.
    pub fn kick(&self, why: impl Into<String>) {
        self.end(DisconnectReason::Closed, why, Ending::Flush);
    }

    /// Ends the connection at once. What waits is not sent.
    pub fn close_now(&self) {
        self.shared.mailbox.close(Ending::Discard);
    }

    /// Whether messages are refused, because the connection ends or has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.mailbox.is_closed()
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> Disconnected {
        self.shared.outcome.wait().await
    }

    /// Messages, and bytes of their frames, that wait to be sent.
    pub fn waiting(&self) -> (usize, usize) {
        self.shared.mailbox.waiting()
    }

    /// What went over the connection so far.
    pub fn statistics(&self) -> Statistics {
        self.shared.traffic.statistics()
    }

    /// How long the way to the client and back takes, as the kernel has measured it at the latest
    /// traffic; the client need not know of it. `None` where the system does not tell: only Linux does.
    pub fn round_trip(&self) -> Option<RoundTrip> {
        self.shared.traffic.round_trip()
    }

    fn end(&self, reason: DisconnectReason, detail: impl Into<String>, ending: Ending) {
        if !self.is_closed() {
            let _ = self.shared.verdict.set(Verdict { reason, detail: detail.into() });
        }
        self.shared.mailbox.close(ending);
    }
}

impl From<ChannelId> for u64 {
    fn from(id: ChannelId) -> Self {
        id.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.shared.id.0)
            .field("addr", &self.shared.addr)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Channel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Channel {}
