//! Engine.IO: lines are messages.

use std::path::Path;

use heartwire::Backoff;
use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{ClientBuilder, Message, PerMessageDeflate, SendError};
use serde_json::json;

use super::{Conversation, Happening};
use crate::args::Connect;
use crate::exit::Exit;
use crate::output::{Format, json_text, message_json, message_words};
use crate::terminal::Line;

pub(super) async fn open(args: &Connect) -> Result<Client, Exit> {
    let (scheme, _) = args.url.split_once("://").ok_or_else(|| {
        let schemes = "http://, https://, ws://, wss:// or repod://";
        Exit::NotConnected(format!("{:?} is not a URL, expected one with {schemes}", args.url))
    })?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        let schemes = "http, https, ws, wss or repod";
        return Err(Exit::NotConnected(format!("URL scheme {scheme:?}, expected {schemes}")));
    }
    Ok(builder(args)?.connect().await?)
}

/// The client that the arguments describe.
fn builder(args: &Connect) -> Result<ClientBuilder, Exit> {
    let mut builder = Client::builder(&args.url)
        .path(&args.path)
        .transports(args.transports.iter().copied())
        .request_timeout(args.timeout_ms);
    for header in &args.header {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| Exit::Usage(format!("header {header:?}, expected Name: value")))?;
        builder = builder.header(name.trim(), value.trim());
    }
    if let Some(cookie) = args.cookie.iter().find(|cookie| !cookie.contains('=')) {
        return Err(Exit::Usage(format!("cookie {cookie:?}, expected name=value")));
    }
    if !args.cookie.is_empty() {
        builder = builder.header("cookie", args.cookie.join("; "));
    }
    if let Some(file) = &args.cacert {
        builder = builder.authorities(read(file)?);
    }
    if let Some(file) = &args.cert {
        let mut identity = read(file)?;
        if let Some(file) = &args.key {
            identity.push(b'\n');
            identity.extend(read(file)?);
        }
        builder = builder.identity(identity);
    }
    if let Some(bytes) = args.websocket_compression {
        builder = builder.per_message_deflate(PerMessageDeflate::new().threshold(bytes));
    }
    builder = builder.danger_accept_invalid_certificates(args.insecure);
    if let Some(proxy) = &args.proxy {
        builder = builder.proxy(proxy);
    }
    if args.no_proxy {
        builder = builder.no_proxy();
    }
    if args.reconnect {
        builder = builder.reconnect(Backoff::new()).retry_first(true);
    }
    Ok(builder)
}

fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    std::fs::read(file)
        .map_err(|error| Exit::Usage(format!("cannot read {}: {error}", file.display())))
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
                        Format::Json => json().to_string(),
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
