//! What the application may decide before there is a session: who is let in, by which id, and what
//! answers say besides.
//!
//! A hook that panics or does not return is answered for, and leaves nothing behind: there is no session
//! before it has said yes.

use std::fmt::{self, Display};
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use heartwire_proto::engineio::{Refusal, SessionId};
use http::{HeaderMap, StatusCode};

use super::head::RequestHead;
use crate::callback::guard;

/// Why a client is not let in, and what it is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejection {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Rejection {
    /// Tells the client a status and a message. A status that is no error becomes 403.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let is_error = status.is_client_error() || status.is_server_error();
        let status = if is_error { status } else { StatusCode::FORBIDDEN };
        Self { status, message: message.into() }
    }

    /// Tells the client 403 and a message, as the Node server does.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }
}

impl Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Rejection {}

/// What a request that is not granted is told: what the protocol says, or the application.
#[derive(Debug)]
pub(super) enum Denial {
    Refused(Refusal),
    Rejected(Rejection),
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Rejection> for Denial {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What the application may decide before there is a session.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) allow: Option<Hook<Result<(), Rejection>>>,
    pub(super) session_id: Option<Hook<Result<SessionId, String>>>,
    pub(super) headers: Option<HeaderHook>,
    pub(super) initial_headers: Option<HeaderHook>,
}

pub(super) type Hook<R> =
    Arc<dyn Fn(Arc<RequestHead>) -> Pin<Box<dyn Future<Output = R> + Send>> + Send + Sync>;
pub(super) type HeaderHook = Arc<dyn Fn(&RequestHead, &mut HeaderMap) + Send + Sync>;

impl Hooks {
    pub(super) fn allow<F, Fut>(hook: F) -> Hook<Result<(), Rejection>>
    where
        F: Fn(Arc<RequestHead>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Rejection>> + Send + 'static,
    {
        Arc::new(move |head| Box::pin(hook(head)))
    }

    pub(super) fn session_id<F, Fut, E>(hook: F) -> Hook<Result<SessionId, String>>
    where
        F: Fn(Arc<RequestHead>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<SessionId, E>> + Send + 'static,
        E: Display,
    {
        Arc::new(move |head| {
            let id = hook(head);
            Box::pin(async move { id.await.map_err(|error| error.to_string()) })
        })
    }

    /// Whether a request that opens a session can be answered at once.
    pub(super) fn are_immediate(&self) -> bool {
        self.allow.is_none() && self.session_id.is_none()
    }

    /// Whether the application lets the client in.
    pub(super) async fn is_allowed(
        &self,
        head: &Arc<RequestHead>,
        patience: Duration,
    ) -> Result<(), Denial> {
        let Some(hook) = &self.allow else { return Ok(()) };
        Ok(answer("allow_request", hook, head, patience).await??)
    }

    /// The id of a new session.
    pub(super) async fn new_id(
        &self,
        head: &Arc<RequestHead>,
        patience: Duration,
    ) -> Result<SessionId, Denial> {
        let Some(hook) = &self.session_id else { return Ok(random_id()) };
        answer("session_id", hook, head, patience).await?.map_err(|error| {
            tracing::warn!(%error, "no session id");
            Refusal::BadRequest.into()
        })
    }
}

/// An id that nobody can guess.
pub(super) fn random_id() -> SessionId {
    SessionId::from_random(rand::random())
}

/// What a hook says, if it says anything in time.
async fn answer<R>(
    name: &str,
    hook: &Hook<R>,
    head: &Arc<RequestHead>,
    patience: Duration,
) -> Result<R, Refusal> {
    let client = head.client_ip().map_or_else(|| "?".to_owned(), |addr| addr.to_string());
    let asked = async {
        let mut answer = guard(&client, name, || hook(head.clone()))?;
        future::poll_fn(|cx| match guard(&client, name, || answer.as_mut().poll(cx)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(answer)) => Poll::Ready(Some(answer)),
            None => Poll::Ready(None),
        })
        .await
    };
    match tokio::time::timeout(patience, asked).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(Refusal::InternalError),
        Err(_) => {
            tracing::warn!(hook = name, ?patience, "a hook did not return in time");
            Err(Refusal::ServiceUnavailable)
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("allow", &self.allow.is_some())
            .field("session_id", &self.session_id.is_some())
            .field("headers", &self.headers.is_some())
            .field("initial_headers", &self.initial_headers.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at `count` ids: none is there twice, and each bit is set in half of them, more or less.
    fn look_at(count: usize, tolerance: f64) {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut values = [0; 256];
        ALPHABET
            .iter()
            .zip(0_u8..)
            .for_each(|(&letter, value)| values[usize::from(letter)] = value);
        let mut set = [0; 132];
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            let id = random_id();
            let letters: [u8; 22] = id.as_str().as_bytes().try_into().unwrap();
            for (letter, set) in letters.iter().zip(set.chunks_mut(6)) {
                assert!(ALPHABET.contains(letter), "{id:?}");
                let value = values[usize::from(*letter)];
                for (place, set) in (0..6).rev().zip(set) {
                    *set += usize::from(value >> place & 1);
                }
            }
            ids.push(letters);
        }
        for (number, set) in set.into_iter().enumerate() {
            let part = set as f64 / count as f64;
            match number {
                ..128 => assert!((part - 0.5).abs() <= tolerance, "bit {number}: {part}"),
                _ => assert_eq!(set, 0, "six bits a letter are more than there are"),
            }
        }
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id is there twice");
    }

    #[test]
    fn ids_are_random() {
        look_at(100_000, 0.015); // nine times what chance does
    }

    #[test]
    #[ignore = "takes a minute"]
    fn ten_million_ids_are_random() {
        look_at(10_000_000, 0.001);
    }
}
