//! Accepts connections until a server stops.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};

use crate::lifecycle::Lifecycle;

/// Accepts connections, and hands each to `serve`, until the server stops.
pub(crate) async fn accept(
    listener: TcpListener,
    lifecycle: &Lifecycle,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    let mut stopped = pin!(lifecycle.stopped());
    let mut in_a_row = 0;
    loop {
        if in_a_row == A_TURN {
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => return,
        };
        match accepted {
            Ok((stream, addr)) => {
                // Small messages must not wait for each other. Where it cannot be set, they do.
                let _ = stream.set_nodelay(true);
                serve(stream, addr);
                in_a_row += 1;
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

/// Listens at the first of the addresses that can be listened on, with room for 4096 clients who want to connect
/// at the same time, or for as many as the system allows: whoever finds none tries again after a second.
/// [`TcpListener::bind`] has room for 128.
///
/// # Errors
///
/// The name is unknown, or none of its addresses can be listened on.
pub async fn listen(addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut refused = None;
    for addr in tokio::net::lookup_host(addr).await? {
        match listen_at(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = Some(error),
        }
    }
    let nowhere = || io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    Err(refused.unwrap_or_else(nowhere))
}

fn listen_at(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that starts again gets its port. On Windows, two programs would get the same.
    if cfg!(not(windows)) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Connections that may wait to be accepted; the system may allow less.
const BACKLOG: u32 = 4096;

/// Connections that are accepted in a row: those that there are want to be served, too.
const A_TURN: usize = 16;

/// Time until accepting is tried again when the machine has run out of something.
const BACKOFF: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// More than a listener has room for unless it says so; some systems do not let it.
    const CLIENTS: usize = if cfg!(target_os = "linux") { 300 } else { 100 };

    /// Clients that have connected before anybody was accepted.
    async fn crowd() -> (TcpListener, Vec<TcpStream>) {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut clients = vec![];
        for _ in 0..CLIENTS {
            clients.push(TcpStream::connect(addr).await.unwrap());
        }
        (listener, clients)
    }

    #[tokio::test]
    async fn others_have_their_turn_between_connections() {
        let (listener, _clients) = crowd().await;
        let (lifecycle, in_a_row, accepted) = (Lifecycle::new(), Cell::new(0), Cell::new(0));
        let accepting = accept(listener, &lifecycle, |_, _| {
            in_a_row.set(in_a_row.get() + 1);
            accepted.set(accepted.get() + 1);
            assert!(in_a_row.get() <= A_TURN, "{} connections in a row", in_a_row.get());
        });
        let others = async {
            while accepted.get() < CLIENTS {
                in_a_row.set(0);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = accepting => panic!("nobody has stopped it"),
            () = others => {}
        }
    }

    #[tokio::test]
    async fn a_name_that_is_no_address_cannot_be_listened_on() {
        assert!(listen("127.0.0.1").await.is_err());
    }
}
