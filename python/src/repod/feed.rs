//! What the channels of a server have brought and Python has not taken yet.
//!
//! The network fills it and rings once when it was empty; Python takes everything that waits in batches,
//! each with one acquisition of its lock. What waits is bounded for each channel: a client whose messages
//! are not taken is not read from.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use heartwire::repod::{Channel, ChannelId, Context, Disconnected, Handler, Message, MessageRef};

use super::bell::Bell;
use super::courier::Courier;

/// What the channels of a server have brought.
pub(super) struct Feed {
    inner: Mutex<Inner>,
    /// Bytes of one channel that may wait.
    limit: usize,
    /// For loops that wait for a socket.
    signal: OnceLock<Signal>,
    /// For threads that wait.
    pub(super) bell: Arc<Bell>,
    /// For whoever has to be told of news, and for what handlers send.
    pub(super) courier: Arc<Courier>,
}

struct Inner {
    waiting: VecDeque<News>,
    channels: HashMap<ChannelId, Account>,
    /// Whether whoever takes has found nothing left, and wants to be told.
    hungry: bool,
}

/// What was brought.
pub(super) enum News {
    Connected(Channel),
    Message(ChannelId, Message),
    Disconnected(ChannelId, Disconnected),
    /// The server has stopped; nothing follows.
    Stopped,
}

/// What of a channel waits.
#[derive(Default)]
struct Account {
    bytes: usize,
    /// The channel's task, if it waits for room.
    paused: Option<Waker>,
}

/// Wakes whoever waits for a socket to become readable.
#[cfg(unix)]
type Signal = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
type Signal = std::convert::Infallible;

impl Feed {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let inner = Inner { waiting: VecDeque::new(), channels: HashMap::new(), hungry: true };
        Arc::new(Self {
            inner: Mutex::new(inner),
            limit,
            signal: OnceLock::new(),
            bell: Bell::new(),
            courier: Arc::default(),
        })
    }

    /// Writes a byte to `signal` from now on when there is something to take. There is one at most.
    #[cfg(unix)]
    pub(super) fn set_signal(&self, signal: Signal) {
        let set = self.signal.set(signal);
        assert!(set.is_ok(), "the feed has a signal already");
        let mut inner = self.lock();
        inner.hungry = true;
        if !inner.waiting.is_empty() {
            self.has_come(inner);
        }
    }

    pub(super) fn push(&self, news: News) {
        let mut inner = self.lock();
        inner.waiting.push_back(news);
        self.has_come(inner);
    }

    /// Takes up to `limit` of what waits. Whoever finds nothing left is told when there is more.
    pub(super) fn take(&self, limit: usize) -> Vec<News> {
        let mut inner = self.lock();
        let count = inner.waiting.len().min(limit);
        let news: Vec<_> = inner.waiting.drain(..count).collect();
        let mut wakers = vec![];
        for item in &news {
            match item {
                News::Message(id, message) => {
                    let Some(account) = inner.channels.get_mut(id) else { continue };
                    account.bytes -= cost(message.payload());
                    if account.bytes < self.limit {
                        wakers.extend(account.paused.take());
                    }
                }
                News::Disconnected(id, _) => {
                    inner.channels.remove(id);
                }
                News::Connected(_) | News::Stopped => {}
            }
        }
        inner.hungry = inner.waiting.is_empty();
        drop(inner);
        wakers.into_iter().for_each(Waker::wake);
        news
    }

    /// How much waits.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Tells whoever takes that there is something.
    pub(super) fn tell(&self) {
        #[cfg(unix)]
        if let Some(mut signal) = self.signal.get() {
            // A full socket tells as well as another byte in it.
            let _ = std::io::Write::write(&mut signal, b"\0");
            return;
        }
        self.bell.ring();
    }

    fn has_come(&self, mut inner: MutexGuard<'_, Inner>) {
        if std::mem::take(&mut inner.hungry) {
            drop(inner);
            self.courier.bring_news();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A feed as the handler of a server.
pub(super) struct Feeder(pub(super) Arc<Feed>);

impl Handler for Feeder {
    fn connect(&self, channel: &Channel) {
        self.0.lock().channels.insert(channel.id(), Account::default());
        self.0.push(News::Connected(channel.clone()));
    }

    fn poll_ready(&self, channel: &Channel, cx: &TaskContext<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        match inner.channels.get_mut(&channel.id()) {
            Some(account) if account.bytes >= self.0.limit => {
                account.paused = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let id = context.channel().id();
        let message = message.to_message();
        let mut inner = self.0.lock();
        if let Some(account) = inner.channels.get_mut(&id) {
            account.bytes += cost(message.payload());
        }
        inner.waiting.push_back(News::Message(id, message));
        self.0.has_come(inner);
    }

    fn disconnect(&self, channel: &Channel, disconnected: &Disconnected) {
        self.0.push(News::Disconnected(channel.id(), disconnected.clone()));
    }
}

/// What a message costs while it waits, so that a flood of empty ones is bounded too.
fn cost(payload: &[u8]) -> usize {
    payload.len() + 64
}
