//! A subscriber that keeps every event as it is told, before anything would make it fit to be read.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Subscriber, set_global_default};
use tracing::{Event, Metadata};

/// What was told since the start.
pub(crate) struct Listening(Arc<Mutex<Vec<String>>>);

impl Listening {
    /// Listens to this whole process, at every level.
    pub(crate) fn start() -> Self {
        let events = Arc::default();
        set_global_default(Listener(Arc::clone(&events))).expect("nobody else listens");
        Self(events)
    }

    /// Each event: where it comes from, and its fields, as they were given.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

struct Listener(Arc<Mutex<Vec<String>>>);

impl Listener {
    fn note(&self, metadata: &Metadata<'_>, fields: String) {
        let line = format!("{} {}:{fields}", metadata.level(), metadata.target());
        self.0.lock().expect("nobody panics with it").push(line);
    }
}

impl Subscriber for Listener {
    /// Other crates tell what they want.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("heartwire")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.note(attributes.metadata(), fields.0);
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.note(event.metadata(), fields.0);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).expect("strings grow");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("strings grow");
    }
}
