//! Why a connection did not come to be.

use std::error::Error;
use std::fmt;

use heartwire_proto::engineio::Transport;

/// Why a connection did not come to be.
#[derive(Debug)]
pub struct ConnectError(Box<Inner>); // behind a pointer: most events are smaller

#[derive(Debug)]
struct Inner {
    kind: ConnectErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`ConnectError`] is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The connection broke before the server had answered.
    Broken,
    /// The caller closed the connection before it was open.
    Cancelled,
    /// The address cannot be used.
    InvalidUrl,
    /// An option cannot be used: a header, a list without transports.
    InvalidOption,
    /// The client is connected already.
    InvalidState,
    /// The server's name has no address.
    UnknownHost,
    /// Nobody answers at the server's address.
    Unreachable,
    /// TLS could not be agreed on, or the server is not the one that was meant.
    Tls,
    /// The proxy could not be reached, or does not serve the client.
    Proxy,
    /// The server answered with an error.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's answer, up to 64 KiB of it; of a redirect that is not followed, where it leads.
        body: String,
    },
    /// The server did not answer in time.
    Timeout,
    /// The server answered with something that is not Engine.IO.
    Protocol,
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    pub(crate) fn with_source(
        kind: ConnectErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: Some(source.into()) }))
    }

    /// The same, where another transport was tried as well.
    pub(super) fn with_other(mut self, transport: Transport, other: &Self) -> Self {
        // Both say where they wanted to go.
        let what = other.0.message.split_once(": ").map_or(&*other.0.message, |(_, what)| what);
        self.0.message = format!("{}; over {transport}: {what}", self.0.message);
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.0.kind
    }

    /// Whether another transport would fare the same, since no server was reached.
    pub(super) fn is_on_the_way(&self) -> bool {
        matches!(
            self.0.kind,
            ConnectErrorKind::UnknownHost | ConnectErrorKind::Unreachable | ConnectErrorKind::Tls
        )
    }

    /// Whether another attempt, or another transport, may fare better.
    pub(super) fn is_of_the_moment(&self) -> bool {
        match self.0.kind {
            ConnectErrorKind::Broken
            | ConnectErrorKind::UnknownHost
            | ConnectErrorKind::Unreachable
            | ConnectErrorKind::Tls
            | ConnectErrorKind::Proxy
            | ConnectErrorKind::Refused { .. }
            | ConnectErrorKind::Timeout
            | ConnectErrorKind::Protocol => true,
            ConnectErrorKind::Cancelled
            | ConnectErrorKind::InvalidUrl
            | ConnectErrorKind::InvalidOption
            | ConnectErrorKind::InvalidState => false,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
