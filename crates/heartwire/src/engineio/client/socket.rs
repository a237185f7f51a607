//! The WebSocket of a session, from the request that opens it to its farewell.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use heartwire_proto::engineio::client::ClientSession;
use heartwire_proto::engineio::{Packet, SessionId, SocketEnd};
use heartwire_proto::websocket::CloseCode;
use tokio::time::Sleep;

use super::super::outgoing::{Outgoing, encode_packet};
use super::event::Event;
use super::failure::{RequestError, excerpt};
use super::http::Http;
use super::requests::Request;
use super::websocket::Opened;
use crate::codec::{Codec, Received};
use crate::link::Link;
use crate::scratch::{Buffers, Scratch, Workspace};
use crate::transit::Transit;

/// The WebSocket of a session.
pub(super) enum Socket {
    None,
    Opening(Request<Opened>),
    Open(Box<OpenSocket>),
    /// Everything is written; the last of it is on its way.
    Closing(Box<ClosingSocket>),
}

pub(super) struct OpenSocket {
    link: Link,
    /// What arrived before there was a codec.
    early: Box<[u8]>,
    codec: Codec,
    /// Messages that are gathered for the next write.
    gathered: usize,
    /// Messages of which the server's system may not have everything.
    transit: Transit,
    stage: Stage,
}

pub(super) struct ClosingSocket {
    link: Link,
    transit: Transit,
    /// When to wait no longer.
    patience: Pin<Box<Sleep>>,
}

enum Stage {
    Talking,
    /// The close frame is gathered; nothing follows it.
    Closing,
}

/// What a WebSocket has brought.
#[derive(Default)]
pub(super) struct Haul {
    pub(super) received: Vec<Event>,
    /// How it ended, if it did.
    pub(super) end: Option<SocketEnd>,
    /// What was wrong with it.
    pub(super) detail: Option<String>,
}

impl Socket {
    pub(super) fn open(http: Arc<Http>, sid: Option<SessionId>) -> Self {
        Self::Opening(Box::pin(async move { http.websocket(sid.as_ref()).await }))
    }

    /// Lets the request go on. Ready when the WebSocket is open, with its subprotocol, or cannot be
    /// opened.
    pub(super) fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<String>, RequestError>> {
        let Self::Opening(request) = self else { return Poll::Pending };
        match ready!(request.as_mut().poll(cx)) {
            Ok(Opened { link, codec, early, protocol }) => {
                *self = Self::Open(Box::new(OpenSocket {
                    link,
                    early: (&*early).into(),
                    codec,
                    gathered: 0,
                    transit: Transit::default(),
                    stage: Stage::Talking,
                }));
                Poll::Ready(Ok(protocol))
            }
            Err(error) => {
                *self = Self::None;
                Poll::Ready(Err(error))
            }
        }
    }

    /// Bytes that the server's network has not taken.
    pub(super) fn unsent_bytes(&self) -> usize {
        match self {
            Self::Open(socket) => socket.link.unsent_bytes(),
            Self::None | Self::Opening(_) | Self::Closing(_) => 0,
        }
    }

    /// Messages of which the server's network may not have everything.
    pub(super) fn in_flight(&self) -> usize {
        match self {
            Self::Open(socket) => socket.transit.messages(socket.link.outstanding()),
            Self::Closing(socket) => socket.transit.messages(socket.link.outstanding()),
            Self::None | Self::Opening(_) => 0,
        }
    }

    /// When the server has taken nothing for too long.
    pub(super) fn stalled_at(&self, patience: Duration) -> Option<Instant> {
        match self {
            Self::Open(socket) => socket.link.stalled_at(patience),
            Self::None | Self::Opening(_) | Self::Closing(_) => None,
        }
    }

    /// Gathers a packet that is no message.
    pub(super) fn send_packet(&self, packet: &Packet<'_>, output: &mut Vec<u8>) {
        if let Self::Open(socket) = self {
            encode_packet(packet, &socket.codec, output);
        }
    }

    /// Gathers a message.
    pub(super) fn send_message(&mut self, message: &Outgoing, scratch: &mut Scratch) {
        if let Self::Open(socket) = self {
            let Buffers { output, workspace, .. } = &mut **scratch;
            message.encode(&mut socket.codec, &mut workspace.pool, output);
            socket.gathered += 1;
        }
    }

    /// Closes the WebSocket, when what is gathered has been written.
    pub(super) fn close(&mut self, code: Option<CloseCode>, output: &mut Vec<u8>) {
        match self {
            Self::Open(socket) => {
                socket.codec.encode_close(code, output);
                socket.stage = Stage::Closing;
            }
            Self::Opening(_) => *self = Self::None,
            Self::None | Self::Closing(_) => {}
        }
    }

    /// Writes what is gathered. An error ends the WebSocket.
    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        output: &mut Vec<u8>,
        close_timeout: Duration,
    ) -> std::io::Result<()> {
        let Self::Open(socket) = self else { return Ok(()) };
        let length = output.len();
        let written = socket.link.write(cx, now, output);
        let gathered = std::mem::take(&mut socket.gathered);
        socket.transit.sent(gathered, length, || socket.link.outstanding());
        if let Stage::Closing = socket.stage
            && let Self::Open(socket) = std::mem::replace(self, Self::None)
        {
            let OpenSocket { link, transit, .. } = *socket;
            let patience = Box::pin(tokio::time::sleep(close_timeout));
            *self = Self::Closing(Box::new(ClosingSocket { link, transit, patience }));
        }
        written
    }

    /// Reads what has arrived, and handles it. Pending if nothing has.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        session: &mut ClientSession<Outgoing>,
        scratch: &mut Scratch,
    ) -> Poll<Haul> {
        let Self::Open(socket) = self else { return Poll::Pending };
        let Buffers { input, output, workspace } = &mut **scratch;
        let OpenSocket { link, early, codec, .. } = &mut **socket;
        if !early.is_empty() {
            let mut bytes = std::mem::take(early);
            let haul = handle_frames(session, codec, now, &mut bytes, output, workspace);
            return Poll::Ready(haul);
        }
        Poll::Ready(match ready!(link.poll_read(cx, input)) {
            Ok(0) => Haul { end: Some(SocketEnd::Closed(None)), ..Haul::default() },
            Ok(count) => handle_frames(session, codec, now, &mut input[..count], output, workspace),
            Err(error) => Haul {
                end: Some(SocketEnd::Failed),
                detail: Some(error.to_string()),
                ..Haul::default()
            },
        })
    }

    /// Sends the last of a WebSocket that is closed, if it is worth waiting for. Ready with the number of
    /// messages that may not have arrived: if the end was `meant`, those that the network has not taken.
    pub(super) fn poll_farewell(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        waits: bool,
        meant: bool,
    ) -> Poll<usize> {
        let Self::Closing(socket) = self else { return Poll::Ready(0) };
        let flushed = socket.link.flush(cx, now).is_ok() && socket.link.is_flushed();
        if !flushed && waits && socket.patience.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let lost = match flushed && meant {
            true => 0,
            false => socket.transit.messages(socket.link.outstanding()),
        };
        self.release();
        Poll::Ready(lost)
    }

    /// Lets a closing WebSocket be closed by a task of its own: the server may take its time.
    pub(super) fn release(&mut self) {
        if let Self::Closing(_) = self
            && let Self::Closing(socket) = std::mem::replace(self, Self::None)
        {
            tokio::spawn(socket.link.farewell(FAREWELL));
        }
    }
}

/// Handles what has arrived.
fn handle_frames(
    session: &mut ClientSession<Outgoing>,
    codec: &mut Codec,
    now: Instant,
    bytes: &mut [u8],
    output: &mut Vec<u8>,
    workspace: &mut Workspace,
) -> Haul {
    let Workspace { base64, pool } = workspace;
    let mut haul = Haul::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let current = rest;
        let taken = match codec.decode(current, pool, output) {
            Ok((taken, None)) => {
                session.handle_traffic(now);
                taken
            }
            Ok((taken, Some(frame))) => {
                let was_closed = session.is_closed();
                let message = match &frame {
                    Received::Text(text) => session.handle_text(now, text, base64),
                    Received::Binary(data) => session.handle_binary(now, data),
                    Received::Close(code) => {
                        haul.end = Some(SocketEnd::Closed(*code));
                        return haul;
                    }
                };
                haul.received.extend(message.map(|message| Event::Message(message.to_message())));
                if session.is_closed() && !was_closed {
                    haul.detail = match &frame {
                        Received::Text(text) => Some(format!("got {:?}", excerpt(text))),
                        Received::Binary(data) => {
                            Some(format!("got {} bytes of binary", data.len()))
                        }
                        Received::Close(_) => None,
                    };
                }
                taken
            }
            Err(error) => {
                haul.end = Some(SocketEnd::Broken(error));
                haul.detail = Some(error.to_string());
                return haul;
            }
        };
        rest = &mut current[taken..];
    }
    haul
}

/// Time for a closing WebSocket to be closed by its peer too.
const FAREWELL: Duration = Duration::from_secs(2);
