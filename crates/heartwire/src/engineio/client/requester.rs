//! HTTP by somebody else.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};

/// Sends the requests of polling sessions in place of the client's own HTTP: for programs whose requests
/// have to take a way of their own. WebSockets are not opened this way.
///
/// A requester takes care of proxies, TLS and cookies itself; of the client's options only the headers,
/// the address and the timeouts have a meaning then.
pub trait Requester: fmt::Debug + Send + Sync {
    /// Sends a request, and returns the answer with its body. The future is dropped when the answer is
    /// not wanted any more.
    fn send(&self, request: Request<Bytes>) -> Answer;
}

/// An answer that is waited for. An error is told to the user in its own words.
pub type Answer =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, Box<dyn Error + Send + Sync>>> + Send>>;
