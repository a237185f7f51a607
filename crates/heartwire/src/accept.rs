//! Accepts connections until a server stops.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::lifecycle::Lifecycle;

/// Accepts connections, and hands each to `serve`, until the server stops.
pub(crate) async fn accept(
    listener: TcpListener,
    lifecycle: &Lifecycle,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    let mut stopped = pin!(lifecycle.stopped());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => return,
        };
        match accepted {
            Ok((stream, addr)) => {
                // Small messages must not wait for each other. Where it cannot be set, they do.
                let _ = stream.set_nodelay(true);
                serve(stream, addr);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: connections that end make room.
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}

/// Whether accepting failed because of the connection that was to be accepted: the next one may do
/// better at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Time until accepting is tried again when the machine has run out of something.
const BACKOFF: Duration = Duration::from_millis(50);
