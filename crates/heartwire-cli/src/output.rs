//! What the program prints: words for people, or a JSON object a line for machines.

use std::collections::HashSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use heartwire::engineio::Message;
use heartwire::repod;
use serde::Serialize;
use serde_json::{Value, json};

/// Who reads the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Words,
    Json,
}

impl Format {
    pub(crate) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Words }
    }

    /// Prints an event: `words` or `json`, as wanted.
    pub(crate) fn print(self, words: &str, json: Value) -> io::Result<()> {
        match self {
            Self::Words => line(words),
            Self::Json => line(&json_text(&json)),
        }
    }
}

/// Prints a line, at once. Colours are left out where nobody can see them.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints a line about what the program does, beside its output.
pub(crate) fn note(text: &str) {
    // Who closes the error stream does not want to read it.
    let _ = writeln!(anstream::stderr(), "{DIM}{}{DIM:#}", excerpt(text));
}

/// A message as words: text as it is, without control characters that could play with the terminal,
/// and bytes as a count and their start.
pub(crate) fn message_words(message: &Message) -> String {
    match message {
        Message::Text(text) => escaped(text),
        Message::Binary(data) => {
            let shown: String =
                data.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
            let more = if data.len() > SHOWN_BYTES { "…" } else { "" };
            format!("<{} bytes: {shown}{more}>", data.len())
        }
    }
}

/// A message as JSON.
pub(crate) fn message_json(message: &Message) -> Value {
    match message {
        Message::Text(text) => json!({"event": "message", "text": &**text}),
        Message::Binary(data) => json!({"event": "message", "base64": STANDARD.encode(data)}),
    }
}

/// A message of repod as words: as JSON, or as Python shows it where JSON has no form for it.
pub(crate) fn repod_message_words(message: &repod::Message) -> String {
    let map = repod::Value::Map(message.map());
    if fits_json(map) { json_text(message) } else { map.to_string() }
}

/// A message of repod as JSON, or in base64 where JSON has no form for it.
pub(crate) fn repod_message_json(message: &repod::Message) -> String {
    #[derive(Serialize)]
    struct Event<'a> {
        event: &'static str,
        message: &'a repod::Message,
    }
    if fits_json(repod::Value::Map(message.map())) {
        json_text(&Event { event: "message", message })
    } else {
        json_text(&json!({"event": "message", "msgpack": STANDARD.encode(message.payload())}))
    }
}

/// A value that JSON can hold, in one line. Control characters that JSON lets stand as they are can only
/// be part of its texts; written like the others, no terminal acts on them and no filter drops them.
pub(crate) fn json_text<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_string(value).expect("it fits JSON");
    if !json.contains(plays_with_terminals) {
        return json;
    }
    json.chars().fold(String::with_capacity(json.len()), |mut text, char| {
        if plays_with_terminals(char) {
            text.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            text.push(char);
        }
        text
    })
}

/// Whether JSON can hold a value so that nothing of it changes.
fn fits_json(value: repod::Value<'_>) -> bool {
    use repod::Value;
    match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Text(_) => true,
        Value::Float(number) => number.is_finite(),
        Value::Array(array) => array.iter().all(fits_json),
        Value::Map(map) => {
            let mut keys = HashSet::new();
            map.iter().all(|(key, value)| {
                key.as_str().is_some_and(|key| keys.insert(key)) && fits_json(value)
            })
        }
        Value::Binary(_) | Value::Ext(_) | Value::Timestamp(_) => false,
    }
}

/// Text as it is, without characters that could play with the terminal or turn texts around.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, char| {
        if plays_with_terminals(char) {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
        escaped
    })
}

/// Words that may hold what somebody else has written, harmless and not too many.
pub(crate) fn excerpt(words: &str) -> String {
    let mut chars = words.chars();
    let start: String = chars.by_ref().take(MAX_SHOWN_CHARS).collect();
    escaped(&start) + if chars.next().is_some() { "…" } else { "" }
}

fn plays_with_terminals(char: char) -> bool {
    let turns_text_around = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns_text_around || (char.is_control() && char != '\t')
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
pub(crate) const CYAN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
pub(crate) const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

const SHOWN_BYTES: usize = 32;

/// Characters of what others have written, in what is said about it.
const MAX_SHOWN_CHARS: usize = 1000;
