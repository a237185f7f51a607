//! Where the user's lines come from, and where what happens is shown.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::mpsc;

use crate::exit::Exit;
use crate::output::{self, BOLD, CYAN, DIM, Format, excerpt, note};

/// What the user wants.
pub(crate) enum Input {
    Line(Line),
    Interrupted,
}

/// A line without its end.
pub(crate) enum Line {
    Text(String),
    /// It is not UTF-8.
    Bytes(Vec<u8>),
}

/// Where what happens is shown.
pub(crate) enum Screen {
    /// Above the line that is being typed.
    Prompt(Prompt),
    /// One after the other.
    Stream(Format),
}

/// A terminal at which somebody types. When it is dropped, the terminal is as it was.
pub(crate) struct Prompt {
    printer: Box<dyn ExternalPrinter + Send>,
    /// Whether a line is being typed.
    typing: Arc<AtomicBool>,
    #[cfg(unix)]
    settings: Option<rustix::termios::Termios>,
}

impl Prompt {
    /// Prints a line above the one that is being typed.
    fn print(&mut self, text: &str) -> Result<(), Exit> {
        // The printer writes to a terminal past the filter that takes colours away.
        let plain = anstream::AutoStream::choice(&io::stdout()) == anstream::ColorChoice::Never;
        let text =
            if plain { anstream::adapter::strip_str(text).to_string() } else { text.to_owned() };
        self.printer.print(format!("{text}\n")).map_err(|error| Exit::failed("cannot print", error))
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        if !self.typing.load(Ordering::Acquire) {
            return;
        }
        // The editor still waits for the rest of a line. Its queue holds one text: when it has taken the
        // second that changes nothing, it has shown all that came before.
        for _ in 0..2 {
            let _ = self.printer.print("\x1b[A\n".to_owned());
        }
        // For looks alone: time to draw its line again.
        thread::sleep(Duration::from_millis(20));
        // What follows begins on a line of its own, and pasted text is no longer marked.
        let mut out = io::stdout();
        let _ = out.write_all(b"\r\n\x1b[?2004l");
        let _ = out.flush();
        #[cfg(unix)]
        if let Some(settings) = &self.settings {
            use rustix::termios::{OptionalActions, tcsetattr};
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, settings);
        }
    }
}

impl Screen {
    /// How texts are to be written.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Prompt(_) => Format::Words,
            Self::Stream(format) => *format,
        }
    }

    /// Shows a message.
    pub(crate) fn message(&mut self, text: &str) -> Result<(), Exit> {
        match self {
            Self::Prompt(prompt) => prompt.print(&format!("{CYAN}←{CYAN:#} {text}")),
            Self::Stream(_) => Ok(output::line(text)?),
        }
    }

    /// Shows how the connection fares: to machines, and to who sits before the screen. Who reads words
    /// from a pipe wants the messages alone.
    pub(crate) fn progress(&mut self, text: &str) -> Result<(), Exit> {
        match self {
            Self::Prompt(prompt) => prompt.print(&format!("{DIM}{}{DIM:#}", excerpt(text))),
            Self::Stream(Format::Json) => Ok(output::line(text)?),
            Self::Stream(Format::Words) => Ok(()),
        }
    }

    /// Shows something that the user should know: to machines among the rest, to people beside it.
    pub(crate) fn notice(&mut self, text: &str) -> Result<(), Exit> {
        match self {
            Self::Stream(Format::Json) => Ok(output::line(text)?),
            _ => self.remark(text),
        }
    }

    /// Says something about what the user does, beside the output.
    pub(crate) fn remark(&mut self, text: &str) -> Result<(), Exit> {
        match self {
            Self::Prompt(prompt) => prompt.print(&format!("{DIM}{}{DIM:#}", excerpt(text))),
            Self::Stream(_) => {
                note(text);
                Ok(())
            }
        }
    }
}

/// Lines from a pipe or a file.
pub(crate) fn piped() -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(64);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = vec![];
        while let Ok(1..) = input.read_until(b'\n', &mut line) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            let line = match String::from_utf8(std::mem::take(&mut line)) {
                Ok(text) => Line::Text(text),
                Err(error) => Line::Bytes(error.into_bytes()),
            };
            if sender.blocking_send(Input::Line(line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Lines that are typed, with history and editing.
pub(crate) fn prompt(title: &str) -> Result<(mpsc::Receiver<Input>, Screen), Exit> {
    let failed = |error: ReadlineError| Exit::failed("cannot read from the terminal", error);
    #[cfg(unix)]
    let settings = rustix::termios::tcgetattr(io::stdin()).ok();
    let mut editor = DefaultEditor::new().map_err(failed)?;
    let printer = editor.create_external_printer().map_err(failed)?;
    output::line(&format!("{BOLD}{title}{BOLD:#}: type a line to send it, Ctrl-D to leave"))?;
    let (sender, receiver) = mpsc::channel(64);
    let typing = Arc::new(AtomicBool::new(true));
    let prompt = Prompt {
        printer: Box::new(printer),
        typing: typing.clone(),
        #[cfg(unix)]
        settings,
    };
    thread::spawn(move || {
        loop {
            match editor.readline("> ") {
                Ok(line) => {
                    let _ = editor.add_history_entry(&line);
                    if sender.blocking_send(Input::Line(Line::Text(line))).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    typing.store(false, Ordering::Release);
                    if let ReadlineError::Interrupted = error {
                        let _ = sender.blocking_send(Input::Interrupted);
                    }
                    return;
                }
            }
        }
    });
    Ok((receiver, Screen::Prompt(prompt)))
}
