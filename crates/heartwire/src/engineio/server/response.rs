//! Answers, as HTTP wants them.
//!
//! Headers and bodies are the Node server's, so that clients that look at them find what they know.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use heartwire_proto::engineio::{Answer, Refusal};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::super::written::Receipt;
use super::hooks::Rejection;

/// The body of an answer.
#[derive(Debug, Default)]
pub struct ResponseBody {
    bytes: Option<Bytes>,
    /// Who waits for messages in it to be written.
    receipts: Vec<Receipt>,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receipts.drain(..).for_each(Receipt::confirm);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}

impl ResponseBody {
    fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: Some(bytes.into()), receipts: vec![] }
    }

    /// Puts another body in place of the one there, if that has at least `threshold` bytes.
    #[cfg(feature = "http-compression")]
    pub(super) fn replace(
        &mut self,
        threshold: usize,
        with: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> bool {
        match &mut self.bytes {
            Some(bytes) if bytes.len() >= threshold => {
                *bytes = with(bytes).into();
                true
            }
            Some(_) | None => false,
        }
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = status;
    response
}

/// The answer to a GET: packets, and who waits for messages among them to be written.
pub(super) fn packets(body: Vec<u8>, receipts: Vec<Receipt>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody { receipts, ..ResponseBody::new(body) });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a POST whose packets were taken.
pub(super) fn taken() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::new(&b"ok"[..]));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a request for a WebSocket that is granted.
pub(super) fn switching(accept: &str, protocol: Option<HeaderValue>) -> Response<ResponseBody> {
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    let accept = HeaderValue::from_str(accept).expect("base64 may stand in a header");
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// The answer to a request that is refused.
pub(super) fn refused(refusal: Refusal, upgrade: bool) -> Response<ResponseBody> {
    let Answer { status, code, message, .. } = refusal.answer();
    let status = StatusCode::from_u16(status).expect("the table has HTTP statuses");
    let mut response = denied(status, code, message, upgrade);
    if let Refusal::MalformedRequest | Refusal::UnsupportedTransferCoding = refusal {
        // Where its body ends is unknown.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer to a request that the application does not grant.
pub(super) fn rejected(rejection: &Rejection, upgrade: bool) -> Response<ResponseBody> {
    let code = Refusal::Forbidden.answer().code;
    denied(rejection.status, code, &rejection.message, upgrade)
}

/// Who asked for a WebSocket is told in words, everybody else in JSON.
fn denied(
    status: StatusCode,
    code: Option<u8>,
    message: &str,
    upgrade: bool,
) -> Response<ResponseBody> {
    let mut response = empty(status);
    let (kind, body) = match (upgrade, code) {
        (true, _) => (Some("text/html"), message.to_owned()),
        (false, Some(code)) => {
            let message = serde_json::Value::from(message);
            (Some("application/json"), format!(r#"{{"code":{code},"message":{message}}}"#))
        }
        (false, None) => (None, String::new()),
    };
    if !body.is_empty() {
        *response.body_mut() = ResponseBody::new(body);
    }
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    match status.as_u16() {
        405 => {
            let allowed = if upgrade { "GET" } else { "GET, POST" };
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        426 => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        _ => {}
    }
    response
}
