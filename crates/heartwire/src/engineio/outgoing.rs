//! Messages on their way to the wire.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use heartwire_proto::engineio::{self, Message, MessageRef, Packet};
use heartwire_proto::shared::Weight;
use heartwire_proto::websocket::{CompressionPool, Opcode, Sharing};

use super::written::{Receipt, Written};
use crate::codec::Codec;

/// A message for many recipients: its WebSocket frame is encoded once, by the first that needs it. So
/// is the compressed one, unless contexts are taken over.
///
/// Clones share the message and the frames.
#[derive(Clone, Debug)]
pub struct PreparedMessage(Arc<Prepared>);

#[derive(Debug)]
struct Prepared {
    message: Message,
    frame: OnceLock<Bytes>,
    deflated: OnceLock<Deflated>,
}

/// A compressed frame, and how far back it refers.
#[derive(Debug)]
struct Deflated {
    window_bits: u8,
    frame: Bytes,
}

impl PreparedMessage {
    /// Prepares `message`.
    pub fn new(message: impl Into<Message>) -> Self {
        Self(Arc::new(Prepared {
            message: message.into(),
            frame: OnceLock::new(),
            deflated: OnceLock::new(),
        }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// Appends the frame of a server.
    pub(crate) fn encode(&self, codec: &mut Codec, pool: &mut CompressionPool, out: &mut Vec<u8>) {
        let (opcode, prefix, payload) = parts(self.0.message.as_message_ref());
        let mut encode = |codec: &mut Codec| {
            let mut frame = vec![];
            codec.encode(opcode, prefix, payload, pool, &mut frame);
            Bytes::from(frame)
        };
        match codec.sharing(prefix.len() + payload.len()) {
            Sharing::Uncompressed => {
                out.extend_from_slice(self.0.frame.get_or_init(|| encode(codec)));
            }
            Sharing::Compressed { window_bits: allowed } => {
                let deflated = self
                    .0
                    .deflated
                    .get_or_init(|| Deflated { window_bits: allowed, frame: encode(codec) });
                if deflated.window_bits <= allowed {
                    out.extend_from_slice(&deflated.frame);
                } else {
                    codec.encode(opcode, prefix, payload, pool, out);
                }
            }
            Sharing::Never => codec.encode(opcode, prefix, payload, pool, out),
        }
    }
}

/// What waits in a send queue.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Message),
    Prepared(PreparedMessage),
    /// One that somebody waits for.
    Tracked(Box<Tracked>),
}

/// A message, and who wants to know when it was written.
#[derive(Debug)]
pub(crate) struct Tracked {
    message: Message,
    receipt: Receipt,
}

impl Outgoing {
    /// A message, and the news that it was written.
    pub(crate) fn tracked(message: Message) -> (Self, Written) {
        let (receipt, written) = Written::new();
        (Self::Tracked(Box::new(Tracked { message, receipt })), written)
    }

    /// Who wants to know that the message was written.
    pub(crate) fn into_receipt(self) -> Option<Receipt> {
        match self {
            Self::Tracked(tracked) => Some(tracked.receipt),
            Self::Message(_) | Self::Prepared(_) => None,
        }
    }

    /// Appends the message's WebSocket frame.
    pub(crate) fn encode(&self, codec: &mut Codec, pool: &mut CompressionPool, out: &mut Vec<u8>) {
        match self {
            Self::Prepared(prepared) => prepared.encode(codec, pool, out),
            Self::Message(_) | Self::Tracked(_) => {
                encode_message(engineio::Outgoing::message(self), codec, pool, out);
            }
        }
    }

    pub(crate) fn into_message(self) -> Message {
        match self {
            Self::Message(message) => message,
            Self::Prepared(prepared) => prepared.message().clone(),
            Self::Tracked(tracked) => tracked.message,
        }
    }
}

impl Weight for Outgoing {
    fn weight(&self) -> usize {
        engineio::Outgoing::message(self).as_bytes().len()
    }
}

impl engineio::Outgoing for Outgoing {
    fn message(&self) -> MessageRef<'_> {
        match self {
            Self::Message(message) => message.as_message_ref(),
            Self::Prepared(prepared) => prepared.message().as_message_ref(),
            Self::Tracked(tracked) => tracked.message.as_message_ref(),
        }
    }
}

/// Appends a message's WebSocket frame.
#[inline]
pub(crate) fn encode_message(
    message: MessageRef<'_>,
    codec: &mut Codec,
    pool: &mut CompressionPool,
    out: &mut Vec<u8>,
) {
    let (opcode, prefix, payload) = parts(message);
    codec.encode(opcode, prefix, payload, pool, out);
}

/// What a message's frame consists of: text behind its packet type, binary as it is.
#[inline]
fn parts(message: MessageRef<'_>) -> (Opcode, &'static [u8], &[u8]) {
    match message {
        MessageRef::Text(text) => (Opcode::Text, b"4", text.as_bytes()),
        MessageRef::Binary(data) => (Opcode::Binary, b"", data),
    }
}

/// Appends a packet's WebSocket frame. Messages do not travel this way.
pub(crate) fn encode_packet(packet: &Packet<'_>, codec: &Codec, out: &mut Vec<u8>) {
    let mut text = vec![];
    packet.encode(&mut text);
    codec.encode_plain(&text, out);
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use heartwire_proto::websocket::{PerMessageDeflate, Role};

    use super::*;

    #[test]
    fn a_broadcast_is_compressed_once_for_all_that_can_share_it() {
        let message = PreparedMessage::new("broadcast ".repeat(500));
        let encode = |codec: &mut Codec| {
            let mut out = vec![];
            let outgoing = Outgoing::Prepared(message.clone());
            outgoing.encode(codec, &mut CompressionPool::new(), &mut out);
            out
        };
        let plain = encode(&mut Codec::new(Role::Server, 0, None));
        let options = PerMessageDeflate::new();
        let first = encode(&mut codec(options, ""));
        assert!(first.len() < plain.len() / 10, "{} bytes", first.len());
        // Level 0 would leave it as it is: this one sends what the first has made.
        assert_eq!(encode(&mut codec(options.level(0), "")), first);
        let limited = options.level(0);
        assert_eq!(encode(&mut codec(limited, "; server_max_window_bits=9")), plain);
        // Two headers of blocks and one of a frame: each part of the context has to be sent.
        let whole = encode(&mut codec(limited.context_takeover(true), ""));
        assert_eq!(whole.len(), 4 + 5 + 5001 + 1);
        assert_eq!(encode(&mut Codec::new(Role::Server, 0, None)), plain);
    }

    fn codec(options: PerMessageDeflate, parameters: &str) -> Codec {
        let offer = format!("permessage-deflate{parameters}");
        let accepted = options.accept(&offer).expect("the offer is correct");
        let (negotiated, _) = accepted.expect("it can be kept to");
        Codec::new(Role::Server, 0, Some(negotiated))
    }
}
