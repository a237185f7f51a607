//! How the program ends when it does not end well.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use anstream::eprintln;
use anstyle::{AnsiColor, Style};
use heartwire::{engineio, repod};

use crate::output::excerpt;

/// How the program ends when it does not end well.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Whoever reads the output has gone: nothing is left to do, and nobody to tell.
    OutputClosed,
    /// Something outside of the connection failed.
    Failed(String),
    /// An argument cannot be used.
    Usage(String),
    /// The connection could not be opened.
    NotConnected(String),
    /// The connection was lost.
    Lost(String),
    /// The user has interrupted the program.
    Interrupted,
}

impl Exit {
    /// Says what happened and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (code, message) = match self {
            Self::OutputClosed => (0, None),
            Self::Failed(message) => (1, Some(message)),
            Self::Usage(message) => (2, Some(message)),
            Self::NotConnected(message) => (3, Some(message)),
            Self::Lost(message) => (4, Some(message)),
            Self::Interrupted => (130, None),
        };
        if let Some(message) = message {
            let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            eprintln!("{red}error:{red:#} {}", excerpt(&message));
        }
        ExitCode::from(code)
    }

    /// An error with its causes, in one line.
    pub(crate) fn failed(what: impl fmt::Display, error: impl Error) -> Self {
        Self::Failed(format!("{what}: {}", with_causes(&error)))
    }
}

impl From<io::Error> for Exit {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<engineio::client::ConnectError> for Exit {
    fn from(error: engineio::client::ConnectError) -> Self {
        Self::NotConnected(error.to_string())
    }
}

impl From<repod::client::ConnectError> for Exit {
    fn from(error: repod::client::ConnectError) -> Self {
        Self::NotConnected(error.to_string())
    }
}

/// An error and what lies below it, leaving out what was said already.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
