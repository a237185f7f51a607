//! The server in front of another service: requests to its path are its own, all others pass through.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::engine::Engine;
use super::response::ResponseBody;
use super::service::{ResponseFuture, Service};

/// A server as a [`tower_layer::Layer`]: requests to its [path](super::ServerBuilder::path) are its
/// own, all others go to the service below.
#[derive(Clone)]
pub struct Layer {
    engine: Arc<Engine>,
}

impl Layer {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = Layered<S>;

    fn layer(&self, inner: S) -> Layered<S> {
        Layered { service: Service::new(self.engine.clone()), inner }
    }
}

/// A service with a server in front of it.
#[derive(Clone, Debug)]
pub struct Layered<S> {
    service: Service,
    inner: S,
}

impl<S, B, R> tower_service::Service<Request<B>> for Layered<S>
where
    S: tower_service::Service<Request<B>, Response = Response<R>>,
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<LayerBody<R>>;
    type Error = S::Error;
    type Future = LayerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> LayerFuture<S::Future> {
        if self.service.engine.options.serves(request.uri().path()) {
            LayerFuture { answer: Answer::Own { future: self.service.handle(request) } }
        } else {
            LayerFuture { answer: Answer::Inner { future: self.inner.call(request) } }
        }
    }
}

pin_project! {
    /// The answer to come, of the server or of the service below it.
    pub struct LayerFuture<F> {
        #[pin]
        answer: Answer<F>,
    }
}

pin_project! {
    #[project = AnswerProjection]
    enum Answer<F> {
        Own { future: ResponseFuture },
        Inner { #[pin] future: F },
    }
}

impl<F, R, E> Future for LayerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<LayerBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().answer.project() {
            AnswerProjection::Own { future } => {
                let Ok(response) = ready!(Pin::new(future).poll(cx));
                Poll::Ready(Ok(response.map(|body| LayerBody { body: Either::Own { body } })))
            }
            AnswerProjection::Inner { future } => future
                .poll(cx)
                .map_ok(|response| response.map(|body| LayerBody { body: Either::Inner { body } })),
        }
    }
}

pin_project! {
    /// The body of an answer, of the server or of the service below it.
    pub struct LayerBody<B> {
        #[pin]
        body: Either<B>,
    }
}

pin_project! {
    #[project = EitherProjection]
    enum Either<B> {
        Own { body: ResponseBody },
        Inner { #[pin] body: B },
    }
}

impl<B: Body<Data = Bytes>> Body for LayerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().body.project() {
            EitherProjection::Own { body } => {
                Pin::new(body).poll_frame(cx).map_err(|never| match never {})
            }
            EitherProjection::Inner { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Either::Own { body } => body.is_end_stream(),
            Either::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Either::Own { body } => body.size_hint(),
            Either::Inner { body } => body.size_hint(),
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for LayerFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerFuture").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for LayerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerBody").finish_non_exhaustive()
    }
}
