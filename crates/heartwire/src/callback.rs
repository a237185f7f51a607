//! The user's code, as servers of every protocol call it: a panic of it ends nothing but itself.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a connection's future returns: `()`, or a `Result` whose error is reported.
pub trait HandlerResult: Send + 'static {
    /// The error in words, if there is one.
    fn error(self) -> Option<String>;
}

impl HandlerResult for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Display + Send + 'static> HandlerResult for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// A connection's future. It has reported its own error.
pub(crate) type UserFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Boxes a connection's future, which will report its error under the name of the connection.
pub(crate) fn reporting<F>(future: F, connection: impl Display + Send + 'static) -> UserFuture
where
    F: Future<Output: HandlerResult> + Send + 'static,
{
    Box::pin(async move {
        if let Some(error) = future.await.error() {
            tracing::warn!(%connection, %error, "connection handler failed");
        }
    })
}

/// Lets a connection's future go on, if there is one. Says whether it has returned now; a panic counts
/// as that.
pub(crate) fn poll_user(
    user: &mut Option<UserFuture>,
    cx: &mut Context<'_>,
    connection: impl Display,
) -> bool {
    let Some(future) = user else { return false };
    let done = guard(connection, "on_connection", || future.as_mut().poll(cx));
    if let Some(Poll::Pending) = done {
        return false;
    }
    *user = None;
    true
}

/// Runs a callback; a panic ends nothing but the callback.
#[inline]
pub(crate) fn guard<R>(
    connection: impl Display,
    callback: &str,
    call: impl FnOnce() -> R,
) -> Option<R> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => Some(result),
        Err(panic) => {
            report(&connection, callback, &panic);
            None
        }
    }
}

/// Reports a panic of the user's code.
#[cold]
fn report(connection: &dyn Display, callback: &str, panic: &Box<dyn Any + Send>) {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let panic = text.unwrap_or("not a text");
    tracing::error!(%connection, callback, panic, "connection handler panicked");
}
