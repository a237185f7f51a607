//! Engine.IO: how a server behaves.

use std::net::SocketAddr;

use heartwire::engineio::{
    Connection, Context, Cookie, Cors, ForwardedHeader, Handler, Message, MessageRef, OriginPolicy,
    PerMessageDeflate, SendError, Server, TrustedProxies,
};
use serde_json::{Value, json};

use crate::args::{Behaviour, ProxyHeader, Serve};
use crate::exit::Exit;
use crate::output::BOLD;

pub(super) fn build(args: &Serve) -> Result<Server, Exit> {
    let mut builder = Server::builder()
        .ping_interval(args.ping_interval_ms)
        .ping_timeout(args.ping_timeout_ms)
        .transports(args.transports.iter().copied())
        .path(&args.path)
        // A client that pipes into an echo has it all on the way at once.
        .send_limits(100_000, 16 << 20);
    if let Some(bytes) = args.max_payload {
        builder = builder.max_payload(bytes);
    }
    if let Some(bytes) = args.websocket_compression {
        builder = builder.per_message_deflate(PerMessageDeflate::new().threshold(bytes));
    }
    if args.cors.iter().any(|origin| origin == "*") {
        builder = builder.cors(Cors::any());
    } else if !args.cors.is_empty() {
        builder = builder.cors(Cors::origins(args.cors.clone()));
    }
    if args.origin.iter().any(|origin| origin == "*") {
        builder = builder.origin(OriginPolicy::Any);
    } else if !args.origin.is_empty() {
        builder = builder.origin(OriginPolicy::Listed(args.origin.clone()));
    }
    if let Some(name) = &args.cookie {
        builder = builder.cookie(Cookie::new(name));
    }
    if let Some(threshold) = args.http_compression {
        builder = builder.http_compression(threshold);
    }
    if !args.trusted_proxy.is_empty() {
        let header = match args.forwarded_header {
            ProxyHeader::XForwardedFor => ForwardedHeader::XForwardedFor,
            ProxyHeader::Forwarded => ForwardedHeader::Forwarded,
        };
        let proxies = TrustedProxies::new(args.trusted_proxy.iter().copied());
        builder = builder.trusted_proxies(proxies.header(header));
    }
    if let Some(connections) = args.max_connections {
        builder = builder.max_connections(connections);
    }
    if let Some(connections) = args.max_connections_per_address {
        builder = builder.max_connections_per_address(connections);
    }
    let server = builder.build().map_err(|error| Exit::Usage(error.to_string()))?;
    match args.behaviour {
        Behaviour::Echo => server.set_handler(Echo {
            server: server.clone(),
            broadcast_prefix: args.broadcast_prefix.clone(),
        }),
        Behaviour::Broadcast => server.set_handler(Broadcast { server: server.clone() }),
        Behaviour::Silent => server.set_handler(Silent),
    }
    Ok(server)
}

/// That it listens, in words and as JSON.
pub(super) fn listening(addr: SocketAddr, args: &Serve) -> (String, Value) {
    let behaviour = args.behaviour.name();
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    let words = format!(
        "{BOLD}listening{BOLD:#} on {scheme}://{addr}{} (Engine.IO, {behaviour})",
        args.path
    );
    let json = json!({
        "event": "listening",
        "protocol": "engineio",
        "addr": addr.to_string(),
        "port": addr.port(),
        "scheme": scheme,
        "path": args.path,
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
        if let (Some(prefix), MessageRef::Text(text)) = (&self.broadcast_prefix, message)
            && text.starts_with(prefix.as_str())
        {
            return to_all(&self.server, message.to_message(), |_| true);
        }
        if let Err(error) = context.reply(message) {
            cut_off(context.connection(), &error);
        }
    }
}

struct Broadcast {
    server: Server,
}

impl Handler for Broadcast {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let sender = context.connection();
        to_all(&self.server, message.to_message(), |other| other != sender);
    }
}

struct Silent;

impl Handler for Silent {
    fn message(&self, _: &mut Context<'_>, _: MessageRef<'_>) {}
}

/// Sends a message to everybody that `wants` it. Who cannot keep up is cut off: a client that misses
/// messages without knowing is worse than one that has to connect again.
fn to_all(server: &Server, message: Message, wants: impl FnMut(&Connection) -> bool) {
    let slow = server.broadcast_where(message, wants);
    for connection in slow {
        connection.close_now();
    }
}

fn cut_off(connection: &Connection, error: &SendError) {
    if let SendError::Full { .. } = error {
        connection.close_now();
    }
}
