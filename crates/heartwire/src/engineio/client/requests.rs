//! The GET and the POST of a session that polls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use heartwire_proto::engineio::SessionId;

use super::failure::RequestError;
use super::http::Http;

/// A request that is under way.
pub(super) type Request<T> = Pin<Box<dyn Future<Output = Result<T, RequestError>> + Send>>;

/// The GET of a session.
pub(super) enum Get {
    Idle,
    /// It begins when there is room for what it may bring.
    Wanted,
    UnderWay(Request<String>),
}

impl Get {
    /// Begins the request, if it is wanted.
    pub(super) fn begin(&mut self, http: &Arc<Http>, sid: Option<&SessionId>) {
        if let Self::Wanted = self {
            let (http, sid) = (http.clone(), sid.cloned());
            *self = Self::UnderWay(Box::pin(async move { http.get(sid.as_ref()).await }));
        }
    }

    /// Lets the request go on. Ready when it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<String, RequestError>> {
        let Self::UnderWay(request) = self else { return Poll::Pending };
        let result = ready!(request.as_mut().poll(cx));
        *self = Self::Idle;
        Poll::Ready(result)
    }
}

/// The POST of a session.
pub(super) struct Post {
    request: Request<()>,
    /// How many it delivers.
    pub(super) messages: usize,
}

impl Post {
    pub(super) fn begin(http: Arc<Http>, sid: SessionId, body: Vec<u8>, messages: usize) -> Self {
        Self { request: Box::pin(async move { http.post(&sid, body).await }), messages }
    }

    /// Lets the request go on. Ready when it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        self.request.as_mut().poll(cx)
    }
}
