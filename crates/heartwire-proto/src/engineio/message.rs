//! What users send and receive: text or bytes.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

use crate::shared::Weight;

/// A message that owns its data. Clones share it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// UTF-8 text.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// A text message with `value` as JSON, in its compact form.
    ///
    /// # Errors
    ///
    /// `value` cannot be represented as JSON: a map with keys that are not strings, for instance.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::to_string(value).map(Self::from)
    }

    /// The text, unless it is a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload's bytes, of either kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// Bytes of payload.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same message, borrowed.
    pub fn as_message_ref(&self) -> MessageRef<'_> {
        match self {
            Self::Text(text) => MessageRef::Text(text),
            Self::Binary(data) => MessageRef::Binary(data),
        }
    }
}

impl Weight for Message {
    fn weight(&self) -> usize {
        self.len()
    }
}

/// A message that borrows its data, mostly from the buffer that it was received in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageRef<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> MessageRef<'a> {
    /// The text, unless it is a binary message.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload's bytes, of either kind.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// A copy that owns its data.
    pub fn to_message(self) -> Message {
        match self {
            Self::Text(text) => Message::from(text),
            Self::Binary(data) => Message::from(data),
        }
    }
}

impl From<MessageRef<'_>> for Message {
    fn from(message: MessageRef<'_>) -> Self {
        message.to_message()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(ByteString::from(text))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(ByteString::from(text))
    }
}

impl From<ByteString> for Message {
    fn from(text: ByteString) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(data: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(data))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(data: &[u8; N]) -> Self {
        Self::from(data.as_slice())
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(Bytes::from(data))
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

/// Something that waits in a send queue and carries a message.
pub trait Outgoing: Weight {
    /// The message.
    fn message(&self) -> MessageRef<'_>;
}

impl Outgoing for Message {
    fn message(&self) -> MessageRef<'_> {
        self.as_message_ref()
    }
}
