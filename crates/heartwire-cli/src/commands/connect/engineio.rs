//! Engine.IO: lines are messages.

use heartwire::Backoff;
use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{Message, SendError};
use serde_json::json;

use super::{Conversation, Happening};
use crate::args::Connect;
use crate::exit::Exit;
use crate::output::{Format, json_text, message_json, message_words};
use crate::terminal::Line;

pub(super) async fn open(args: &Connect) -> Result<Client, Exit> {
    let mut builder = args
        .access
        .client(&args.url)?
        .transports(args.transports.iter().copied())
        .request_timeout(args.timeout_ms);
    if args.reconnect {
        builder = builder.reconnect(Backoff::new()).retry_first(true);
    }
    Ok(builder.connect().await?)
}

impl Conversation for Client {
    async fn next(&self, format: Format) -> Option<Happening> {
        loop {
            let happening = match self.next().await? {
                Event::Message(message) => Happening::Message(match format {
                    Format::Words => message_words(&message),
                    Format::Json => json_text(&message_json(&message)),
                }),
                Event::Connected(connected) => {
                    let handshake = &connected.handshake;
                    let json = || {
                        json!({
                            "event": "connected",
                            "transport": connected.transport.name(),
                            "sid": handshake.sid.as_str(),
                            "ping_interval_ms": handshake.ping_interval.as_millis() as u64,
                            "ping_timeout_ms": handshake.ping_timeout.as_millis() as u64,
                            "max_payload": handshake.max_payload,
                        })
                    };
                    Happening::Progress(match format {
                        Format::Words => format!("connected over {}", connected.transport),
                        Format::Json => json_text(&json()),
                    })
                }
                Event::Upgraded => Happening::Progress(match format {
                    Format::Words => "upgraded to websocket".to_owned(),
                    Format::Json => {
                        json!({"event": "upgraded", "transport": "websocket"}).to_string()
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
                Event::ReconnectFailed { attempt, error } => Happening::Notice(match format {
                    Format::Words => error.to_string(),
                    Format::Json => json_text(&json!({
                        "event": "reconnect failed",
                        "attempt": attempt,
                        "error": error.to_string(),
                    })),
                }),
                Event::Disconnected(disconnected) => Happening::End {
                    words: disconnected.to_string(),
                    json: json!({
                        "event": "disconnected",
                        "reason": disconnected.reason.name(),
                        "detail": disconnected.detail,
                        "unsent": disconnected.unsent,
                    }),
                    unsent: disconnected.unsent,
                },
                Event::NotSent(error) => Happening::NotSent(match format {
                    Format::Words => format!("not sent: {error}"),
                    Format::Json => {
                        json_text(&json!({"event": "not sent", "error": error.to_string()}))
                    }
                }),
                Event::GaveUp { unsent } => Happening::End {
                    words: match unsent {
                        0 => "no further attempt to connect".to_owned(),
                        unsent => format!("no further attempt to connect ({unsent} unsent)"),
                    },
                    json: json!({"event": "gave up", "unsent": unsent}),
                    unsent,
                },
                _ => continue,
            };
            return Some(happening);
        }
    }

    async fn send(&self, line: Line) -> Option<String> {
        let message = match line {
            Line::Text(text) => Message::from(text),
            Line::Bytes(bytes) => Message::from(bytes),
        };
        match self.send(message).await {
            // The end itself is told as an event.
            Ok(()) | Err(SendError::Closed(_)) => None,
            Err(error) => Some(format!("not sent: {error}")),
        }
    }

    fn is_idle(&self) -> bool {
        let (messages, _) = self.waiting();
        messages == 0
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    async fn disconnect(&self) {
        self.disconnect().await;
    }
}
