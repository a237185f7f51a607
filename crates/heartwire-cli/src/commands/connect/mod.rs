//! `heartwire connect`: lines in, messages out.

mod engineio;

mod repod;

use std::future::Future;
use std::io::{self, IsTerminal};
use std::pin::Pin;

use serde_json::Value;
use tokio::runtime;

use crate::address::Address;
use crate::args::Connect;
use crate::exit::Exit;
use crate::output::Format;
use crate::terminal::{self, Input, Line, Screen};
use crate::termination::Termination;

pub(crate) fn run(args: Connect) -> Result<(), Exit> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed("cannot start", error))?;
    let result = runtime.block_on(connect(args));
    // A thread that waits for input must not keep the program.
    runtime.shutdown_background();
    result
}

async fn connect(args: Connect) -> Result<(), Exit> {
    let mut termination = Termination::new()?;
    match Address::parse(&args.url)? {
        Address::EngineIo => {
            let client = tokio::select! {
                client = engineio::open(&args) => client?,
                _ = termination.wait() => return Err(Exit::Interrupted),
            };
            converse(client, args, termination).await
        }
        Address::Repod { host, port } => {
            let client = tokio::select! {
                client = repod::open(&args, &host, port) => client?,
                _ = termination.wait() => return Err(Exit::Interrupted),
            };
            converse(client, args, termination).await
        }
    }
}

/// A connection to a server, whatever it speaks.
trait Conversation {
    /// The next thing that happens, written as wanted; `None` when nothing will.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing that is shown.
    async fn next(&self, format: Format) -> Option<Happening>;

    /// Sends a line. Returns a remark for the user, if there is something to say.
    async fn send(&self, line: Line) -> Option<String>;

    /// Whether everything is sent, and nothing but more from the server is to be expected.
    fn is_idle(&self) -> bool;

    /// Whether no other connection will follow this one.
    fn is_closed(&self) -> bool;

    /// Ends the connection when everything is sent.
    async fn disconnect(&self);
}

/// Something that happens.
enum Happening {
    Message(String),
    /// The connection fares well.
    Progress(String),
    /// It does not.
    Notice(String),
    /// A line that was accepted will not be sent. The connection goes on.
    NotSent(String),
    /// It has ended, with that many messages unsent.
    End {
        words: String,
        json: Value,
        unsent: usize,
    },
}

async fn converse(
    client: impl Conversation,
    args: Connect,
    mut termination: Termination,
) -> Result<(), Exit> {
    let format = Format::new(args.json);
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let (mut lines, mut screen) = if interactive && format == Format::Words {
        terminal::prompt(&args.url)?
    } else {
        (terminal::piped(), Screen::Stream(format))
    };

    let mut input_open = true;
    let mut not_sent = 0;
    // What arrives is taken while a line waits for room, or two ends that wait for each other would.
    let mut sending: Option<Pin<Box<dyn Future<Output = Option<String>> + '_>>> = None;
    loop {
        let quiet = tokio::time::sleep(args.linger_ms);
        tokio::select! {
            biased;
            happening = client.next(screen.format()) => match happening {
                Some(Happening::End { words, json, .. }) => {
                    show_end(&screen, &json)?;
                    let lost = format!("connection lost: {words}");
                    if !args.reconnect || client.is_closed() {
                        return Err(Exit::Lost(lost));
                    }
                    if screen.format() == Format::Words {
                        screen.notice(&lost)?;
                    }
                }
                Some(happening) => {
                    not_sent += usize::from(matches!(happening, Happening::NotSent(_)));
                    if let Err(exit) = show(&mut screen, &happening) {
                        client.disconnect().await;
                        return Err(exit);
                    }
                }
                None => return Err(Exit::Lost("connection lost".to_owned())),
            },
            remark = poll(&mut sending), if sending.is_some() => {
                sending = None;
                if let Some(remark) = remark {
                    screen.remark(&remark)?;
                }
            }
            line = lines.recv(), if input_open && sending.is_none() => match line {
                Some(Input::Line(line)) => sending = Some(Box::pin(client.send(line))),
                Some(Input::Interrupted) => {
                    client.disconnect().await;
                    return Err(Exit::Interrupted);
                }
                None if interactive => break,
                None => input_open = false,
            },
            _ = termination.wait() => {
                client.disconnect().await;
                return Err(Exit::Interrupted);
            }
            () = quiet, if !input_open && sending.is_none() => {
                if client.is_idle() {
                    break;
                }
            }
        }
    }
    client.disconnect().await;
    // What came while the goodbye was on its way.
    while let Some(happening) = client.next(screen.format()).await {
        match happening {
            Happening::End { words, json, unsent } => {
                show_end(&screen, &json)?;
                if unsent > 0 {
                    return Err(Exit::Lost(format!("connection lost: {words}")));
                }
            }
            happening => {
                not_sent += usize::from(matches!(happening, Happening::NotSent(_)));
                show(&mut screen, &happening)?;
            }
        }
    }
    match not_sent {
        0 => Ok(()),
        1 => Err(Exit::Lost("1 message was not sent".to_owned())),
        _ => Err(Exit::Lost(format!("{not_sent} messages were not sent"))),
    }
}

/// Polls a future that is there.
async fn poll<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + '_>>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

fn show(screen: &mut Screen, happening: &Happening) -> Result<(), Exit> {
    match happening {
        Happening::Message(text) => screen.message(text),
        Happening::Progress(text) => screen.progress(text),
        Happening::Notice(text) | Happening::NotSent(text) => screen.notice(text),
        Happening::End { json, .. } => show_end(screen, json),
    }
}

/// Tells machines about the end. People are told by the error, or have asked for it.
fn show_end(screen: &Screen, json: &Value) -> Result<(), Exit> {
    match screen {
        Screen::Stream(Format::Json) => Ok(Format::Json.print("", json.clone())?),
        _ => Ok(()),
    }
}
