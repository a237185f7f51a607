//! What users want sent, from any thread to whoever drives the connection.
//!
//! One lock, held for the time of a push or of taking what waits; the driver takes everything that its
//! transport can carry and goes to sleep in the same step, so no message can slip in between.

use std::future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use heartwire_proto::shared::{Ending, Limits, PushError, SendQueue, Weight};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// A send queue that many threads fill and one driver empties.
pub(crate) struct Mailbox<T> {
    inner: Mutex<Inner<T>>,
    /// Whether the driver has to look. It spares a busy driver the lock: while it is false, the waker
    /// that the driver left is still there.
    dirty: AtomicBool,
}

/// The queue and who waits for it.
pub(crate) struct Inner<T> {
    /// What waits to be sent.
    pub(crate) queue: SendQueue<T>,
    /// Who sends; woken by a push.
    sender: Option<Waker>,
    /// Who has to know that the user wants the connection to end.
    owner: Option<Waker>,
    /// Users who wait for room.
    waiting: Vec<Waker>,
}

impl<T: Weight> Mailbox<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        let queue = SendQueue::new(limits);
        let inner = Inner { queue, sender: None, owner: None, waiting: vec![] };
        Self { inner: Mutex::new(inner), dirty: AtomicBool::new(true) }
    }

    /// Adds a message, or says why not.
    pub(crate) fn push(&self, message: T) -> Result<(), PushError<T>> {
        self.push_for_later(message).map(wake)
    }

    /// Adds a message, or says why not, and leaves it to the caller to wake who sends.
    pub(crate) fn push_for_later(&self, message: T) -> Result<Option<Waker>, PushError<T>> {
        let mut inner = self.lock();
        inner.queue.push(message)?;
        Ok(self.notice(&mut inner))
    }

    /// Adds a message, or says why not, and wakes nobody: that is left to the caller, who may be able to
    /// send it. Says whether somebody sleeps who could be woken.
    pub(crate) fn push_quietly(&self, message: T) -> Result<bool, PushError<T>> {
        let mut inner = self.lock();
        inner.queue.push(message)?;
        self.dirty.store(true, Ordering::Relaxed);
        Ok(inner.sender.is_some())
    }

    /// Wakes who sends.
    pub(crate) fn wake_sender(&self) {
        let waker = self.notice(&mut self.lock());
        wake(waker);
    }

    /// Adds a message as soon as there is room.
    pub(crate) async fn push_when_ready(&self, message: T) -> Result<(), PushError<T>> {
        let mut message = Some(message);
        future::poll_fn(|cx| {
            let Some(next) = message.take() else { return Poll::Ready(Ok(())) };
            let mut inner = self.lock();
            match inner.queue.push(next) {
                Ok(()) => {
                    let waker = self.notice(&mut inner);
                    drop(inner);
                    wake(waker);
                    Poll::Ready(Ok(()))
                }
                Err(PushError::Full { message: next, .. }) => {
                    message = Some(next);
                    inner.wake_with(cx);
                    Poll::Pending
                }
                Err(closed @ PushError::Closed(_)) => Poll::Ready(Err(closed)),
            }
        })
        .await
    }

    /// Adds a message although it may exceed the limits, since [`poll_room`](Self::poll_room) was ready.
    pub(crate) fn push_over(&self, message: T) -> Result<(), PushError<T>> {
        let mut inner = self.lock();
        inner.queue.push_over(message)?;
        let waker = self.notice(&mut inner);
        drop(inner);
        wake(waker);
        Ok(())
    }

    /// Whether there is room, or nothing will be taken any more; if not, the task is woken when there is.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_queue(cx, |queue| queue.has_room_for(0))
    }

    /// Whether nothing waits, or nothing will be taken any more; if not, the task is woken when that may
    /// be so.
    pub(crate) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_queue(cx, SendQueue::is_empty)
    }

    fn poll_queue(&self, cx: &Context<'_>, test: impl Fn(&SendQueue<T>) -> bool) -> Poll<()> {
        let mut inner = self.lock();
        if test(&inner.queue) || inner.queue.ending() == Ending::Discard {
            return Poll::Ready(());
        }
        if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            inner.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Asks for the end of the connection.
    pub(crate) fn close(&self, ending: Ending) {
        let mut inner = self.lock();
        inner.queue.close(ending);
        let wakers = [self.notice(&mut inner), inner.owner.take()];
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        wakers.into_iter().flatten().chain(waiting).for_each(Waker::wake);
    }

    /// Wakes everybody: something else than the queue has changed.
    pub(crate) fn nudge(&self) {
        let mut inner = self.lock();
        let sender = self.notice(&mut inner);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        sender.into_iter().chain(waiting).for_each(Waker::wake);
    }

    /// Messages and bytes of payload that wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.queue.len(), inner.queue.bytes())
    }

    /// Whether the driver has to look: something was pushed, or the end was asked for.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Lets the driver take what its transport can carry. It will be woken when there is more.
    pub(crate) fn attend<R>(
        &self,
        cx: &Context<'_>,
        take: impl FnOnce(&mut SendQueue<T>) -> R,
    ) -> R {
        let mut inner = self.lock();
        let result = take(&mut inner.queue);
        let rests = !inner.queue.is_empty() || inner.queue.ending() != Ending::Open;
        self.dirty.store(rests, Ordering::Relaxed);
        store(&mut inner.sender, cx);
        let room = inner.take_waiting();
        drop(inner);
        room.into_iter().for_each(Waker::wake);
        result
    }

    /// Lets somebody take messages who is not the driver. Who is woken by the next push stays the same.
    pub(crate) fn visit<R>(&self, take: impl FnOnce(&mut SendQueue<T>) -> R) -> R {
        let mut inner = self.lock();
        let result = take(&mut inner.queue);
        let rests = !inner.queue.is_empty() || inner.queue.ending() != Ending::Open;
        // A driver that was woken already has to leave its waker again, even if nothing is left for it.
        self.dirty.store(rests || inner.sender.is_none(), Ordering::Relaxed);
        let room = inner.take_waiting();
        drop(inner);
        room.into_iter().for_each(Waker::wake);
        result
    }

    /// Whether messages are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().queue.ending() != Ending::Open
    }

    /// Whether the user wants the end at once.
    pub(crate) fn is_discarded(&self) -> bool {
        self.lock().queue.is_discarded()
    }

    /// Refuses messages from now on and takes what was not sent.
    pub(crate) fn close_and_drain(&self) -> Vec<T> {
        self.close(Ending::Discard);
        self.lock().queue.drain()
    }

    /// Waits, unless the user wants the connection to end, which is the error.
    pub(crate) async fn sleep(&self, delay: Duration) -> Result<(), Ending> {
        tokio::select! {
            biased;
            ending = self.ending() => Err(ending),
            () = tokio::time::sleep(delay) => Ok(()),
        }
    }

    /// Waits until the user wants the connection to end.
    pub(crate) async fn ending(&self) -> Ending {
        self.until(|queue| queue.ending() != Ending::Open).await;
        self.lock().queue.ending()
    }

    /// Waits until what the user wants passes `test`. Only what closes the queue makes it look.
    pub(crate) async fn until(&self, test: impl Fn(&SendQueue<T>) -> bool) {
        future::poll_fn(|cx| {
            let mut inner = self.lock();
            if test(&inner.queue) {
                return Poll::Ready(());
            }
            inner.wake_owner_with(cx);
            Poll::Pending
        })
        .await;
    }

    /// Lets a driver look at the queue that is woken otherwise.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panic while the lock is held can only come from the allocator: the queue is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks that there is something to do, and returns whom to wake.
    fn notice(&self, inner: &mut Inner<T>) -> Option<Waker> {
        self.dirty.store(true, Ordering::Relaxed);
        inner.sender.take()
    }
}

impl<T: Weight> Inner<T> {
    /// Who sends will be woken by the next push.
    pub(crate) fn wake_sender_with(&mut self, cx: &Context<'_>) {
        store(&mut self.sender, cx);
    }

    /// Who owns the connection will be woken when the user wants its end.
    pub(crate) fn wake_owner_with(&mut self, cx: &Context<'_>) {
        store(&mut self.owner, cx);
    }

    /// A task will be woken when there is room, by a nudge, and when the queue is closed.
    pub(crate) fn wake_with(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    /// Whoever owns the connection.
    pub(crate) fn take_owner(&mut self) -> Option<Waker> {
        self.owner.take()
    }

    /// Everybody who waits for anything, because nothing will come.
    pub(crate) fn take_all_waiting(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.waiting)
    }

    /// The users who wait for room, if there is some.
    pub(crate) fn take_waiting(&mut self) -> Vec<Waker> {
        if self.waiting.is_empty() || !self.queue.has_room_for(0) {
            return vec![];
        }
        std::mem::take(&mut self.waiting)
    }
}

fn store(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Debug)]
    struct Message;

    impl Weight for Message {
        fn weight(&self) -> usize {
            1
        }
    }

    /// A driver that sleeps, and counts how often it is woken.
    #[derive(Default)]
    struct Sleeper(AtomicUsize);

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a driver does when it is polled. Returns how many messages it took.
    fn poll(mailbox: &Mailbox<Message>, sleeper: &Arc<Sleeper>) -> usize {
        sleeper.0.store(0, Ordering::Relaxed);
        let waker = Waker::from(sleeper.clone());
        let take_all = |queue: &mut SendQueue<Message>| queue.drain().len();
        if mailbox.is_dirty() { mailbox.attend(&Context::from_waker(&waker), take_all) } else { 0 }
    }

    fn mailbox() -> (Mailbox<Message>, Arc<Sleeper>) {
        let mailbox = Mailbox::new(Limits { messages: 10, bytes: 10 });
        let sleeper = Arc::default();
        assert_eq!(poll(&mailbox, &sleeper), 0);
        (mailbox, sleeper)
    }

    /// Adds a message as who may send it directly does, but cannot.
    fn push_and_wake(mailbox: &Mailbox<Message>) {
        if mailbox.push_quietly(Message).unwrap() {
            mailbox.wake_sender();
        }
    }

    #[test]
    fn a_driver_is_woken_after_others_took_what_it_was_woken_for() {
        let (mailbox, sleeper) = mailbox();
        mailbox.push(Message).unwrap();
        assert_eq!(mailbox.visit(|queue| queue.drain().len()), 1);
        assert_eq!(poll(&mailbox, &sleeper), 0);
        push_and_wake(&mailbox);
        assert_eq!(sleeper.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mailbox, &sleeper), 1);
    }

    #[test]
    fn a_driver_is_woken_after_it_was_woken_for_what_others_took() {
        let (mailbox, sleeper) = mailbox();
        assert!(mailbox.push_quietly(Message).unwrap());
        assert_eq!(mailbox.visit(|queue| queue.drain().len()), 1);
        mailbox.wake_sender(); // by who has pushed, and does not know
        assert_eq!(poll(&mailbox, &sleeper), 0);
        push_and_wake(&mailbox);
        assert_eq!(sleeper.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mailbox, &sleeper), 1);
    }
}
