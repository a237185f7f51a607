//! repod: lines are JSON objects, or the data of messages.

use heartwire::Backoff;
use heartwire::repod::client::{Client, Event, State};
use heartwire::repod::{Disconnected, SendError, Value};
use serde::Serialize;
use serde_json::json;
use serde_transcode::Transcoder;

use super::{Conversation, Happening};
use crate::args::Connect;
use crate::exit::Exit;
use crate::output::{Format, json_text, repod_message_json, repod_message_words};
use crate::terminal::Line;

pub(super) async fn open(args: &Connect, host: &str, port: u16) -> Result<Client, Exit> {
    let builder = Client::builder(host, port).connect_timeout(args.timeout_ms);
    if args.reconnect {
        Ok(builder.reconnect(Backoff::new()).start())
    } else {
        Ok(builder.connect().await?)
    }
}

/// A line that is no JSON object.
#[derive(Serialize)]
struct Plain<'a> {
    action: &'static str,
    data: Value<'a>,
}

impl Conversation for Client {
    async fn next(&self, format: Format) -> Option<Happening> {
        loop {
            let happening = match self.next().await? {
                Event::Message(message) => Happening::Message(match format {
                    Format::Words => repod_message_words(&message),
                    Format::Json => repod_message_json(&message),
                }),
                Event::Connected { addr } => Happening::Progress(match format {
                    Format::Words => format!("connected to {addr}"),
                    Format::Json => {
                        json!({"event": "connected", "addr": addr.to_string()}).to_string()
                    }
                }),
                Event::Reconnecting { attempt, delay } => Happening::Notice(match format {
                    Format::Words => format!("connecting again in {delay:.1?}"),
                    Format::Json => json!({
                        "event": "reconnecting",
                        "attempt": attempt,
                        "delay_ms": delay.as_millis() as u64,
                    })
                    .to_string(),
                }),
                Event::ConnectFailed { attempt, error } => Happening::Notice(match format {
                    Format::Words => error.to_string(),
                    Format::Json => json_text(&json!({
                        "event": "reconnect failed",
                        "attempt": attempt,
                        "error": error.to_string(),
                    })),
                }),
                Event::GaveUp { unsent } => Happening::End {
                    words: match unsent {
                        0 => "no further attempt to connect".to_owned(),
                        unsent => format!("no further attempt to connect ({unsent} unsent)"),
                    },
                    json: json!({"event": "gave up", "unsent": unsent}),
                    unsent,
                },
                Event::Disconnected(disconnected) => Happening::End {
                    words: format!("{disconnected}{}", hint(&disconnected)),
                    json: json!({
                        "event": "disconnected",
                        "reason": disconnected.reason.name(),
                        "detail": disconnected.detail,
                        "unsent": disconnected.unsent,
                    }),
                    unsent: disconnected.unsent,
                },
                _ => continue,
            };
            return Some(happening);
        }
    }

    async fn send(&self, line: Line) -> Option<String> {
        let (result, remark) = match &line {
            Line::Text(text) => match serde_json::from_str::<serde_json::Map<_, _>>(text) {
                Ok(object) => {
                    let remark = (!object.contains_key("action")).then(|| {
                        "a message without \"action\" is ignored by who gets it".to_owned()
                    });
                    // Straight from the text: the keys stay in their order.
                    let mut text = serde_json::Deserializer::from_str(text);
                    (self.send(&Transcoder::new(&mut text)).await, remark)
                }
                Err(error) => {
                    let remark = text
                        .starts_with('{')
                        .then(|| format!("sent as text, since it is no JSON object: {error}"));
                    (self.send(&plain(Value::Text(text))).await, remark)
                }
            },
            Line::Bytes(bytes) => (self.send(&plain(Value::Binary(bytes))).await, None),
        };
        match result {
            Ok(()) => remark,
            // The end itself is told as an event.
            Err(SendError::Closed) => None,
            Err(error) => Some(format!("not sent: {error}")),
        }
    }

    fn is_idle(&self) -> bool {
        // A server that is still to come is waited for.
        let (messages, _) = self.waiting();
        messages == 0 && self.state() == State::Open
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    async fn disconnect(&self) {
        self.disconnect().await;
    }
}

/// What may be wrong, if somebody else than a server of repod has answered.
fn hint(disconnected: &Disconnected) -> &'static str {
    // Its greeting, read as a length.
    let http = u32::from_be_bytes(*b"HTTP").to_string();
    match &disconnected.detail {
        Some(detail) if detail.contains(&http) => "; it speaks HTTP: try http://",
        _ => "",
    }
}

fn plain(data: Value<'_>) -> Plain<'_> {
    Plain { action: "message", data }
}
