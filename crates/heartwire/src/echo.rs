//! A WebSocket without a session, for tests: what comes goes back.

use std::future;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use heartwire_proto::websocket::Opcode;

use crate::codec::{Codec, Received};
use crate::link::Link;
use crate::scratch::{Buffers, Scratch, Workspace};

/// A WebSocket whose messages go back.
pub(crate) struct Echo {
    link: Link,
    codec: Codec,
    /// Bytes that have arrived and are not handled yet.
    early: Box<[u8]>,
}

impl Echo {
    pub(crate) fn new(link: Link, codec: Codec, early: Box<[u8]>) -> Self {
        Self { link, codec, early }
    }

    /// Echoes until the peer closes, breaks the rules, or goes.
    pub(crate) async fn run(mut self) {
        future::poll_fn(|cx| self.poll(cx)).await;
        self.link.farewell(FAREWELL).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let mut scratch = Scratch::borrow();
        let Buffers { input, output, workspace } = &mut *scratch;
        let mut early = std::mem::take(&mut self.early);
        let mut ended = self.handle(&mut early, output, workspace);
        loop {
            if self.link.write(cx, now, output).is_err() || ended {
                return Poll::Ready(());
            }
            // A peer that takes no answers gets no more of them.
            if self.link.unsent_bytes() >= PAUSE_BYTES {
                return Poll::Pending;
            }
            match self.link.poll_read(cx, input) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    ended = self.handle(&mut input[..count], output, workspace);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Handles what has arrived. Says whether it was the last.
    fn handle(
        &mut self,
        bytes: &mut [u8],
        output: &mut Vec<u8>,
        workspace: &mut Workspace,
    ) -> bool {
        let pool = &mut workspace.pool;
        let mut rest = bytes;
        while !rest.is_empty() {
            let current = rest;
            let taken = match self.codec.decode(current, pool, output) {
                Ok((taken, received)) => {
                    match received {
                        None => {}
                        Some(Received::Text(text)) => {
                            self.codec.encode(Opcode::Text, b"", text.as_bytes(), pool, output);
                        }
                        Some(Received::Binary(data)) => {
                            self.codec.encode(Opcode::Binary, b"", &data, pool, output);
                        }
                        Some(Received::Close(code)) => {
                            self.codec.encode_close(code, output);
                            return true;
                        }
                    }
                    taken
                }
                Err(error) => {
                    self.codec.encode_close(Some(error.close_code()), output);
                    return true;
                }
            };
            rest = &mut current[taken..];
        }
        false
    }
}

/// Unsent bytes at which reading stops.
const PAUSE_BYTES: usize = 256 * 1024;

/// Time for the peer to close the connection too.
const FAREWELL: Duration = Duration::from_secs(2);
