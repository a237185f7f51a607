//! Handlers that run when the program wants them to.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::client::Client;
use crate::repod::client::{ConnectError, Event};
use crate::repod::{Disconnected, Message};

/// Handlers by action that run on the caller's thread, in [`pump`](Self::pump): what a game's main loop
/// wants. They are given the game's state, a client to send with, and the message.
///
/// ```no_run
/// use heartwire::blocking::repod::ConnectionListener;
/// use serde_json::json;
///
/// #[derive(Default)]
/// struct Game {
///     players: Vec<String>,
/// }
///
/// let mut listener = ConnectionListener::<Game>::connect("localhost", 5071);
/// listener.on("joined", |game, _, message| {
///     let name = message.get("name").and_then(|name| name.as_str()).unwrap_or("?");
///     game.players.push(name.to_owned());
/// });
/// listener.on("ready?", |_, client, _| {
///     let _ = client.send(&json!({"action": "ready"}));
/// });
/// let mut game = Game::default();
/// loop {
///     listener.pump(&mut game);
///     // … draw …
/// #   break;
/// }
/// ```
#[expect(clippy::type_complexity, reason = "an alias would hide what a handler is given")]
pub struct ConnectionListener<S = ()> {
    client: Client,
    actions: HashMap<String, Box<dyn FnMut(&mut S, &Client, &Message) + Send>>,
    fallback: Option<Box<dyn FnMut(&mut S, &Client, &Message) + Send>>,
    connect: Option<Box<dyn FnMut(&mut S, &Client) + Send>>,
    disconnect: Option<Box<dyn FnMut(&mut S, &Client, &Disconnected) + Send>>,
    failure: Option<Box<dyn FnMut(&mut S, &Client, &ConnectError) + Send>>,
    give_up: Option<Box<dyn FnMut(&mut S, &Client, usize) + Send>>,
}

impl<S> ConnectionListener<S> {
    /// A listener for a client, which is to have no handlers of its own.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            actions: HashMap::new(),
            fallback: None,
            connect: None,
            disconnect: None,
            failure: None,
            give_up: None,
        }
    }

    /// A listener for a new client of the server at `host` and `port`, which starts to connect in the
    /// background.
    pub fn connect(host: impl Into<String>, port: u16) -> Self {
        let client = Client::new(host, port);
        client.start_background();
        Self::new(client)
    }

    /// Calls `handler` for each message with this action. An action that is no text goes by what
    /// Python's `str()` makes of it.
    pub fn on(
        &mut self,
        action: impl Into<String>,
        handler: impl FnMut(&mut S, &Client, &Message) + Send + 'static,
    ) {
        self.actions.insert(action.into(), Box::new(handler));
    }

    /// Calls `handler` for each message whose action has no handler of its own. Without it, they are
    /// dropped.
    pub fn on_other(&mut self, handler: impl FnMut(&mut S, &Client, &Message) + Send + 'static) {
        self.fallback = Some(Box::new(handler));
    }

    /// Calls `handler` when the connection is open. (The greeting of the server is a message with the
    /// action `connected`.)
    pub fn on_connect(&mut self, handler: impl FnMut(&mut S, &Client) + Send + 'static) {
        self.connect = Some(Box::new(handler));
    }

    /// Calls `handler` when the connection has ended, whoever ended it.
    pub fn on_disconnect(
        &mut self,
        handler: impl FnMut(&mut S, &Client, &Disconnected) + Send + 'static,
    ) {
        self.disconnect = Some(Box::new(handler));
    }

    /// Calls `handler` when an attempt to connect has failed.
    pub fn on_connect_error(
        &mut self,
        handler: impl FnMut(&mut S, &Client, &ConnectError) + Send + 'static,
    ) {
        self.failure = Some(Box::new(handler));
    }

    /// Calls `handler` when there will be no connection, with the number of messages that were accepted
    /// for sending and will not be sent.
    pub fn on_give_up(&mut self, handler: impl FnMut(&mut S, &Client, usize) + Send + 'static) {
        self.give_up = Some(Box::new(handler));
    }

    /// The client, to send with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs the handlers for what has happened until now, and returns how many events that were. What
    /// happens meanwhile is left for the next call, so it always returns. If a handler panics, what comes
    /// after its message is left, too.
    pub fn pump(&mut self, state: &mut S) -> usize {
        self.pump_at_most(state, usize::MAX)
    }

    /// As [`pump`](Self::pump), for a number of events at most.
    pub fn pump_at_most(&mut self, state: &mut S, events: usize) -> usize {
        let count = self.client.pending().min(events);
        for handled in 0..count {
            let Some(event) = self.client.try_next() else { return handled };
            self.handle(state, event);
        }
        count
    }

    /// As [`pump`](Self::pump), for a time at most: no handler is begun after it. One event is handled
    /// in any case.
    pub fn pump_for(&mut self, state: &mut S, time: Duration) -> usize {
        let start = Instant::now();
        let count = self.client.pending();
        for handled in 0..count {
            if handled > 0 && start.elapsed() >= time {
                return handled;
            }
            let Some(event) = self.client.try_next() else { return handled };
            self.handle(state, event);
        }
        count
    }

    fn handle(&mut self, state: &mut S, event: Event) {
        let client = &self.client;
        match event {
            Event::Connected { .. } => {
                if let Some(handler) = &mut self.connect {
                    handler(state, client);
                }
            }
            Event::Message(message) => {
                let handler = self.actions.get_mut(&*message.action());
                match handler.or(self.fallback.as_mut()) {
                    Some(handler) => handler(state, client, &message),
                    None => {
                        let action = message.action_value().excerpt();
                        tracing::debug!(?action, "no handler for this action");
                    }
                }
            }
            Event::Disconnected(disconnected) => {
                if let Some(handler) = &mut self.disconnect {
                    handler(state, client, &disconnected);
                }
            }
            Event::ConnectFailed { error, .. } => {
                if let Some(handler) = &mut self.failure {
                    handler(state, client, &error);
                }
            }
            Event::GaveUp { unsent } => {
                if let Some(handler) = &mut self.give_up {
                    handler(state, client, unsent);
                }
            }
            Event::Reconnecting { .. } => {}
        }
    }
}

impl<S> fmt::Debug for ConnectionListener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionListener").field("client", &self.client).finish_non_exhaustive()
    }
}
