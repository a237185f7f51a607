//! Where the demonstration is shown.

use std::io;
use std::time::Instant;

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::{self, BOLD, CYAN, DIM, Format, GREEN};

/// Shows what happens, and when.
pub(super) struct Stage {
    pub(super) format: Format,
    start: Instant,
}

impl Stage {
    pub(super) fn new(format: Format) -> Self {
        Self { format, start: Instant::now() }
    }

    pub(super) fn head(&self, title: &str) -> Result<(), Exit> {
        match self.format {
            Format::Words => {
                self.blank()?;
                self.say(&format!("{BOLD}{title}{BOLD:#}"))
            }
            Format::Json => Ok(self.format.print("", json!({"event": "scene", "title": title}))?),
        }
    }

    pub(super) fn tell(&self, who: &str, words: &str, mut json: Value) -> Result<(), Exit> {
        json["who"] = who.into();
        let elapsed = self.start.elapsed().as_secs_f64() * 1000.0;
        let words = format!("{DIM}{elapsed:8.1} ms{DIM:#}  {CYAN}{who}{CYAN:#}  {words}");
        Ok(self.format.print(&words, json)?)
    }

    /// Something was sent.
    pub(super) fn sent(&self, words: &str) -> Result<(), Exit> {
        self.tell("client", &format!("→ {words}"), json!({"event": "sent"}))
    }

    /// Something has arrived.
    pub(super) fn received(&self, words: &str) -> Result<(), Exit> {
        let words = format!("{GREEN}←{GREEN:#} {words}");
        self.tell("client", &words, json!({"event": "received"}))
    }

    pub(super) fn say(&self, text: &str) -> Result<(), Exit> {
        Ok(output::line(text)?)
    }

    pub(super) fn blank(&self) -> io::Result<()> {
        output::line("")
    }
}
