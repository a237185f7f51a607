//! Why a connection did not come to be.

use std::error::Error;
use std::fmt;

/// Why a connection did not come to be.
#[derive(Debug)]
pub struct ConnectError {
    kind: ConnectErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`ConnectError`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The caller closed the client before the connection was open.
    Cancelled,
    /// There is no thread to serve the connection.
    NoThread,
    /// The server did not answer in time.
    Timeout,
    /// The server, or the connection to it, is not to be trusted.
    Tls,
    /// The server could not be reached: no such name, nobody listens.
    Unreachable,
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// With a cause, which is part of the message too.
    pub(crate) fn caused(
        kind: ConnectErrorKind,
        message: impl fmt::Display,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        let message = format!("{message}: {source}");
        Self { kind, message, source: Some(Box::new(source)) }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// Whether another attempt may fare better.
    pub(super) fn is_of_the_moment(&self) -> bool {
        match self.kind {
            ConnectErrorKind::Timeout | ConnectErrorKind::Unreachable | ConnectErrorKind::Tls => {
                true
            }
            ConnectErrorKind::Cancelled | ConnectErrorKind::NoThread => false,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
