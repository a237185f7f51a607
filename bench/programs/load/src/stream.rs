//! What a connection sends and what it must get: one frame, again and again. So an answer is right if it is a
//! part of a long repetition of that frame, which one comparison tells.

use wire::{frame, repod};

use crate::args::{Args, Mode, Protocol};

/// What a connection sends and what it must get.
pub struct Stream {
    /// A frame to send, often enough for every message in flight and the start of one.
    sent: Vec<u8>,
    sent_frame: usize,
    /// The frame that comes back, as often as is read at once.
    received: Vec<u8>,
    pub received_frame: usize,
}

impl Stream {
    pub fn new(args: &Args) -> Self {
        let message = message(args);
        let opcode = if args.binary { frame::BINARY } else { frame::TEXT };
        let (sent, received) = match args.protocol {
            Protocol::Repod | Protocol::Tcp => (repod::frame(48), repod::frame(48)),
            Protocol::Engineio | Protocol::Websocket | Protocol::Http => {
                (frame::from_client(opcode, &message), frame::from_server(opcode, &message))
            }
        };
        Self {
            sent_frame: sent.len(),
            sent: sent.repeat(args.depth + 1),
            received_frame: received.len(),
            received: received.repeat(READ_BYTES / received.len() + 2),
        }
    }

    /// Bytes of `count` messages.
    pub fn bytes(&self, count: usize) -> usize {
        self.sent_frame * count
    }

    /// What to send when `offset` bytes of a frame have gone and `left` bytes are to go, or a part of it.
    pub fn to_send(&self, offset: usize, left: usize) -> &[u8] {
        &self.sent[offset..self.sent.len().min(offset + left)]
    }

    /// Where in a frame one is, `count` bytes behind `offset`.
    pub fn advance(&self, offset: usize, count: usize) -> usize {
        (offset + count) % self.sent_frame
    }

    /// What must come when `offset` bytes of a frame have come.
    #[inline]
    pub fn expected(&self, offset: usize, count: usize) -> &[u8] {
        &self.received[offset..offset + count]
    }
}

/// The payload of a frame: of `args.size` bytes, and with the digit of its packet before it. It begins with an
/// e, which no server takes for a command, or with the B of a broadcast.
pub fn message(args: &Args) -> Vec<u8> {
    let packet = args.protocol != Protocol::Websocket && !args.binary;
    let first = if let Mode::Broadcast = args.mode { b'B' } else { b'e' };
    let letters = (1..args.size).map(|position| b'a' + (position % 26) as u8);
    packet.then_some(b'4').into_iter().chain([first]).chain(letters).collect()
}

/// Bytes that are read at once, at most.
pub const READ_BYTES: usize = 1 << 20;
