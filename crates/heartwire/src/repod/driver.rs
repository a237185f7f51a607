//! The hot path of both ends: what the network brings, to the user; what the user sends, to the network.
//!
//! On readability everything that has arrived is read into the thread's buffer, every whole frame is
//! read where it lies and handled, all replies are gathered in the thread's buffer, and one write sends
//! them.

use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use heartwire_proto::repod::{
    Config, DisconnectReason, Frame, FrameDecoder, GREETING, MessageRef, Output, Role, Session,
    SocketEnd,
};
use heartwire_proto::shared::{Ending, SendQueue, earliest};

use super::traffic::{Received, Traffic};
use crate::link::Link;
use crate::mailbox::Mailbox;
use crate::scratch::{Buffers, Scratch};
use crate::stream::Stream;
use crate::transit::Transit;

/// One connection: its bytes, its session, its clock.
pub(super) struct Driver {
    link: Link,
    decoder: FrameDecoder,
    session: Session<Frame>,
    /// Messages that are gathered for the next write.
    gathered: usize,
    /// Messages of which the peer's system may not have everything.
    transit: Transit,
    stall_timeout: Duration,
    /// When something was sent.
    sent_at: Instant,
    /// When the round trip time is asked for again.
    sample_at: Instant,
}

/// The user's end of a connection.
pub(super) trait User {
    /// Whether it takes messages now. If not, the task is woken when that changes.
    fn has_room(&self, cx: &Context<'_>) -> bool;

    /// Takes a message.
    fn take(&mut self, message: MessageRef<'_>, replies: &mut Replies<'_>);
}

/// The shortest way back to the peer: behind what is written next.
pub(super) struct Replies<'a> {
    pub(super) output: &'a mut Vec<u8>,
    pub(super) count: usize,
}

/// What a driver and its handles share.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) mailbox: &'a Mailbox<Frame>,
    pub(super) traffic: &'a Traffic,
}

/// How a connection ended.
pub(super) struct End {
    pub(super) reason: DisconnectReason,
    /// What broke it, in words.
    pub(super) detail: Option<String>,
}

impl Driver {
    pub(super) fn open(
        now: Instant,
        stream: Stream,
        config: Config,
        role: Role,
        stall_timeout: Duration,
    ) -> Self {
        Self {
            link: Link::new(stream),
            decoder: FrameDecoder::new(config.max_payload),
            session: Session::open(now, config, role),
            gathered: 0,
            transit: Transit::default(),
            stall_timeout,
            sent_at: now,
            sample_at: now,
        }
    }

    /// Does everything that can be done now. Ready when the connection has ended; the rest of the output
    /// is in the link.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        ends: Ends<'_>,
        user: &mut impl User,
    ) -> Poll<End> {
        self.sample(now, ends.traffic);
        let mut scratch = Scratch::borrow();
        let Buffers { input, output, .. } = &mut *scratch;
        let mut detail = None;
        let mut reads = 0;
        loop {
            if let Poll::Ready(reason) = self.send(cx, now, output, ends, &mut detail) {
                return Poll::Ready(End { reason, detail });
            }
            if self.is_congested() || !user.has_room(cx) {
                return Poll::Pending;
            }
            match self.link.poll_read(cx, input) {
                Poll::Ready(Ok(0)) => {
                    if self.decoder.is_mid_frame() {
                        detail = Some("in the middle of a frame".to_owned());
                    }
                    self.session.handle_socket_end(SocketEnd::Closed);
                }
                Poll::Ready(Ok(count)) => {
                    detail = self.handle(now, &input[..count], output, ends.traffic, user);
                }
                Poll::Ready(Err(error)) => {
                    detail = Some(error.to_string());
                    self.session.handle_socket_end(SocketEnd::Failed);
                }
                Poll::Pending => return Poll::Pending,
            }
            reads += 1;
            if reads == READS_A_TURN {
                cx.waker().wake_by_ref();
                let sent = self.send(cx, now, output, ends, &mut detail);
                return sent.map(|reason| End { reason, detail });
            }
        }
    }

    /// Sends what waits from another thread than the driver's, if that is worth while. Says whether
    /// nothing is left for the driver to do.
    pub(super) fn send_directly(
        &mut self,
        now: Instant,
        Ends { mailbox, traffic }: Ends<'_>,
    ) -> bool {
        let paused = now.saturating_duration_since(self.sent_at) >= PAUSE;
        if !paused || !self.link.can_try() || self.session.has_orders() {
            return false;
        }
        self.sent_at = now;
        let mut scratch = Scratch::borrow();
        let output = &mut scratch.output;
        let left = mailbox.visit(|queue| {
            if queue.ending() == Ending::Open {
                self.gather(now, queue, output, traffic);
            }
            !queue.is_empty() || queue.ending() != Ending::Open
        });
        let length = output.len();
        let written = self.link.try_write(now, output);
        self.account(length);
        written && !left
    }

    /// Moves time forward. `has_room` says whether the user could take more messages.
    pub(super) fn handle_time(&mut self, now: Instant, has_room: bool) {
        if self.link.stalled_at(self.stall_timeout).is_some_and(|at| at <= now) {
            self.session.handle_socket_end(SocketEnd::Stalled);
        }
        let listening = has_room && !self.is_congested();
        self.session.handle_time(now, listening);
    }

    /// When [`handle_time`](Self::handle_time) wants to be called next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        earliest([self.session.next_deadline(), self.link.stalled_at(self.stall_timeout)])
    }

    /// Messages of which the peer's system may not have everything.
    pub(super) fn in_flight(&self) -> usize {
        self.transit.messages(self.link.outstanding())
    }

    /// Sends what is unsent, as long as there is hope that the peer takes it, and until `cut_off` at most.
    /// Returns the link, for a farewell until that time at most, and how many messages may not have arrived:
    /// if this side has ended the connection, those that the network has not taken.
    pub(super) async fn finish(
        self,
        reason: DisconnectReason,
        cut_off: impl Future<Output = ()>,
    ) -> (Link, Instant, usize) {
        let Self { mut link, session, transit, .. } = self;
        let deadline = session.farewell_deadline(Instant::now());
        let flushed = match reason {
            DisconnectReason::SlowPeer | DisconnectReason::ConnectionError => link.is_flushed(),
            _ => {
                let flushing = tokio::time::timeout_at(deadline.into(), link.flush_all());
                tokio::select! {
                    biased;
                    flushed = flushing => matches!(flushed, Ok(Ok(()))),
                    () = cut_off => false,
                }
            }
        };
        let unsent = match flushed && reason == DisconnectReason::Closed {
            true => 0,
            // What is on its way may not arrive any more.
            false => transit.messages(link.outstanding()),
        };
        (link, deadline, unsent)
    }

    /// Sends what the session and the user want sent, as far as the link takes it. Ready when the
    /// connection has ended.
    #[inline]
    fn send(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        output: &mut Vec<u8>,
        Ends { mailbox, traffic }: Ends<'_>,
        detail: &mut Option<String>,
    ) -> Poll<DisconnectReason> {
        loop {
            let mut ended = None;
            if mailbox.is_dirty() || self.session.has_orders() {
                let has_room = self.link.unsent_bytes() < BATCH_BYTES;
                ended = mailbox.attend(cx, |queue| {
                    // A peer that takes nothing must not keep the connection from its end.
                    self.session.handle_ending(now, queue.ending());
                    let gathers = has_room || self.session.has_orders();
                    if gathers { self.gather(now, queue, output, traffic) } else { None }
                });
                self.sent_at = now;
            }
            let length = output.len();
            let written = self.link.write(cx, now, output);
            self.account(length);
            if let Err(error) = written {
                detail.get_or_insert_with(|| error.to_string());
                self.session.handle_socket_end(SocketEnd::Failed);
            }
            if let Some(reason) = ended {
                return Poll::Ready(reason);
            }
            let has_room = self.link.unsent_bytes() < BATCH_BYTES;
            let more = self.session.has_orders() || has_room && mailbox.is_dirty();
            if !more {
                return Poll::Pending;
            }
        }
    }

    /// Gathers what is to be sent next. Returns how the connection has ended, if it has.
    fn gather(
        &mut self,
        now: Instant,
        queue: &mut SendQueue<Frame>,
        output: &mut Vec<u8>,
        traffic: &Traffic,
    ) -> Option<DisconnectReason> {
        let (start, before) = (output.len(), self.gathered);
        let mut ended = None;
        while output.len() < BATCH_BYTES {
            match self.session.poll_output(now, queue) {
                Some(Output::Greet) => output.extend_from_slice(GREETING),
                Some(Output::Send(frame)) => {
                    output.extend_from_slice(frame.as_bytes());
                    self.gathered += 1;
                }
                // It is closed by whoever is told of the end.
                Some(Output::CloseSocket) => {}
                Some(Output::Closed(reason)) => {
                    ended = Some(reason);
                    break;
                }
                None => break,
            }
        }
        traffic.sent((self.gathered - before) as u64, output.len() - start);
        ended
    }

    /// Takes into account that `length` bytes were written, and the gathered messages with them.
    #[inline]
    fn account(&mut self, length: usize) {
        let gathered = std::mem::take(&mut self.gathered);
        self.transit.sent(gathered, length, || self.link.outstanding());
    }

    /// Handles what has arrived. Returns what the peer did wrong, if it did.
    #[inline]
    fn handle(
        &mut self,
        now: Instant,
        bytes: &[u8],
        output: &mut Vec<u8>,
        traffic: &Traffic,
        user: &mut impl User,
    ) -> Option<String> {
        let mut frames = Received::default();
        let start = output.len();
        let mut replies = Replies { output, count: 0 };
        let mut rest = bytes;
        let mut problem = None;
        while !rest.is_empty() && !self.session.is_closed() {
            match self.decoder.decode(rest) {
                Ok((taken, payload)) => {
                    rest = &rest[taken..];
                    // What was collected from pieces is the user's to keep.
                    let (there, collected) = match payload {
                        None => continue,
                        Some(Cow::Borrowed(payload)) => (payload, None),
                        Some(Cow::Owned(payload)) => (&[][..], Some(Bytes::from(payload))),
                    };
                    let payload = collected.as_deref().unwrap_or(there);
                    match self.session.handle_payload(now, payload) {
                        Ok(Some(message)) => {
                            frames.messages += 1;
                            let message = match &collected {
                                Some(owner) => message.owned_by(owner),
                                None => message,
                            };
                            user.take(message, &mut replies);
                        }
                        Ok(None) if self.session.is_open() => frames.ignored += 1,
                        Ok(None) => frames.discarded += 1,
                        Err(error) => problem = Some(error.to_string()),
                    }
                }
                Err(too_long) => {
                    self.session.handle_socket_end(SocketEnd::TooLong(too_long));
                    problem = Some(too_long.to_string());
                }
            }
        }
        if self.decoder.is_mid_frame() {
            self.session.handle_partial(now);
        }
        let Replies { output, count } = replies;
        self.gathered += count;
        traffic.sent(count as u64, output.len() - start);
        traffic.received(frames, bytes.len());
        problem
    }

    /// Whether so much is unsent that reading stops: a peer that does not take its answers gets no
    /// more of them.
    fn is_congested(&self) -> bool {
        self.link.unsent_bytes() >= PAUSE_BYTES
    }

    /// Asks the kernel for the round trip time, now and then.
    fn sample(&mut self, now: Instant, traffic: &Traffic) {
        if self.sample_at > now {
            return;
        }
        self.sample_at = now + SAMPLE_INTERVAL;
        if let Some(Ok(trip)) = self.link.tcp().map(heartwire_sys::round_trip) {
            traffic.set_round_trip(trip);
        }
    }
}

/// Bytes that are gathered for one write.
const BATCH_BYTES: usize = 64 * 1024;

/// Unsent bytes at which reading stops.
const PAUSE_BYTES: usize = 256 * 1024;

/// Reads before other connections have their turn.
const READS_A_TURN: usize = 16;

/// A message that is sent this long after the one before goes out at once, from the caller's thread: that
/// saves two changes of threads. In a burst, a system call a message would cost far more than they do.
const PAUSE: Duration = Duration::from_micros(10);

/// A system call, so not with every message.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};

    use heartwire_proto::repod::Message;
    use heartwire_proto::shared::Limits;
    use serde_json::json;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// A network that brings bytes once, and counts what is written with each system call.
    struct Wire {
        input: Vec<u8>,
        writes: Arc<Mutex<Vec<Vec<u8>>>>,
        /// Whether anything can be written.
        takes: bool,
    }

    impl AsyncRead for Wire {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.input.is_empty() {
                return Poll::Pending;
            }
            let count = buffer.remaining().min(self.input.len());
            buffer.put_slice(&self.input[..count]);
            self.input.drain(..count);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Wire {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if !self.takes {
                return Poll::Pending;
            }
            self.writes.lock().unwrap().push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Answers each message with itself: directly, or through the queue.
    struct Echo<'a>(Option<&'a Mailbox<Frame>>);

    impl User for Echo<'_> {
        fn has_room(&self, _: &Context<'_>) -> bool {
            true
        }

        fn take(&mut self, message: MessageRef<'_>, replies: &mut Replies<'_>) {
            match self.0 {
                Some(mailbox) => mailbox.push(message.to_frame()).unwrap(),
                None => {
                    message.encode(replies.output);
                    replies.count += 1;
                }
            }
        }
    }

    #[test]
    fn a_burst_is_answered_with_one_write() {
        let burst: Vec<u8> = (0..100)
            .flat_map(|number| {
                let frame = Frame::encode(&json!({"action": "a", "number": number})).unwrap();
                frame.as_bytes().to_vec()
            })
            .collect();
        for queued in [false, true] {
            let writes = Arc::default();
            let wire = Wire { input: burst.clone(), writes: Arc::clone(&writes), takes: true };
            let mailbox = Mailbox::new(Limits { messages: 1000, bytes: 1 << 20 });
            let traffic = Traffic::default();
            let ends = Ends { mailbox: &mailbox, traffic: &traffic };
            let now = Instant::now();
            let mut driver = Driver::open(
                now,
                Stream::Other(Box::pin(wire)),
                Config::default(),
                Role::Server,
                Duration::MAX,
            );
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let mut user = Echo(queued.then_some(&mailbox));
            assert!(driver.poll(&mut cx, now, ends, &mut user).is_pending());
            let writes = writes.lock().unwrap();
            assert_eq!(*writes, [GREETING.to_vec(), burst.clone()], "queued: {queued}");
            let statistics = traffic.statistics();
            assert_eq!((statistics.messages_received, statistics.messages_sent), (100, 100));
        }
    }

    #[test]
    fn what_nobody_takes_any_more_is_discarded_and_not_ignored() {
        let frame = |text: &str| Frame::encode(&json!({"action": "a", "text": text})).unwrap();
        let nothing = Frame::encode(&json!({})).unwrap();
        let input = [nothing.as_bytes(), &frame("").as_bytes().repeat(2)].concat();
        let now = Instant::now();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut statistics = |closes: bool, config: Config| {
            let wire = Wire { input: input.clone(), writes: Arc::default(), takes: false };
            let mailbox = Mailbox::new(Limits { messages: 10, bytes: 1 << 20 });
            // So much that the second has to wait, and the connection with it.
            mailbox.push(frame(&"x".repeat(BATCH_BYTES))).unwrap();
            mailbox.push(frame("last")).unwrap();
            if closes {
                mailbox.close(Ending::Flush);
            }
            let traffic = Traffic::default();
            let ends = Ends { mailbox: &mailbox, traffic: &traffic };
            let stream = Stream::Other(Box::pin(wire));
            let mut driver = Driver::open(now, stream, config, Role::Server, Duration::MAX);
            let mut user = Echo(None);
            let _ = driver.poll(&mut cx, now, ends, &mut user);
            let statistics = traffic.statistics();
            (statistics.messages_received, statistics.ignored, statistics.discarded)
        };
        assert_eq!(statistics(false, Config::default()), (2, 1, 0));
        assert_eq!(statistics(true, Config::default()), (0, 0, 3));
        let one_a_second = Config { max_rate: Some(1), ..Config::default() };
        assert_eq!(statistics(false, one_a_second), (0, 1, 1), "the third is not even decoded");
    }

    #[test]
    fn frames_of_any_cut_reach_the_user() {
        struct Seen(Vec<Message>);
        impl User for Seen {
            fn has_room(&self, _: &Context<'_>) -> bool {
                true
            }

            fn take(&mut self, message: MessageRef<'_>, _: &mut Replies<'_>) {
                let kept = message.to_message();
                // None of them lies whole in what was read at once.
                assert!(std::ptr::eq(kept.payload(), message.payload()), "it was copied");
                self.0.push(kept);
            }
        }
        let frame = Frame::encode(&json!({"action": "a", "text": "x".repeat(100_000)})).unwrap();
        // Longer than the thread's buffer, so that it is read in several goes.
        let wire = Wire { input: frame.as_bytes().repeat(3), writes: Arc::default(), takes: true };
        let mailbox = Mailbox::new(Limits { messages: 10, bytes: 1000 });
        let traffic = Traffic::default();
        let ends = Ends { mailbox: &mailbox, traffic: &traffic };
        let now = Instant::now();
        let stream = Stream::Other(Box::pin(wire));
        let mut driver = Driver::open(now, stream, Config::default(), Role::Client, Duration::MAX);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut user = Seen(vec![]);
        assert!(driver.poll(&mut cx, now, ends, &mut user).is_pending());
        assert_eq!(user.0.len(), 3);
        assert!(user.0.iter().all(|message| message.to_frame() == frame));
    }
}
