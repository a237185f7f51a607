//! What is left of an HTTP connection when it has become a WebSocket.

use std::future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use heartwire_proto::websocket::{Negotiated, Role};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use super::warden::Warden;
use crate::codec::Codec;
use crate::link::Link;
use crate::stream::Stream;

/// An HTTP connection that becomes a WebSocket when its request is answered.
pub(super) struct Upgrade {
    http: OnUpgrade,
    negotiated: Option<Negotiated>,
}

/// A WebSocket.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) codec: Codec,
    /// Bytes that arrived together with the request.
    pub(super) early: Box<[u8]>,
}

impl Upgrade {
    pub(super) fn new(http: OnUpgrade, negotiated: Option<Negotiated>) -> Self {
        Self { http, negotiated }
    }

    /// Ready when the answer is sent; with `None` when the client has gone before. Messages of at most
    /// `max_message` bytes are then taken.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        max_message: usize,
    ) -> Poll<Option<Opened>> {
        let upgraded = ready!(Pin::new(&mut self.http).poll(cx));
        Poll::Ready(upgraded.ok().map(|upgraded| {
            let (link, early) = split(upgraded);
            let codec = Codec::new(Role::Server, max_message, self.negotiated);
            Opened { link, codec, early }
        }))
    }

    /// The same as a future.
    pub(super) async fn opened(mut self, max_message: usize) -> Option<Opened> {
        future::poll_fn(|cx| self.poll(cx, max_message)).await
    }
}

/// Ends the connection of a client that was refused its WebSocket. It may be sending what was meant for that,
/// and hyper leaves the connection to whoever asks for it: closed at once, it would be reset, and the answer
/// with it.
pub(super) async fn see_off(http: OnUpgrade, patience: Duration) {
    let Ok(upgraded) = http.await else { return };
    let upgraded = match upgraded.downcast::<TokioIo<Warden<TcpStream>>>() {
        Ok(parts) => return end(parts.io.into_inner(), patience).await,
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match upgraded.downcast::<TokioIo<Warden<TlsStream<TcpStream>>>>() {
        Ok(parts) => return end(parts.io.into_inner(), patience).await,
        Err(upgraded) => upgraded,
    };
    end(Warden::new(TokioIo::new(upgraded), patience), patience).await;
}

async fn end<S: AsyncRead + AsyncWrite + Unpin>(mut stream: Warden<S>, patience: Duration) {
    // Whoever does not take the answer, or has gone, does not want it.
    let _ = tokio::time::timeout(patience + PARTING, stream.shutdown()).await;
}

/// Time for a stream to be closed, beyond what its peer has for taking the answer.
const PARTING: Duration = Duration::from_secs(3);

/// The byte stream, and the bytes that arrived together with the request.
fn split(upgraded: Upgraded) -> (Link, Box<[u8]>) {
    let upgraded = match upgraded.downcast::<TokioIo<Warden<TcpStream>>>() {
        // The listener has set what small messages need.
        Ok(parts) => {
            let stream = Stream::Tcp(parts.io.into_inner().into_inner());
            return (Link::new(stream), parts.read_buf[..].into());
        }
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match upgraded.downcast::<TokioIo<Warden<TlsStream<TcpStream>>>>() {
        Ok(parts) => {
            let stream = Stream::Other(Box::pin(parts.io.into_inner().into_inner()));
            return (Link::new(stream), parts.read_buf[..].into());
        }
        Err(upgraded) => upgraded,
    };
    // As hosts accept it.
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            // Small messages must not wait for each other. Where it cannot be set, they do.
            let _ = stream.set_nodelay(true);
            return (Link::new(Stream::Tcp(stream)), parts.read_buf[..].into());
        }
        Err(upgraded) => upgraded,
    };
    // It brings its early bytes along.
    (Link::new(Stream::Other(Box::pin(TokioIo::new(upgraded)))), Box::default())
}
