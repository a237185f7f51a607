//! A server of its own: it listens, and answers one path.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use heartwire_proto::engineio::Refusal;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;
use tokio_util::task::TaskTracker;

use super::engine::Engine;
use super::handle::Server;
use super::hygiene;
use super::newcomer::Newcomer;
use super::service::{ResponseFuture, Service};
use super::warden::Warden;
use crate::accept::{accept, listen};

impl Server {
    /// Listens on `addr` and serves until the server is [closed](Self::close).
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub async fn listen(&self, addr: impl ToSocketAddrs) -> io::Result<()> {
        self.serve(listen(addr).await?).await;
        Ok(())
    }

    /// Serves the connections of a listener until the server is [closed](Self::close).
    ///
    /// Where many connect at once, give it one of [`heartwire::listen`](crate::listen).
    pub async fn serve(&self, listener: TcpListener) {
        let (http, connections) = (self.http_builder(), TaskTracker::new());
        accept(listener, &self.engine.lifecycle, |stream, addr| {
            let Some(newcomer) = self.welcome(addr, false) else { return };
            connections.spawn(self.http_connection(&http, stream, newcomer));
        })
        .await;
        finish(connections).await;
    }

    /// Serves the connections of a listener, over TLS, until the server is [closed](Self::close).
    #[cfg(feature = "tls")]
    pub async fn serve_tls(&self, listener: TcpListener, tls: &crate::tls::ServerTls) {
        let (http, connections) = (self.http_builder(), TaskTracker::new());
        accept(listener, &self.engine.lifecycle, |stream, addr| {
            let Some(newcomer) = self.welcome(addr, true) else { return };
            let (server, http, acceptor) = (self.clone(), http.clone(), tls.acceptor());
            connections.spawn(async move {
                let lifecycle = &server.engine.lifecycle;
                let patience = server.engine.options.header_timeout;
                let accepted = tokio::select! {
                    accepted = tokio::time::timeout(patience, acceptor.accept(stream)) => accepted,
                    () = lifecycle.stopped() => return,
                };
                match accepted {
                    Ok(Ok(stream)) => {
                        server.http_connection(&http, stream, newcomer).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%addr, %error, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%addr, "TLS handshake took too long"),
                }
            });
        })
        .await;
        finish(connections).await;
    }

    /// Lets a connection in, as far as the limits go.
    fn welcome(&self, addr: SocketAddr, tls: bool) -> Option<Newcomer> {
        let newcomer = self.engine.welcome(addr, tls);
        newcomer.inspect_err(|limit| tracing::debug!(%addr, "connection refused: {limit}")).ok()
    }

    fn http_builder(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.engine.options.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEADER_BYTES)
            .max_buf_size(MAX_HEADER_BYTES);
        http
    }

    fn http_connection<S>(
        &self,
        http: &http1::Builder,
        stream: S,
        newcomer: Newcomer,
    ) -> HttpConnection<TokioIo<Warden<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(Warden::new(stream, self.engine.options.stall_timeout));
        let service = AtPath { service: self.service(), newcomer };
        let engine = self.engine.clone();
        let stopped = engine.lifecycle.stop_signal();
        let http = http.serve_connection(io, service).with_upgrades();
        HttpConnection { http, engine, stopped, stage: Stage::New }
    }
}

/// Waits for the answers that are under way, which end by themselves.
async fn finish(connections: TaskTracker) {
    connections.close();
    connections.wait().await;
}

pin_project! {
    /// A connection that answers requests. When the server stops, it ends after the one under way, or
    /// without its answer if that takes too long.
    struct HttpConnection<I> {
        #[pin]
        http: http1::UpgradeableConnection<I, AtPath>,
        engine: Arc<Engine>,
        #[pin]
        stopped: OwnedNotified,
        stage: Stage,
    }
}

enum Stage {
    /// The task does not wait for the server's end yet.
    New,
    /// It does.
    Open,
    /// It was told to end, and is cut off when this is over.
    Ending(Pin<Box<Sleep>>),
}

impl<I> Future for HttpConnection<I>
where
    I: Read + Write + Unpin + Send + 'static,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Stage::New = this.stage {
            // Asked once, it wakes this task for good: asking takes a lock that all connections share.
            let _ = this.stopped.poll(cx);
            *this.stage = Stage::Open;
        }
        if let (Stage::Open, true) = (&this.stage, this.engine.lifecycle.is_stopped()) {
            this.http.as_mut().graceful_shutdown();
            *this.stage = Stage::Ending(Box::pin(tokio::time::sleep(LINGER)));
        }
        if let Poll::Ready(result) = this.http.poll(cx) {
            if let Err(error) = result {
                tracing::trace!(%error, "connection failed");
            }
            return Poll::Ready(());
        }
        match this.stage {
            Stage::Ending(linger) => linger.as_mut().poll(cx),
            Stage::New | Stage::Open => Poll::Pending,
        }
    }
}

/// The service at its path; other paths are not found.
struct AtPath {
    service: Service,
    newcomer: Newcomer,
}

impl hyper::service::Service<Request<Incoming>> for AtPath {
    type Response = <Service as hyper::service::Service<Request<Incoming>>>::Response;
    type Error = <Service as hyper::service::Service<Request<Incoming>>>::Error;
    type Future = ResponseFuture;

    fn call(&self, request: Request<Incoming>) -> ResponseFuture {
        if !self.service.engine.options.serves(request.uri().path()) {
            let checked = hygiene::check(request.version(), request.headers());
            let refusal = checked.err().unwrap_or(Refusal::NotFound);
            return ResponseFuture::refuse(&self.service.engine, refusal);
        }
        self.service.handle_from(Some(&self.newcomer), request)
    }
}

/// Node takes 2000 headers, nginx as many as fit into 32 KiB.
const MAX_HEADERS: usize = 100;

/// As Node; nginx takes 32 KiB. It is also what is read of a body at once; hyper alone would take 408 KiB.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Time for answers that are under way when the server has closed.
const LINGER: Duration = Duration::from_secs(2);
