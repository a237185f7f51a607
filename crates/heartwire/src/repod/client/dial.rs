//! From a name to a connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use heartwire_proto::shared::{Ending, after};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::{ConnectError, ConnectErrorKind};
use super::options::Options;
use super::shared::Shared;
use crate::stream::Stream;

/// Connects, unless the user closes the client meanwhile. Where messages wait already, closing gives
/// them the linger time.
pub(super) async fn dial(
    shared: &Shared,
    options: &Options,
) -> Result<(Stream, SocketAddr), ConnectError> {
    tokio::select! {
        biased;
        () = given_up(shared, options) => Err(ConnectError::new(
            ConnectErrorKind::Cancelled,
            format!("the connection to {} was closed before it was open", place(options)),
        )),
        result = connect(options) => result,
    }
}

/// Waits until the user has closed the client and nothing that waits to be sent justifies a connection.
async fn given_up(shared: &Shared, options: &Options) {
    let ending = shared.mailbox.ending().await;
    let (waiting, _) = shared.mailbox.waiting();
    if ending == Ending::Flush && waiting > 0 {
        let left = left_to_linger(shared, options);
        let discarded = shared.mailbox.until(|queue| queue.ending() == Ending::Discard);
        let _ = timeout(left, discarded).await;
    }
}

/// What is left of the linger time, if the user has closed the client; otherwise all of it.
pub(super) fn left_to_linger(shared: &Shared, options: &Options) -> Duration {
    let gone = shared.closed_at.get().map_or(Duration::ZERO, Instant::elapsed);
    options.session.linger.saturating_sub(gone)
}

/// Connects to the first of the addresses of the name that answers.
async fn connect(options: &Options) -> Result<(Stream, SocketAddr), ConnectError> {
    let deadline = after(Instant::now(), options.connect_timeout);
    let left = || deadline.saturating_duration_since(Instant::now());
    let late = || {
        let (place, time) = (place(options), options.connect_timeout);
        let message = format!("cannot connect to {place}: no answer within {time:?}");
        ConnectError::new(ConnectErrorKind::Timeout, message)
    };
    let unreachable = |error| {
        let message = format!("cannot connect to {}", place(options));
        ConnectError::caused(ConnectErrorKind::Unreachable, message, error)
    };
    let lookup = tokio::net::lookup_host((options.host.as_str(), options.port));
    let addrs = timeout(left(), lookup).await.map_err(|_| late())?.map_err(unreachable)?;
    let addrs: Vec<_> = addrs.collect();
    let mut first_error = None;
    for (position, &addr) in addrs.iter().enumerate() {
        // An address that does not answer leaves the others their share of the time.
        let share = left() / (addrs.len() - position) as u32;
        let error = match timeout(share, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => {
                options.liveness.apply(&stream).map_err(unreachable)?;
                return match timeout(left(), secure(stream, options)).await {
                    Ok(result) => result.map(|stream| (stream, addr)),
                    Err(_) => Err(late()),
                };
            }
            Ok(Err(error)) => unreachable(error),
            Err(_) => late(),
        };
        first_error.get_or_insert(error);
    }
    Err(first_error.unwrap_or_else(|| {
        let message = format!("cannot connect to {}: the name has no address", place(options));
        ConnectError::new(ConnectErrorKind::Unreachable, message)
    }))
}

#[cfg(feature = "tls")]
async fn secure(stream: TcpStream, options: &Options) -> Result<Stream, ConnectError> {
    let Some(tls) = &options.tls else { return Ok(Stream::Tcp(stream)) };
    let message = format!("cannot connect to {} over TLS", place(options));
    let name = match tls.name(&options.host) {
        Ok(name) => name,
        Err(error) => return Err(ConnectError::caused(ConnectErrorKind::Tls, message, error)),
    };
    match tls.connector().connect(name, stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
        Err(error) => Err(ConnectError::caused(ConnectErrorKind::Tls, message, error)),
    }
}

#[cfg(not(feature = "tls"))]
async fn secure(stream: TcpStream, _: &Options) -> Result<Stream, ConnectError> {
    Ok(Stream::Tcp(stream))
}

/// The server, as it stands in messages.
fn place(options: &Options) -> String {
    if options.host.contains(':') {
        format!("[{}]:{}", options.host, options.port)
    } else {
        format!("{}:{}", options.host, options.port)
    }
}
