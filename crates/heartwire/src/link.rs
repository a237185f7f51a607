//! A stream with memory for what the peer has not taken yet.

use std::future;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::progress::Progress;
use crate::stream::Stream;

/// A stream, and the bytes that it did not take at once.
pub(crate) struct Link {
    stream: Stream,
    unsent: Unsent,
}

enum Unsent {
    Nothing,
    /// Behind a pointer: most peers have taken everything.
    Rest(Box<Rest>),
    /// The stream has failed, and so many bytes are lost with it.
    Lost {
        bytes: usize,
    },
}

/// Bytes from `start` on wait. Without bytes, a layer such as TLS still holds some that it has taken.
struct Rest {
    bytes: Vec<u8>,
    start: usize,
    progress: Progress,
}

impl Rest {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }
}

impl Link {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, unsent: Unsent::Nothing }
    }

    /// Reads into the start of `buffer`; zero bytes are the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, buffer)
    }

    /// Sends `output`, behind what is still unsent, and keeps what the stream does not take. It leaves
    /// `output` empty.
    pub(crate) fn write(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        output: &mut Vec<u8>,
    ) -> io::Result<()> {
        if let Unsent::Rest(rest) = &mut self.unsent {
            rest.bytes.append(output);
            return self.flush(cx, now);
        }
        if output.is_empty() {
            return Ok(());
        }
        if let Unsent::Lost { bytes } = &mut self.unsent {
            *bytes += output.len();
            output.clear();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut start = 0;
        while start < output.len() {
            match self.stream.poll_write(cx, &output[start..]) {
                Poll::Ready(Ok(count)) if count > 0 => start += count,
                Poll::Ready(failed) => {
                    self.unsent = Unsent::Lost { bytes: output.len() - start };
                    output.clear();
                    return Err(failed.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
                }
                Poll::Pending => {
                    self.unsent = rest(now, output, start);
                    return Ok(());
                }
            }
        }
        output.clear();
        if self.stream.poll_flush(cx)?.is_pending() {
            self.unsent = rest(now, output, 0);
        }
        Ok(())
    }

    /// Sends `output` at once, without a task to wake when the stream takes more, and keeps what it does
    /// not take. Says whether it took everything; it leaves `output` empty. There must be nothing unsent, and
    /// plain TCP below.
    pub(crate) fn try_write(&mut self, now: Instant, output: &mut Vec<u8>) -> bool {
        let mut start = 0;
        while let (Stream::Tcp(stream), true) = (&self.stream, start < output.len()) {
            match stream.try_write(&output[start..]) {
                Ok(count) if count > 0 => start += count,
                // If it is an error, it shows again when the rest is written.
                _ => break,
            }
        }
        let written = start == output.len();
        if written {
            output.clear();
        } else {
            self.unsent = rest(now, output, start);
        }
        written
    }

    /// Whether [`try_write`](Self::try_write) may be called.
    pub(crate) fn can_try(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_)) && self.is_flushed()
    }

    /// Sends what is unsent, as far as the stream takes it.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<()> {
        let Rest { bytes, start, progress } = match &mut self.unsent {
            Unsent::Nothing => return Ok(()),
            Unsent::Lost { .. } => return Err(io::ErrorKind::BrokenPipe.into()),
            Unsent::Rest(rest) => &mut **rest,
        };
        while *start < bytes.len() {
            match self.stream.poll_write(cx, &bytes[*start..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    *start += count;
                    progress.take(now, count, bytes.len() - *start);
                }
                Poll::Pending => {
                    // Half of the memory is at most wasted, and each byte is moved at most once for
                    // each byte that was sent.
                    if *start > bytes.len() / 2 {
                        bytes.drain(..*start);
                        *start = 0;
                    }
                    return Ok(());
                }
            }
        }
        if self.stream.poll_flush(cx)?.is_ready() {
            self.unsent = Unsent::Nothing;
        }
        Ok(())
    }

    /// Whether the peer's network has everything.
    pub(crate) fn is_flushed(&self) -> bool {
        matches!(self.unsent, Unsent::Nothing)
    }

    /// Bytes that the stream has not taken.
    pub(crate) fn unsent_bytes(&self) -> usize {
        match &self.unsent {
            Unsent::Nothing | Unsent::Lost { .. } => 0,
            Unsent::Rest(rest) => rest.len(),
        }
    }

    /// Bytes that the peer's system has not confirmed, as far as the kernel tells: those that the stream has
    /// not taken, and those that are on their way.
    pub(crate) fn outstanding(&self) -> usize {
        let unsent = match &self.unsent {
            Unsent::Nothing => 0,
            Unsent::Lost { bytes } => *bytes,
            // A layer between holds some, and does not say how many.
            Unsent::Rest(rest) if rest.len() == 0 => return usize::MAX,
            Unsent::Rest(rest) => rest.len(),
        };
        let on_their_way = self.tcp().and_then(|tcp| heartwire_sys::unconfirmed(tcp).ok());
        unsent + on_their_way.unwrap_or(0)
    }

    /// When the peer is too slow with taking what there is to take, if it may take `patience` for each
    /// step.
    pub(crate) fn stalled_at(&self, patience: Duration) -> Option<Instant> {
        match &self.unsent {
            Unsent::Nothing | Unsent::Lost { .. } => None,
            Unsent::Rest(rest) => Some(rest.progress.stalled_at(patience)),
        }
    }

    /// The TCP connection below, where it is known.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        self.stream.tcp()
    }

    /// Tells the peer that nothing follows.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    /// Ends the connection: sends what is unsent, then waits for the peer to go, both not for long. What
    /// arrives meanwhile is read and dropped: a socket that is dropped with unread bytes is reset, and a
    /// reset overtakes what was sent before it.
    pub(crate) async fn farewell(mut self, patience: Duration) {
        let mut sink = [0; 1024];
        let (mut hears, mut tells) = (true, true);
        let bye = future::poll_fn(|cx| {
            while hears {
                match self.poll_read(cx, &mut sink) {
                    Poll::Ready(Ok(0) | Err(_)) => hears = false,
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => break,
                }
            }
            self.flush(cx, Instant::now())?;
            if !self.is_flushed() {
                return Poll::Pending;
            }
            // Where the peer has gone, closing the socket tells it the same.
            if let (false, Stream::Tcp(_)) = (hears, &self.stream) {
                return Poll::Ready(Ok(()));
            }
            if tells {
                ready!(self.poll_shutdown(cx))?;
                tells = false;
            }
            if hears { Poll::Pending } else { Poll::Ready(io::Result::Ok(())) }
        });
        let _ = tokio::time::timeout(patience, bye).await;
    }

    /// Sends what is unsent.
    pub(crate) async fn flush_all(&mut self) -> io::Result<()> {
        future::poll_fn(|cx| {
            self.flush(cx, Instant::now())?;
            if self.is_flushed() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }
}

/// What the stream has not taken at once: `output` from `start` on. It leaves `output` empty.
fn rest(now: Instant, output: &mut Vec<u8>, start: usize) -> Unsent {
    let unsent = output.len() - start;
    let progress = Progress::new(now, unsent);
    // A large output that is mostly unsent is kept as it is; others would keep more memory than they need.
    if unsent >= WHOLE_BYTES && unsent >= output.capacity() / 2 {
        return Unsent::Rest(Box::new(Rest { bytes: std::mem::take(output), start, progress }));
    }
    let bytes = output[start..].to_vec();
    output.clear();
    Unsent::Rest(Box::new(Rest { bytes, start: 0, progress }))
}

/// Bytes above which a copy costs more than new memory for the next output.
const WHOLE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Waker;

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// A peer that takes a byte whenever it is asked, and then has enough for now.
    struct Trickle(bool);

    impl AsyncWrite for Trickle {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0 = !self.0;
            if self.0 { Poll::Ready(Ok(bytes.len().min(1))) } else { Poll::Pending }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for Trickle {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[test]
    fn a_byte_now_and_then_is_not_enough() {
        let patience = Duration::from_secs(10);
        let start = Instant::now();
        let mut link = Link::new(Stream::Other(Box::pin(Trickle(false))));
        let mut cx = Context::from_waker(Waker::noop());
        link.write(&mut cx, start, &mut vec![7; 100]).unwrap();
        for second in 1..=10 {
            link.flush(&mut cx, start + Duration::from_secs(second)).unwrap();
        }
        assert_eq!(link.unsent_bytes(), 89);
        assert_eq!(link.stalled_at(patience), Some(start + patience));
    }
}
