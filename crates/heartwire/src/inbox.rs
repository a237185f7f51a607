//! What the peer has sent and the user has not taken yet, bounded: a full inbox stops the reading, so
//! that the peer is slowed down by its own connection.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use heartwire_proto::shared::Weight;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// A queue that one driver fills and users empty.
pub(crate) struct Inbox<T>(Mutex<Inner<T>>);

struct Inner<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    max_bytes: usize,
    closed: bool,
    readers: Vec<Waker>,
    /// Who fills the queue and has found it full.
    writer: Option<Waker>,
}

impl<T: Weight> Inbox<T> {
    /// Creates a queue that counts as full when it holds `max_bytes`, each item costing
    /// [`ITEM_BYTES`] more than its weight.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self(Mutex::new(Inner {
            waiting: VecDeque::new(),
            bytes: 0,
            max_bytes,
            closed: false,
            readers: vec![],
            writer: None,
        }))
    }

    /// Adds an item, full or not: what has arrived is kept. [`poll_room`](Self::poll_room) says
    /// whether to read more.
    pub(crate) fn push(&self, item: T) {
        self.push_then_room(item);
    }

    /// Adds an item, as [`push`](Self::push), and says whether there is room for more.
    pub(crate) fn push_then_room(&self, item: T) -> bool {
        let mut inner = self.lock();
        if inner.closed {
            return true;
        }
        inner.bytes += item.weight() + ITEM_BYTES;
        if inner.waiting.capacity() == 0 {
            // Mostly it is one that waits, not the four that there would be room for.
            inner.waiting.reserve_exact(1);
        }
        inner.waiting.push_back(item);
        let room = inner.bytes < inner.max_bytes;
        let readers = std::mem::take(&mut inner.readers);
        drop(inner);
        readers.into_iter().for_each(Waker::wake);
        room
    }

    /// Adds items, as [`push`](Self::push).
    pub(crate) fn extend(&self, items: Vec<T>) {
        if items.is_empty() {
            return;
        }
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        inner.bytes += items.iter().map(|item| item.weight() + ITEM_BYTES).sum::<usize>();
        inner.waiting.extend(items);
        let readers = std::mem::take(&mut inner.readers);
        drop(inner);
        readers.into_iter().for_each(Waker::wake);
    }

    /// Whether there is room; if not, the task is woken when there is.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.bytes < inner.max_bytes || inner.closed {
            return Poll::Ready(());
        }
        inner.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Items that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether there is room.
    pub(crate) fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.bytes < inner.max_bytes || inner.closed
    }

    /// The oldest item; `None` when the queue is closed and empty.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut inner = self.lock();
        match inner.waiting.pop_front() {
            Some(item) => {
                inner.bytes -= item.weight() + ITEM_BYTES;
                inner.release();
                let writer = if inner.bytes < inner.max_bytes { inner.writer.take() } else { None };
                drop(inner);
                if let Some(writer) = writer {
                    writer.wake();
                }
                Poll::Ready(Some(item))
            }
            None if inner.closed => Poll::Ready(None),
            None => {
                inner.wake_reader_with(cx);
                Poll::Pending
            }
        }
    }

    /// Takes up to `limit` of the oldest items. Says how many; zero when the queue is closed and empty.
    pub(crate) fn poll_take_many(
        &self,
        cx: &Context<'_>,
        limit: usize,
        items: &mut Vec<T>,
    ) -> Poll<usize> {
        let mut inner = self.lock();
        let count = inner.waiting.len().min(limit);
        if count == 0 && !inner.closed {
            inner.wake_reader_with(cx);
            return Poll::Pending;
        }
        let before = items.len();
        items.extend(inner.waiting.drain(..count));
        inner.bytes -= items[before..].iter().map(|item| item.weight() + ITEM_BYTES).sum::<usize>();
        inner.release();
        let writer = if inner.bytes < inner.max_bytes { inner.writer.take() } else { None };
        drop(inner);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(count)
    }

    /// Refuses items from now on; what is there can still be taken.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let wakers: Vec<_> = std::mem::take(&mut inner.readers);
        let writer = inner.writer.take();
        drop(inner);
        wakers.into_iter().chain(writer).for_each(Waker::wake);
    }

    /// Whether the queue is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether the queue is closed; if not, the task is woken when it is, or when something arrives.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> bool {
        let mut inner = self.lock();
        if !inner.closed {
            inner.wake_reader_with(cx);
        }
        inner.closed
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panic while the lock is held can only come from the allocator: the queue is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// A reader will be woken when something arrives.
    fn wake_reader_with(&mut self, cx: &Context<'_>) {
        if !self.readers.iter().any(|reader| reader.will_wake(cx.waker())) {
            if self.readers.is_empty() {
                self.readers.reserve_exact(1); // mostly there is one
            }
            self.readers.push(cx.waker().clone());
        }
    }

    /// Gives memory back, if nothing waits.
    fn release(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() * size_of::<T>() > KEPT_BYTES {
            self.waiting = VecDeque::new();
        }
    }
}

/// What an item costs besides its payload, so that a flood of empty messages fills an inbox too.
const ITEM_BYTES: usize = 64;

/// Bytes of an empty queue that are kept for what comes next: most connections idle.
const KEPT_BYTES: usize = 256;
