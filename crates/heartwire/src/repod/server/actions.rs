//! Callbacks by action.

use std::collections::HashMap;
use std::fmt;

use heartwire_proto::repod::MessageRef;

use super::super::disconnected::Disconnected;
use super::application::{Context, Handler};
use super::channel::Channel;

/// Callbacks by action: a [`Handler`] that is put together.
///
/// ```
/// use heartwire::repod::{Actions, Server};
/// use serde_json::json;
///
/// let server = Server::new();
/// let everybody = server.clone();
/// server.set_handler(
///     Actions::new()
///         .on("chat", move |_, message| {
///             everybody.send_frame_to_all(&message.to_frame());
///         })
///         .on("hello", |context, _| {
///             let _ = context.reply(&json!({"action": "welcome"}));
///         }),
/// );
/// ```
#[derive(Default)]
#[must_use = "give it to a server"]
#[expect(clippy::type_complexity, reason = "an alias would hide what a callback is given")]
pub struct Actions {
    connect: Option<Box<dyn Fn(&Channel) + Send + Sync>>,
    actions: HashMap<String, Box<dyn Fn(&mut Context<'_>, MessageRef<'_>) + Send + Sync>>,
    fallback: Option<Box<dyn Fn(&mut Context<'_>, MessageRef<'_>) + Send + Sync>>,
    disconnect: Option<Box<dyn Fn(&Channel, &Disconnected) + Send + Sync>>,
}

impl Actions {
    /// No callbacks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `callback` for each message with this action. An action that is no text goes by what
    /// Python's `str()` makes of it.
    pub fn on(
        mut self,
        action: impl Into<String>,
        callback: impl Fn(&mut Context<'_>, MessageRef<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.actions.insert(action.into(), Box::new(callback));
        self
    }

    /// Calls `callback` for each message whose action has no callback of its own. Without it, they are
    /// dropped.
    pub fn on_other(
        mut self,
        callback: impl Fn(&mut Context<'_>, MessageRef<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.fallback = Some(Box::new(callback));
        self
    }

    /// Calls `callback` when a client has connected.
    pub fn on_connect(mut self, callback: impl Fn(&Channel) + Send + Sync + 'static) -> Self {
        self.connect = Some(Box::new(callback));
        self
    }

    /// Calls `callback` when a connection has ended.
    pub fn on_disconnect(
        mut self,
        callback: impl Fn(&Channel, &Disconnected) + Send + Sync + 'static,
    ) -> Self {
        self.disconnect = Some(Box::new(callback));
        self
    }
}

impl Handler for Actions {
    fn connect(&self, channel: &Channel) {
        if let Some(callback) = &self.connect {
            callback(channel);
        }
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let callback = self.actions.get(&*message.action()).or(self.fallback.as_ref());
        match callback {
            Some(callback) => callback(context, message),
            None => {
                let action = message.action_value().excerpt();
                tracing::debug!(?action, "no callback for this action");
            }
        }
    }

    fn disconnect(&self, channel: &Channel, disconnected: &Disconnected) {
        if let Some(callback) = &self.disconnect {
            callback(channel, disconnected);
        }
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.actions.keys()).finish()
    }
}
