//! Both directions of a WebSocket: what the peer's bytes say, and the bytes that tell it something.

use std::borrow::Cow;

use heartwire_proto::websocket::{
    CloseCode, CompressionPool, Decoder, Encoder, Event, Negotiated, Opcode, ProtocolError, Role,
    Sharing, frame,
};

/// Both directions of a WebSocket.
pub(crate) struct Codec {
    role: Role,
    decoder: Decoder,
    encoder: Encoder,
}

/// What the peer has sent and a session wants to know. Pings are answered and pongs read here.
pub(crate) enum Received<'a> {
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    /// The peer closes the connection; nothing follows.
    Close(Option<CloseCode>),
}

impl Codec {
    /// A codec for messages of at most `max_message` bytes from the peer.
    pub(crate) fn new(role: Role, max_message: usize, negotiated: Option<Negotiated>) -> Self {
        let negotiated = negotiated.as_ref();
        let decoder = Decoder::new(role, max_message, negotiated);
        Self { role, decoder, encoder: Encoder::new(negotiated) }
    }

    /// Takes bytes from the front of `input`, as [`Decoder::decode`] does. Answers to pings are
    /// appended to `output`.
    #[inline(always)]
    pub(crate) fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
        pool: &mut CompressionPool,
        output: &mut Vec<u8>,
    ) -> Result<(usize, Option<Received<'a>>), ProtocolError> {
        let (taken, event) = self.decoder.decode(input, pool)?;
        let received = match event {
            Some(Event::Text(text)) => Some(Received::Text(text)),
            Some(Event::Binary(data)) => Some(Received::Binary(data)),
            Some(Event::Ping(data)) => {
                frame::encode(Opcode::Pong, self.mask(), &[], &data, output);
                None
            }
            Some(Event::Close(close)) => Some(Received::Close(close.map(|close| close.code))),
            Some(Event::Pong(_)) | None => None,
        };
        Ok((taken, received))
    }

    /// Whether a message has begun and not ended.
    #[inline]
    pub(crate) fn is_mid_message(&self) -> bool {
        self.decoder.is_mid_message()
    }

    /// Appends the frame of a message, which is `prefix` and then `payload`.
    #[inline]
    pub(crate) fn encode(
        &mut self,
        opcode: Opcode,
        prefix: &[u8],
        payload: &[u8],
        pool: &mut CompressionPool,
        output: &mut Vec<u8>,
    ) {
        let mask = self.mask();
        self.encoder.encode(opcode, mask, prefix, payload, pool, output);
    }

    /// Appends a text frame that is never compressed.
    pub(crate) fn encode_plain(&self, text: &[u8], output: &mut Vec<u8>) {
        frame::encode(Opcode::Text, self.mask(), b"", text, output);
    }

    /// Whether other connections can send what [`encode`](Self::encode) makes of a message of `length`
    /// bytes.
    #[inline]
    pub(crate) fn sharing(&self, length: usize) -> Sharing {
        match self.role {
            Role::Server => self.encoder.sharing(length),
            Role::Client => Sharing::Never, // each frame has a mask of its own
        }
    }

    /// Appends a close frame.
    pub(crate) fn encode_close(&self, code: Option<CloseCode>, output: &mut Vec<u8>) {
        frame::encode_close(code, self.mask(), output);
    }

    /// The key for the next frame: clients mask theirs.
    #[inline]
    fn mask(&self) -> Option<[u8; 4]> {
        match self.role {
            Role::Client => Some(rand::random()),
            Role::Server => None,
        }
    }
}
