//! Every target: a body, and what it is about.

mod seen;

mod palette;

mod accounts;

mod strict;

mod both_peers;
mod client_session;
mod handshake_response;
mod inflate;
mod open_packet;
mod packet_binary;
mod packet_text;
mod payload;
mod query;
mod repod_frame;
mod repod_message;
mod request_head;
mod server_session;
mod websocket_assembler;
mod websocket_decoder;

/// Something to be tried with any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its files and commands.
    pub name: &'static str,
    /// What it tries, in a few words.
    pub about: &'static str,
    /// What must hold. It panics if it does not.
    pub body: fn(&[u8]),
    /// Bytes of the longest input that is worth trying.
    pub max_len: usize,
}

/// Every target.
pub const TARGETS: [Target; 15] = [
    target("packet_text", "a packet as text", packet_text::target, 256),
    target("packet_binary", "base64, against its definition", packet_binary::target, 512),
    target("payload", "packets in one body", payload::target, 1024),
    target("request_head", "HTTP, through hyper to a server", request_head::target, 2048),
    target("query", "what a request wants", query::target, 512),
    target("websocket_decoder", "any bytes, against tungstenite", websocket_decoder::target, 2048),
    target("websocket_assembler", "frames in any order", websocket_assembler::target, 1024),
    target("inflate", "compressed messages, against miniz_oxide", inflate::target, 2048),
    target(
        "handshake_response",
        "the answer that opens a WebSocket",
        handshake_response::target,
        1024,
    ),
    target("open_packet", "the handshake of Engine.IO, against JSON", open_packet::target, 1024),
    target("server_session", "a server's session", server_session::target, 512),
    target("client_session", "a client's session against any server", client_session::target, 512),
    target("both_peers", "two peers in the simulator", both_peers::target, 1024),
    target("repod_frame", "repod's byte stream", repod_frame::target, 1024),
    target("repod_message", "msgpack, against rmpv", repod_message::target, 2048),
];

const fn target(
    name: &'static str,
    about: &'static str,
    body: fn(&[u8]),
    max_len: usize,
) -> Target {
    Target { name, about, body, max_len }
}
