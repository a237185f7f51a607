//! One HTTP request over a stream of its own, and what is left of it.

use std::pin::pin;

use bytes::Bytes;
use http::{Method, Request, StatusCode, response};
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::stream::Stream;

/// What came of a request.
pub(super) enum Exchanged {
    /// The stream is free for something else.
    Switched {
        head: response::Parts,
        stream: Stream,
        /// What arrived together with the answer.
        early: Bytes,
    },
    /// An answer as others are.
    Answered { head: response::Parts, body: Vec<u8> },
}

/// Sends a request that is to free the stream: an upgrade, or CONNECT. Of an answer that does not,
/// `max_body` bytes are kept.
pub(super) async fn exchange(
    stream: Stream,
    request: Request<Empty<Bytes>>,
    max_body: usize,
) -> hyper::Result<Exchanged> {
    let connects = request.method() == Method::CONNECT;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = pin!(connection.with_upgrades());
    let mut work = pin!(async move {
        let mut response = sender.send_request(request).await?;
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS || connects && status.is_success() {
            let upgraded = hyper::upgrade::on(&mut response).await?;
            let parts = upgraded.downcast::<TokioIo<Stream>>().expect("it is what was put there");
            let (stream, mut early) = (parts.io.into_inner(), parts.read_buf);
            // No bytes of a buffer keep it as some would.
            if early.is_empty() {
                early = Bytes::new();
            }
            return Ok(Exchanged::Switched { head: response.into_parts().0, stream, early });
        }
        let (head, body) = response.into_parts();
        let body = start_of(body, max_body).await;
        Ok(Exchanged::Answered { head, body })
    });
    tokio::select! {
        biased;
        result = &mut work => result,
        ended = &mut connection => match ended {
            Ok(()) => work.await,
            Err(error) => work.await.map_err(|_| error),
        },
    }
}

/// The first bytes of a body. If it breaks off, what has come is all there is.
async fn start_of(body: Incoming, max: usize) -> Vec<u8> {
    let mut body = pin!(body);
    let mut start = vec![];
    while start.len() < max {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    let room = max - start.len();
                    start.extend_from_slice(&data[..data.len().min(room)]);
                }
            }
            Some(Err(_)) | None => break,
        }
    }
    start
}
