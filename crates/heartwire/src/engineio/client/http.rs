//! The requests of a session: GET and POST.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use heartwire_proto::engineio::{SessionId, Transport};
use heartwire_proto::websocket::PerMessageDeflate;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rand::distr::{Alphanumeric, SampleString};
use url::Url;

use super::address::{self, Address};
use super::agent::Agent;
use super::cookies::CookieJar;
use super::error::ConnectError;
use super::failure::{RequestError, excerpt};
use super::options::{Extra, Options};
use super::requester::Requester;

/// Where requests go, and what they carry.
pub(super) struct Http {
    pub(super) agent: Arc<Agent>,
    /// Who sends the requests of polling instead.
    requester: Option<Arc<dyn Requester>>,
    pub(super) address: Address,
    /// Where the server wants requests to go, if not there.
    target: Mutex<Option<Box<Address>>>,
    /// What all requests carry; `None` if that is nothing.
    headers: Option<Box<HeaderMap>>,
    /// What those of one transport carry besides.
    extras: Box<[Extra]>,
    /// From the first cookie on, where the user has brought no jar.
    cookies: OnceLock<CookieJar>,
    timestamps: bool,
    max_redirects: u32,
    timeout: Duration,
    pub(super) websocket_timeout: Duration,
    pub(super) protocols: Box<[String]>,
    pub(super) max_message: usize,
    pub(super) per_message_deflate: Option<PerMessageDeflate>,
}

/// A request that is about to be sent.
pub(super) struct Draft {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

impl Http {
    pub(super) fn new(options: Options) -> Result<Self, ConnectError> {
        let address = Address::new(&options.url, &options.path, &options.query)?;
        let agent = options.agent();
        let timeout = options.conduct.request_timeout;
        let address = address.with_timestamp(options.timestamp_parameter);
        let address = if options.trailing_slash { address } else { address.without_slash() };
        let mut headers = HeaderMap::new();
        headers.extend(address.authorization().map(|value| (header::AUTHORIZATION, value)));
        headers.extend(options.headers);
        Ok(Self {
            agent,
            requester: options.requester,
            target: Mutex::new(None),
            headers: (!headers.is_empty()).then(|| Box::new(headers)),
            extras: options.extras.into(),
            cookies: options.cookie_jar.map_or_else(OnceLock::new, OnceLock::from),
            timestamps: options.timestamp_requests,
            max_redirects: options.max_redirects,
            timeout,
            websocket_timeout: options.websocket_timeout.unwrap_or(timeout),
            protocols: options.protocols.into(),
            max_message: options.max_message,
            per_message_deflate: options.per_message_deflate,
            address,
        })
    }

    /// Forgets where the last session's requests were sent to.
    pub(super) fn restart(&self) {
        *self.target() = None;
    }

    /// Asks for packets; without a session, for one. The answer may take as long as the session's
    /// heartbeat allows; that of a handshake, the request timeout.
    pub(super) async fn get(&self, sid: Option<&SessionId>) -> Result<String, RequestError> {
        let get = self.send(Method::GET, sid, Bytes::new());
        let body = match sid {
            None => self.within(self.timeout, get).await?,
            Some(_) => get.await?,
        };
        String::from_utf8(body).map_err(|_| RequestError::NotText)
    }

    /// Delivers packets.
    pub(super) async fn post(&self, sid: &SessionId, body: Vec<u8>) -> Result<(), RequestError> {
        let post = self.send(Method::POST, Some(sid), body.into());
        self.within(self.timeout, post).await.map(drop)
    }

    /// Sends a request, to where the server wants it, and returns the body of an answer that is a success.
    async fn send(
        &self,
        method: Method,
        sid: Option<&SessionId>,
        body: Bytes,
    ) -> Result<Vec<u8>, RequestError> {
        let mut redirects = 0;
        loop {
            let Draft { url, mut headers } = self.draft(Transport::Polling, sid);
            if method == Method::POST {
                let text = HeaderValue::from_static("text/plain;charset=UTF-8");
                headers.entry(header::CONTENT_TYPE).or_insert(text);
            }
            let mut request = Request::new(body.clone());
            *request.method_mut() = method.clone();
            *request.uri_mut() = address::uri(&url).expect("it was checked with the address");
            *request.headers_mut() = headers;
            let (head, body) = match &self.requester {
                None => self.exchange(request).await?,
                Some(requester) => {
                    let answer = requester.send(request).await.map_err(RequestError::Elsewhere)?;
                    let (head, body) = answer.into_parts();
                    let fits = body.len() <= self.max_message;
                    let too_large = RequestError::TooLarge { max: self.max_message };
                    (head, if fits { Ok(body.into()) } else { Err(too_large) })
                }
            };
            self.take_cookies(&url, &head.headers);
            // Who sends requests in our place has followed them, if anybody does.
            if self.requester.is_none()
                && self.follow(&method, &url, head.status, &head.headers, &mut redirects)?
            {
                continue;
            }
            if head.status.is_success() {
                return body;
            }
            return Err(refused(head.status, body.unwrap_or_default()));
        }
    }

    /// Sends a request over a connection of the pool. The body of the answer is read whoever wants it: the
    /// connection can be used again then.
    async fn exchange(
        &self,
        mut request: Request<Bytes>,
    ) -> Result<(response::Parts, Result<Vec<u8>, RequestError>), RequestError> {
        if let Some(authorization) = self.agent.dialer.forward_authorization(request.uri()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization);
        }
        let sent = self.agent.client.request(request.map(Full::new)).await;
        let (head, body) = sent.map_err(RequestError::Pooled)?.into_parts();
        let body = self.body(body).await;
        Ok((head, body))
    }

    /// What a request of a session carries.
    pub(super) fn draft(&self, transport: Transport, sid: Option<&SessionId>) -> Draft {
        let timestamp =
            self.timestamps.then(|| Alphanumeric.sample_string(&mut rand::rng(), TIMESTAMP_CHARS));
        let extra = self.extras.iter().find(|extra| extra.transport == transport);
        let mut headers = self.headers.as_deref().cloned().unwrap_or_default();
        let mut query = &[][..];
        if let Some(extra) = extra {
            headers.extend(extra.headers.clone());
            query = &extra.query;
        }
        let redirected = self.target();
        let target = redirected.as_deref().unwrap_or(&self.address);
        let url = target.of(transport, sid, timestamp.as_deref(), query);
        let user_agent = HeaderValue::from_static(USER_AGENT);
        headers.entry(header::USER_AGENT).or_insert(user_agent);
        if !target.may_know_secrets_of(&self.address) {
            for secret in [header::AUTHORIZATION, header::COOKIE] {
                headers.remove(secret);
            }
        }
        let origin = target.origin();
        drop(redirected);
        if let Some(jar) = self.cookies.get() {
            jar.give(&origin, &mut headers);
        }
        Draft { url, headers }
    }

    pub(super) fn take_cookies(&self, url: &Url, answer: &HeaderMap) {
        if answer.contains_key(header::SET_COOKIE) {
            self.cookies.get_or_init(CookieJar::new).take(url, answer);
        }
    }

    /// Whether the answer to a request for `url` sends the client elsewhere. If so, that is where requests
    /// go from now on.
    pub(super) fn follow(
        &self,
        method: &Method,
        url: &Url,
        status: StatusCode,
        headers: &HeaderMap,
        redirects: &mut u32,
    ) -> Result<bool, RequestError> {
        let keeps_body = matches!(status.as_u16(), 307 | 308);
        let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let (true, Some(location)) = (keeps_body || matches!(status.as_u16(), 301..=303), location)
        else {
            return Ok(false);
        };
        let refuse = |why| RequestError::Redirect { status, to: location.to_owned(), why };
        if *redirects == self.max_redirects {
            return Err(refuse(match self.max_redirects {
                0 => "redirects are not followed",
                _ => "that is one redirect too many",
            }));
        }
        if *method == Method::POST && !keeps_body {
            return Err(refuse("messages would be lost there"));
        }
        let to = self.address.redirected(url, location).map_err(refuse)?;
        tracing::debug!(%status, to = excerpt(&to.display()), "redirected");
        *self.target() = Some(Box::new(to));
        *redirects += 1;
        Ok(true)
    }

    /// The body of an answer, unless it is longer than accepted.
    async fn body(&self, mut incoming: Incoming) -> Result<Vec<u8>, RequestError> {
        let mut body = vec![];
        while let Some(frame) = incoming.frame().await {
            let Ok(chunk) = frame.map_err(RequestError::Http)?.into_data() else { continue };
            if body.len() + chunk.len() > self.max_message {
                return Err(RequestError::TooLarge { max: self.max_message });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Waits no longer than `timeout`.
    pub(super) async fn within<T>(
        &self,
        timeout: Duration,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        match tokio::time::timeout(timeout, request).await {
            Ok(result) => result,
            Err(_) => Err(RequestError::Timeout(timeout)),
        }
    }

    fn target(&self) -> MutexGuard<'_, Option<Box<Address>>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is no success.
pub(super) fn refused(status: StatusCode, mut body: Vec<u8>) -> RequestError {
    body.truncate(MAX_KEPT_BYTES);
    RequestError::Status { status, body: String::from_utf8_lossy(&body).into_owned() }
}

const USER_AGENT: &str = concat!("heartwire/", env!("CARGO_PKG_VERSION"));

/// As many as the Node client.
const TIMESTAMP_CHARS: usize = 8;

/// Bytes of an error answer that are kept for the user.
pub(super) const MAX_KEPT_BYTES: usize = 64 * 1024;
