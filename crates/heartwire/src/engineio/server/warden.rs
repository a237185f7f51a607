//! The stream below HTTP, which fails when its peer is too slow with taking answers. HTTP itself would
//! wait for ever, and hold the answer as long. It also lets the last answer reach a peer that is still
//! sending: a socket that is closed with unread bytes is reset, and the reset overtakes what was sent.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::alarm::Alarm;
use crate::progress::Progress;

/// A stream that fails when its peer is too slow with taking what is written.
pub(super) struct Warden<S> {
    stream: S,
    patience: Duration,
    /// Since the peer has not taken everything.
    stall: Option<Box<Stall>>,
    parting: Parting,
}

/// How far the end of the stream has come.
enum Parting {
    None,
    /// The peer has ended its side: nothing more comes.
    Heard,
    /// Nothing more is written. Where nothing comes, the peer has this long to begin.
    Quiet(Pin<Box<Sleep>>),
    /// The peer was still sending: that is read and dropped, until it ends or for as long as this.
    Draining(Pin<Box<Sleep>>),
}

struct Stall {
    progress: Progress,
    alarm: Pin<Box<Alarm>>,
}

impl<S> Warden<S> {
    /// The peer may take `patience` for each step of what waits for it.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, stall: None, parting: Parting::None }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Looks at what became of a try to write `length` bytes.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        match (&written, &mut self.stall) {
            (Poll::Ready(Ok(count)), Some(stall)) if *count < length => {
                stall.progress.take(Instant::now(), *count, length - count);
                written
            }
            (Poll::Ready(_), _) => {
                self.stall = None;
                written
            }
            (Poll::Pending, _) => self.wait(cx, length).map(Err),
        }
    }

    /// Waits for the peer to take some of `length` bytes, and fails when that takes too long.
    fn wait(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Error> {
        let now = Instant::now();
        let Stall { progress, alarm } = &mut **self.stall.get_or_insert_with(|| {
            let progress = Progress::new(now, length);
            Box::new(Stall { progress, alarm: Box::pin(Alarm::new()) })
        });
        let deadline = progress.stalled_at(self.patience);
        let _ = alarm.as_mut().has_fired(now); // what counts is the deadline, which may have moved
        if deadline > now && alarm.as_mut().poll_at(cx, Some(deadline)).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer does not take the answer"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Warden<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let (Poll::Ready(Ok(())), true) = (&read, buffer.filled().len() == before) {
            self.parting = Parting::Heard;
        }
        read
    }
}

impl<S: AsyncRead + Unpin> Warden<S> {
    /// Reads and drops what a peer is still sending. Ready when there is nothing to wait for.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut sink = [0; 4096];
        for _ in 0..READS_A_TURN {
            let mut buffer = ReadBuf::new(&mut sink);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            let left = match (&read, &mut self.parting) {
                (Poll::Ready(Ok(())), Parting::Quiet(_)) if !buffer.filled().is_empty() => {
                    self.parting = Parting::Draining(Box::pin(sleep(LINGER)));
                    continue;
                }
                (Poll::Ready(Ok(())), _) if buffer.filled().is_empty() => return Poll::Ready(()),
                (Poll::Ready(Err(_)), _) | (_, Parting::None | Parting::Heard) => {
                    return Poll::Ready(());
                }
                (_, Parting::Quiet(left) | Parting::Draining(left)) => left.as_mut().poll(cx),
            };
            if left.is_ready() || read.is_pending() {
                return left;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Warden<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, written, slices.iter().map(|slice| slice.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flushed.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Parting::None | Parting::Heard = self.parting {
            let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.watch(cx, shut.map_ok(|()| 0), 0))?;
            if let Parting::Heard = self.parting {
                return Poll::Ready(Ok(()));
            }
            self.parting = Parting::Quiet(Box::pin(sleep(CROSSING)));
        }
        self.poll_drain(cx).map(Ok)
    }
}

/// Time for a peer that is sending to notice that its request is answered already.
const LINGER: Duration = Duration::from_secs(2);

/// Time for what a peer had begun to send when the answer was sent.
const CROSSING: Duration = Duration::from_millis(250);

/// Reads before other connections have their turn.
const READS_A_TURN: usize = 16;
