//! What travels between the two sides.

use heartwire_proto::engineio::{Message, Packet, Refusal, SocketEnd};
use heartwire_proto::websocket::{CloseCode, Opcode, frame};

use super::plan::Act;

/// What is on its way.
#[derive(Debug)]
pub(super) enum Parcel {
    Act(Act),
    /// A request reaches the server.
    Request(RequestId, Request),
    /// The application has said whether the session may be.
    Decision(usize),
    /// The client tries to come back.
    Reconnect,
    /// The rest of a POST reaches the server.
    RestOfPost(RequestId, String),
    /// The answer reaches the client.
    Answer(RequestId, Result<String, Refusal>),
    /// The client learns that its request has failed.
    RequestFailed(RequestId),
    /// The server learns that the client has left a request.
    RequestGone(RequestId),
    /// The client's patience with a request is over.
    RequestLate(RequestId),
    /// The client's patience with a WebSocket that is to open a session is over.
    SocketLate(u32),
    OpenSocket(u32),
    SocketOpened(u32, bool),
    Bytes {
        socket: u32,
        to_server: bool,
        data: Vec<u8>,
    },
    End {
        socket: u32,
        to_server: bool,
        end: SocketEnd,
    },
}

pub(super) type RequestId = u32;

#[derive(Debug)]
pub(super) enum Request {
    /// For a session.
    Open,
    Get,
    Post(String),
}

impl Parcel {
    /// Whether it happens whatever the network does.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Act(_)
            | Self::Decision(_)
            | Self::Reconnect
            | Self::RequestLate(_)
            | Self::SocketLate(_) => true,
            Self::Request(..)
            | Self::RestOfPost(..)
            | Self::Answer(..)
            | Self::RequestFailed(_)
            | Self::RequestGone(_)
            | Self::OpenSocket(_)
            | Self::SocketOpened(..)
            | Self::Bytes { .. }
            | Self::End { .. } => false,
        }
    }

    /// What the trace says of it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Bytes { socket, to_server, data } => {
                let way = if *to_server { "to the server" } else { "to the client" };
                format!("{} bytes on WebSocket {socket} {way}", data.len())
            }
            Self::Request(id, Request::Post(body)) => format!("POST {id}: {}", excerpt(body)),
            Self::RestOfPost(id, body) => format!("POST {id}, the rest: {}", excerpt(body)),
            Self::Answer(id, Ok(body)) => format!("answer to {id}: {}", excerpt(body)),
            other => format!("{other:?}"),
        }
    }
}

fn excerpt(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("{shown:?} ({} bytes)", text.len())
}

/// The bytes of a packet in a frame.
pub(super) fn packet_frame(packet: &Packet<'_>, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let mut text = vec![];
    packet.encode(&mut text);
    frame::encode(Opcode::Text, mask, &[], &text, out);
}

/// The bytes of a message in a frame.
pub(super) fn message_frame(message: &Message, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    match message {
        Message::Text(text) => frame::encode(Opcode::Text, mask, b"4", text.as_bytes(), out),
        Message::Binary(data) => frame::encode(Opcode::Binary, mask, &[], data, out),
    }
}

pub(super) fn close_frame(code: Option<CloseCode>, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    frame::encode_close(code, mask, out);
}
