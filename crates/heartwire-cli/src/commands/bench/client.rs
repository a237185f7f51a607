//! A client of either protocol, as a connection of the load uses it.

use std::pin::Pin;
use std::sync::Arc;

use heartwire::engineio::client::Event as EngineIoEvent;
use heartwire::engineio::{self, Message, MessageRef};
use heartwire::repod::client::Event as RepodEvent;
use heartwire::repod::{self, Value};
use serde::Serialize;

/// A client of either protocol.
#[derive(Clone)]
pub(super) enum Client {
    EngineIo(engineio::Client),
    /// Messages have this action, and the bytes are their `data`.
    Repod {
        client: repod::Client,
        action: Arc<str>,
    },
}

/// What a client has received, in the order in which it came.
pub(super) enum Inbox {
    EngineIo { client: engineio::Client, events: Vec<EngineIoEvent> },
    Repod { client: repod::Client, events: Vec<RepodEvent>, action: Arc<str> },
}

/// Something that happens to a connection.
pub(super) enum Happening<'a> {
    Message(MessageRef<'a>),
    /// A message that is none of the load's, in words.
    Foreign(String),
    Upgraded,
    /// It stays with polling, for this reason.
    NotUpgraded(String),
    /// It has ended.
    Ended(End),
}

/// How a connection has ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// Why, in a few words that are always the same.
    pub(super) reason: String,
    /// Why, exactly.
    pub(super) words: String,
    /// Messages that were not sent any more.
    pub(super) unsent: u64,
}

/// Why a message was not taken.
pub(super) enum Refused {
    /// Too much waits already.
    Full(Vec<u8>),
    /// The connection ends: how, is told as an event.
    Closed,
    /// The server takes no such message.
    Never(String),
}

/// A message that waits for room.
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>>;

/// A message of repod.
#[derive(Serialize)]
struct Plain<'a> {
    action: &'a str,
    data: Value<'a>,
}

impl<'a> Plain<'a> {
    fn new(action: &'a str, bytes: &'a [u8], binary: bool) -> Self {
        let data = match std::str::from_utf8(bytes) {
            Ok(text) if !binary => Value::Text(text),
            _ => Value::Binary(bytes),
        };
        Self { action, data }
    }
}

impl Client {
    /// Sends a message, if there is room.
    pub(super) fn try_send(&self, bytes: Vec<u8>, binary: bool) -> Result<(), Refused> {
        match self {
            Self::EngineIo(client) => {
                client.try_send(message(bytes, binary)).map_err(|error| match error {
                    engineio::SendError::Full { message, .. } => {
                        Refused::Full(message.as_bytes().to_vec())
                    }
                    error => refused(error),
                })
            }
            Self::Repod { client, action } => {
                match client.try_send(&Plain::new(action, &bytes, binary)) {
                    Ok(_) => Ok(()),
                    Err(repod::SendError::Full { .. }) => Err(Refused::Full(bytes)),
                    Err(repod::SendError::Closed) => Err(Refused::Closed),
                    Err(error) => Err(Refused::Never(error.to_string())),
                }
            }
        }
    }

    /// Sends a message as soon as there is room.
    pub(super) fn send(&self, bytes: Vec<u8>, binary: bool) -> Sending {
        match self.clone() {
            Self::EngineIo(client) => {
                Box::pin(async move { client.send(message(bytes, binary)).await.map_err(refused) })
            }
            Self::Repod { client, action } => Box::pin(async move {
                match client.send(&Plain::new(&action, &bytes, binary)).await {
                    Ok(()) => Ok(()),
                    Err(repod::SendError::Closed) => Err(Refused::Closed),
                    Err(error) => Err(Refused::Never(error.to_string())),
                }
            }),
        }
    }

    /// What it has received, and will. There is to be one.
    pub(super) fn inbox(&self) -> Inbox {
        match self.clone() {
            Self::EngineIo(client) => Inbox::EngineIo { client, events: vec![] },
            Self::Repod { client, action } => Inbox::Repod { client, events: vec![], action },
        }
    }

    /// Ends the connection, once everything is sent, and waits for it.
    pub(super) async fn disconnect(&self) {
        match self {
            Self::EngineIo(client) => client.disconnect().await,
            Self::Repod { client, .. } => client.disconnect().await,
        }
    }
}

fn message(bytes: Vec<u8>, binary: bool) -> Message {
    if binary {
        return Message::from(bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Message::from(text),
        Err(error) => Message::from(error.into_bytes()),
    }
}

fn refused(error: engineio::SendError) -> Refused {
    match error {
        engineio::SendError::Closed(_) => Refused::Closed,
        error => Refused::Never(error.to_string()),
    }
}

impl Inbox {
    /// Waits for something to happen, and says whether anything still can.
    ///
    /// Cancel safety: a future that is dropped before it is ready has taken nothing.
    pub(super) async fn fill(&mut self) -> bool {
        match self {
            Self::EngineIo { client, events } => client.next_many(events, AT_ONCE).await > 0,
            Self::Repod { client, events, .. } => client.next_many(events, AT_ONCE).await > 0,
        }
    }

    /// Waits for the end, and says how it was.
    pub(super) async fn rest(&mut self) -> Option<End> {
        let mut end = None;
        while self.fill().await {
            self.drain(|happening| {
                if let Happening::Ended(how) = happening {
                    end = Some(how);
                }
            });
        }
        end
    }

    /// Shows what has happened, and forgets it.
    pub(super) fn drain(&mut self, mut show: impl FnMut(Happening<'_>)) {
        match self {
            Self::EngineIo { events, .. } => {
                for event in events.drain(..) {
                    match event {
                        EngineIoEvent::Message(message) => {
                            show(Happening::Message(message.as_message_ref()));
                        }
                        EngineIoEvent::Upgraded => show(Happening::Upgraded),
                        EngineIoEvent::UpgradeFailed { detail } => {
                            let detail =
                                detail.unwrap_or("the server did not play its part".into());
                            show(Happening::NotUpgraded(detail.into_owned()));
                        }
                        EngineIoEvent::Disconnected(disconnected) => {
                            let reason = disconnected.reason.name().to_owned();
                            let words = disconnected.to_string();
                            let unsent = disconnected.unsent as u64;
                            show(Happening::Ended(End { reason, words, unsent }));
                        }
                        // A client that does not connect again is told nothing else that matters here.
                        _ => {}
                    }
                }
            }
            Self::Repod { events, action, .. } => {
                for event in events.drain(..) {
                    match event {
                        RepodEvent::Message(message) => show(read(&message, action)),
                        RepodEvent::Disconnected(disconnected) => {
                            let reason = disconnected.reason.name().to_owned();
                            let words = disconnected.to_string();
                            let unsent = disconnected.unsent as u64;
                            show(Happening::Ended(End { reason, words, unsent }));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn read<'a>(message: &'a repod::Message, action: &str) -> Happening<'a> {
    if message.action() != action {
        // It may be as long as a message.
        let other = message.action_value().excerpt();
        return Happening::Foreign(format!("a message with the action {other:?}"));
    }
    match message.get("data") {
        Some(Value::Text(text)) => Happening::Message(MessageRef::Text(text)),
        Some(Value::Binary(bytes)) => Happening::Message(MessageRef::Binary(bytes)),
        _ => Happening::Foreign("a message whose data is neither text nor bytes".to_owned()),
    }
}

/// Events that are taken at once: enough for all that one read from the network can bring, and few enough
/// to let others have their turn.
const AT_ONCE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_foreign_action_an_excerpt_is_told() {
        let told = |action: &str| {
            let plain = Plain { action, data: Value::Nil };
            let frame = repod::Frame::encode(&plain).unwrap();
            let message = repod::Message::decode(&frame.as_bytes()[4..]).unwrap().unwrap();
            match read(&message, "echo") {
                Happening::Foreign(what) => what,
                _ => panic!("it is foreign"),
            }
        };
        assert_eq!(told("news"), "a message with the action \"news\"");
        let long = told(&"x".repeat(1_000_000));
        assert!(long.ends_with("xx…\"") && long.len() < 500, "{} bytes", long.len());
    }
}
