//! repod: how a server behaves.

use std::net::SocketAddr;

use heartwire::repod::{Channel, Context, Handler, MessageRef, Server, SlowPeerPolicy};
use serde_json::{Value, json};

use crate::args::{Behaviour, Serve};
use crate::output::BOLD;

pub(super) fn build(args: &Serve) -> Server {
    // A client that misses messages without knowing is worse than one that has to connect again.
    let mut builder = Server::builder().slow_peer(SlowPeerPolicy::Disconnect);
    if let Some(bytes) = args.max_payload {
        builder = builder.max_frame(bytes);
    }
    if let Some(connections) = args.max_connections {
        builder = builder.max_connections(connections);
    }
    if let Some(connections) = args.max_connections_per_address {
        builder = builder.max_connections_per_address(connections);
    }
    let server = builder.build();
    match args.behaviour {
        Behaviour::Echo => server.set_handler(Echo {
            server: server.clone(),
            broadcast_prefix: args.broadcast_prefix.clone(),
        }),
        Behaviour::Broadcast => server.set_handler(Broadcast { server: server.clone() }),
        Behaviour::Silent => server.set_handler(Silent),
    }
    server
}

/// That it listens, in words and as JSON.
pub(super) fn listening(addr: SocketAddr, args: &Serve) -> (String, Value) {
    let behaviour = args.behaviour.name();
    let words = format!("{BOLD}listening{BOLD:#} on repod://{addr} (repod, {behaviour})");
    let json = json!({
        "event": "listening",
        "protocol": "repod",
        "addr": addr.to_string(),
        "port": addr.port(),
        "behaviour": behaviour,
    });
    (words, json)
}

struct Echo {
    server: Server,
    broadcast_prefix: Option<String>,
}

impl Handler for Echo {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        if let Some(prefix) = &self.broadcast_prefix
            && message.action().starts_with(prefix.as_str())
        {
            to_all(&self.server, message, |_| true);
        } else {
            // A client that takes no answers is not read from any more, and cut off later.
            let _ = context.forward(message);
        }
    }
}

struct Broadcast {
    server: Server,
}

impl Handler for Broadcast {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let sender = context.channel();
        to_all(&self.server, message, |other| other != sender);
    }
}

struct Silent;

impl Handler for Silent {
    fn message(&self, _: &mut Context<'_>, _: MessageRef<'_>) {}
}

/// Sends a message as it came to everybody that `wants` it.
fn to_all(server: &Server, message: MessageRef<'_>, wants: impl FnMut(&Channel) -> bool) {
    server.send_frame_where(&message.to_frame(), wants);
}
