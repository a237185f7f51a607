//! Messages: maps with an action.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::deserialize::{Deserializer, ParseError};
use super::encode::{self, Frame};
use super::value::{self, DecodeError, Map, Reader, Value};
use crate::shared::Weight;

/// A message that was received: a map that has the key `action`. It borrows from the bytes that it was
/// received in.
#[derive(Clone, Copy)]
pub struct MessageRef<'a> {
    payload: &'a [u8],
    /// Where the value behind `action` starts.
    action: usize,
    /// What the payload is all of, if that can be shared.
    owner: Option<&'a Bytes>,
}

/// A message that was received and owns its bytes. Clones share them.
#[derive(Clone, Eq, PartialEq)]
pub struct Message {
    payload: Bytes,
    action: usize,
}

impl<'a> MessageRef<'a> {
    /// Reads the payload of a frame. `None` means that it is well-formed but no message: something else
    /// than a map, or a map without an action. Such payloads are to be ignored, as repod does.
    ///
    /// # Errors
    ///
    /// The payload is malformed; the connection cannot go on.
    pub fn decode(payload: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let action = value::check(payload, "action")?;
        Ok(action.map(|action| Self { payload, action, owner: None }))
    }

    /// The same message, which [`to_message`](Self::to_message) does not copy: its bytes are `owner`'s.
    ///
    /// # Panics
    ///
    /// They are not.
    pub fn owned_by(self, owner: &'a Bytes) -> Self {
        assert!(std::ptr::eq(self.payload, &raw const **owner), "the message lies elsewhere");
        Self { owner: Some(owner), ..self }
    }

    /// The name of the action: its text, and for anything else what Python's `str()` makes of it, of which
    /// no more than an [excerpt](Value::excerpt) is made.
    pub fn action(self) -> Cow<'a, str> {
        let value = self.action_value();
        value.as_str().map_or_else(|| Cow::Owned(value.excerpt()), Cow::Borrowed)
    }

    /// The value behind `action`, which is a text mostly.
    pub fn action_value(self) -> Value<'a> {
        Value::read(&mut Reader { bytes: &self.payload[self.action..] })
    }

    /// The value behind a key. Of a key that was sent twice, the last value counts.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.map().get(key)
    }

    /// The whole message.
    pub fn map(self) -> Map<'a> {
        let whole = Value::read(&mut Reader { bytes: self.payload });
        whole.as_map().expect("only maps have an action")
    }

    /// The message as one of your types. It may borrow texts and bytes from the message.
    ///
    /// # Errors
    ///
    /// The message does not have that shape.
    pub fn parse<T: Deserialize<'a>>(self) -> Result<T, ParseError> {
        T::deserialize(Deserializer { reader: &mut Reader { bytes: self.payload } })
    }

    /// The message in msgpack, as it was received.
    pub fn payload(self) -> &'a [u8] {
        self.payload
    }

    /// The message with bytes of its own: a copy, unless they are [owned](Self::owned_by).
    pub fn to_message(self) -> Message {
        let payload = self.owner.cloned().unwrap_or_else(|| Bytes::copy_from_slice(self.payload));
        Message { payload, action: self.action }
    }

    /// The message as a frame, to be sent on as it was received.
    pub fn to_frame(self) -> Frame {
        Frame::of_payload(self.payload)
    }

    /// Appends the message as a frame, to be sent on as it was received.
    pub fn encode(self, out: &mut Vec<u8>) {
        encode::frame_payload(self.payload, out);
    }
}

impl PartialEq for MessageRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.payload == other.payload
    }
}

impl Eq for MessageRef<'_> {}

impl Message {
    /// Reads the payload of a frame, as [`MessageRef::decode`].
    ///
    /// # Errors
    ///
    /// The payload is malformed; the connection cannot go on.
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(MessageRef::decode(payload)?.map(MessageRef::to_message))
    }

    /// The same message, borrowed.
    pub fn as_message_ref(&self) -> MessageRef<'_> {
        MessageRef { payload: &self.payload, action: self.action, owner: Some(&self.payload) }
    }

    /// The name of the action: its text, and for anything else what Python's `str()` makes of it, of which
    /// no more than an [excerpt](Value::excerpt) is made.
    pub fn action(&self) -> Cow<'_, str> {
        self.as_message_ref().action()
    }

    /// The value behind `action`, which is a text mostly.
    pub fn action_value(&self) -> Value<'_> {
        self.as_message_ref().action_value()
    }

    /// The value behind a key. Of a key that was sent twice, the last value counts.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.as_message_ref().get(key)
    }

    /// The whole message.
    pub fn map(&self) -> Map<'_> {
        self.as_message_ref().map()
    }

    /// The message as one of your types. It may borrow texts and bytes from the message.
    ///
    /// # Errors
    ///
    /// The message does not have that shape.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ParseError> {
        self.as_message_ref().parse()
    }

    /// The message in msgpack, as it was received.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The message as a frame, to be sent on as it was received.
    pub fn to_frame(&self) -> Frame {
        self.as_message_ref().to_frame()
    }
}

impl Serialize for MessageRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value::Map(self.map()).serialize(serializer)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_message_ref().serialize(serializer)
    }
}

impl Weight for Message {
    fn weight(&self) -> usize {
        self.payload.len()
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(f)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_message_ref().fmt(f)
    }
}
