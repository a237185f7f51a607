//! From a listening socket to channels.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use super::handle::Server;
use super::task::ChannelTask;
use crate::accept::{accept, listen};
use crate::admission::Ticket;
use crate::stream::Stream;

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
        self.accept_with(listener, |server, stream, addr, ticket| async move {
            server.hold(Stream::Tcp(stream), addr, ticket).await;
        })
        .await;
    }

    /// Serves the connections of a listener, over TLS, until the server is [closed](Self::close).
    #[cfg(feature = "tls")]
    pub async fn serve_tls(&self, listener: TcpListener, tls: &crate::tls::ServerTls) {
        self.accept_with(listener, |server, stream, addr, ticket| {
            let acceptor = tls.acceptor();
            async move {
                match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        server.hold(Stream::Tls(Box::new(stream.into())), addr, ticket).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%addr, %error, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%addr, "TLS handshake took too long"),
                }
            }
        })
        .await;
    }

    /// Accepts connections, within the limits, and runs `hold` for each.
    async fn accept_with<F: Future<Output = ()> + Send + 'static>(
        &self,
        listener: TcpListener,
        hold: impl Fn(Self, TcpStream, SocketAddr, Ticket) -> F,
    ) {
        accept(listener, &self.engine.lifecycle, |stream, addr| {
            if self.engine.lifecycle.is_draining() {
                return;
            }
            match self.engine.admission.admit(Some(addr.ip())) {
                Ok(ticket) => {
                    if let Err(error) = self.engine.options.liveness.apply(&stream) {
                        tracing::debug!(%addr, %error, "cannot set socket options");
                    }
                    tokio::spawn(hold(self.clone(), stream, addr, ticket));
                }
                Err(limit) => tracing::warn!(%addr, "connection refused: {limit}"),
            }
        })
        .await;
    }

    /// Holds a connection until it has ended. Without anybody to take its messages, there is none.
    async fn hold(self, stream: Stream, addr: SocketAddr, ticket: Ticket) {
        let Some(application) = self.engine.application() else {
            tracing::warn!(%addr, "connection refused: the server has no handler");
            return;
        };
        if let Some(channel) = self.engine.open(addr, application) {
            ChannelTask::new(self.engine, channel, stream, ticket).await;
        }
    }
}

/// Time for a TLS handshake.
#[cfg(feature = "tls")]
const HANDSHAKE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
