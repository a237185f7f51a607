//! Why a request has failed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use hyper_util::client::legacy;

use super::address::Address;
use super::dial::DialError;
use super::error::{ConnectError, ConnectErrorKind};

/// Why a request has failed.
#[derive(Debug)]
pub(super) enum RequestError {
    /// There is no connection.
    Dial(DialError),
    /// It could not be sent, or its answer not be read.
    Http(hyper::Error),
    /// The same, by way of the pool.
    Pooled(legacy::Error),
    /// Who sends requests in the client's place has not got an answer.
    Elsewhere(Box<dyn Error + Send + Sync>),
    /// There was no answer in time.
    Timeout(Duration),
    /// The answer says that it was refused.
    Status { status: StatusCode, body: String },
    /// The answer sends the client elsewhere, and it does not go.
    Redirect { status: StatusCode, to: String, why: &'static str },
    /// The answer is longer than accepted.
    TooLarge { max: usize },
    /// The answer is not UTF-8.
    NotText,
    /// The answer does not open a WebSocket.
    NotSwitched(String),
}

impl RequestError {
    /// The same for who wanted to connect to `address`.
    pub(super) fn into_connect_error(self, address: &Address) -> ConnectError {
        let kind = match &self {
            Self::Timeout(_) => ConnectErrorKind::Timeout,
            Self::Elsewhere(_) => ConnectErrorKind::Unreachable,
            Self::TooLarge { .. } | Self::NotText | Self::NotSwitched(_) => {
                ConnectErrorKind::Protocol
            }
            Self::Status { status, body } => {
                ConnectErrorKind::Refused { status: status.as_u16(), body: body.clone() }
            }
            Self::Redirect { status, to, .. } => {
                ConnectErrorKind::Refused { status: status.as_u16(), body: to.clone() }
            }
            Self::Dial(_) | Self::Http(_) | Self::Pooled(_) => match (self.dial(), self.http()) {
                (Some(DialError::UnknownHost { .. }), _) => ConnectErrorKind::UnknownHost,
                (Some(DialError::Unreachable { .. }), _) => ConnectErrorKind::Unreachable,
                (Some(DialError::Tls { .. }), _) => ConnectErrorKind::Tls,
                (Some(DialError::Proxy { .. }), _) => ConnectErrorKind::Proxy,
                (None, Some(error)) if error.is_parse() => ConnectErrorKind::Protocol,
                (None, Some(error)) if is_tls(error) => ConnectErrorKind::Tls,
                (None, _) => ConnectErrorKind::Broken,
            },
        };
        let message = format!("cannot connect to {}: {self}", address.display());
        ConnectError::with_source(kind, message, self)
    }

    /// The status of the answer, if that is what was wrong.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } | Self::Redirect { status, .. } => Some(*status),
            _ => None,
        }
    }

    fn dial(&self) -> Option<&DialError> {
        match self {
            Self::Dial(error) => Some(error),
            Self::Pooled(error) => find(error),
            _ => None,
        }
    }

    fn http(&self) -> Option<&hyper::Error> {
        match self {
            Self::Http(error) => Some(error),
            Self::Pooled(error) => find(error),
            _ => None,
        }
    }
}

/// An error of a kind among those that led to another.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(_) | Self::Http(_) | Self::Pooled(_) => match (self.dial(), self.http()) {
                (Some(error), _) => write!(f, "{error}"),
                (None, Some(error)) if error.is_parse() => {
                    write!(f, "the answer is not HTTP: {error}")
                }
                (None, Some(error)) if error.is_incomplete_message() => {
                    f.write_str("the server closed the connection instead of answering")
                }
                (None, Some(error)) => write!(f, "{}", last_cause(error)),
                (None, None) => match self {
                    Self::Pooled(error) => write!(f, "{}", last_cause(error)),
                    _ => f.write_str("no connection"),
                },
            },
            Self::Elsewhere(error) => write!(f, "{error}"),
            Self::Timeout(timeout) => write!(f, "no answer within {timeout:?}"),
            Self::Status { status, body } if body.is_empty() => {
                write!(f, "the server answered {status}")
            }
            Self::Status { status, body } => {
                write!(f, "the server answered {status}: {}", excerpt(body))
            }
            Self::Redirect { status, to, why } => {
                write!(f, "the server answered {status} and names {}: {why}", excerpt(to))
            }
            Self::TooLarge { max } => write!(f, "answer of more than {max} bytes"),
            Self::NotText => f.write_str("answer that is not UTF-8"),
            Self::NotSwitched(why) => write!(f, "answer that does not open a WebSocket: {why}"),
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dial(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Pooled(error) => Some(error),
            Self::Elsewhere(error) => Some(&**error),
            Self::Timeout(_)
            | Self::Status { .. }
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::NotText
            | Self::NotSwitched(_) => None,
        }
    }
}

/// Whether TLS ended the connection: a server may do so when the client takes it for open already, as
/// one that misses a certificate does.
#[cfg(feature = "tls")]
fn is_tls(error: &hyper::Error) -> bool {
    let inner = find::<std::io::Error>(error).and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(not(feature = "tls"))]
fn is_tls(_: &hyper::Error) -> bool {
    false
}

/// What lies at the bottom: the libraries' own words stop short of it.
fn last_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}

/// The start of what a server has answered, in one line.
pub(super) fn excerpt(text: &str) -> String {
    let start: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    let words: Vec<_> = start.split_whitespace().collect();
    format!("{}{more}", words.join(" ")).chars().filter(|char| is_harmless(*char)).collect()
}

/// Whether a character changes nothing of the text around it, on a terminal or in a page.
fn is_harmless(char: char) -> bool {
    let turns_text_around = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !char.is_control() && !turns_text_around
}

/// Characters of an answer that are shown.
const MAX_SHOWN_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_harmless() {
        assert_eq!(excerpt("a\r\n  b\tc"), "a b c");
        assert_eq!(excerpt("bell \u{7}\u{1b}[2J"), "bell [2J");
        assert_eq!(excerpt("\u{9b}31m\u{7f} \u{202e}dlo"), "31m dlo");
        let long = excerpt(&"ż".repeat(1000));
        assert_eq!(long.chars().count(), MAX_SHOWN_CHARS + 1);
        assert!(long.ends_with('…'));
    }
}
