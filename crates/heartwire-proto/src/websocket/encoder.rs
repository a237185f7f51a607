//! Messages to frames, compressed where that was negotiated.

use super::compression::{CompressionPool, Deflate, Negotiated};
use super::frame::{self, Opcode, RSV1};

/// Turns messages into frames.
#[derive(Debug, Default)]
pub struct Encoder {
    deflate: Option<Deflate>,
}

/// Whether many connections can send the same bytes for the same message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sharing {
    /// It is sent as it is.
    Uncompressed,
    /// It is compressed by itself. The peer takes it from everybody who compresses with a window of at
    /// most so many bits.
    Compressed {
        /// The base-two logarithm of the window's bytes.
        window_bits: u8,
    },
    /// It is compressed as a part of its connection.
    Never,
}

impl Encoder {
    /// An encoder, which compresses if that was negotiated.
    pub fn new(negotiated: Option<&Negotiated>) -> Self {
        Self { deflate: negotiated.and_then(Deflate::new) }
    }

    /// Appends the frame of a message, which is `prefix` and then `payload`. A client passes a fresh
    /// unpredictable `mask` for each frame (RFC 6455, § 10.3), a server passes `None`.
    #[inline]
    pub fn encode(
        &mut self,
        opcode: Opcode,
        mask: Option<[u8; 4]>,
        prefix: &[u8],
        payload: &[u8],
        pool: &mut CompressionPool,
        out: &mut Vec<u8>,
    ) {
        if let Some(deflate) = &mut self.deflate
            && let Some(compressed) = deflate.compress(prefix, payload, pool)
        {
            frame::encode_reserved(RSV1, opcode, mask, &[], compressed, out);
        } else {
            frame::encode(opcode, mask, prefix, payload, out);
        }
    }

    /// Whether other connections can send what [`encode`](Self::encode) makes of a message of `length`
    /// bytes.
    #[inline]
    pub fn sharing(&self, length: usize) -> Sharing {
        match &self.deflate {
            Some(deflate) if deflate.wants(length) => match deflate.shared_window_bits() {
                Some(window_bits) => Sharing::Compressed { window_bits },
                None => Sharing::Never,
            },
            Some(_) | None => Sharing::Uncompressed,
        }
    }
}
