//! Values to Rust's types, by serde. Everything is read once, from front to back.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::value::{Reader, Value};

/// A message that does not have the shape that was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseError(String);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

impl de::Error for ParseError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Reads the next value of checked bytes.
pub(super) struct Deserializer<'r, 'de> {
    pub(super) reader: &'r mut Reader<'de>,
}

impl<'de> de::Deserializer<'de> for Deserializer<'_, 'de> {
    type Error = ParseError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        match Value::read(self.reader) {
            Value::Nil => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(number) => match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(number),
            },
            Value::UInt(number) => visitor.visit_u64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Binary(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::Array(array) => {
                let mut elements = Elements { reader: self.reader, left: array.len() };
                let result = visitor.visit_seq(&mut elements);
                elements.finish();
                result
            }
            Value::Map(map) => {
                let mut elements = Elements { reader: self.reader, left: 2 * map.len() };
                let result = visitor.visit_map(&mut elements);
                elements.finish();
                result
            }
            Value::Ext(ext) => visitor.visit_borrowed_bytes(ext.data),
            Value::Timestamp(timestamp) => {
                let nanoseconds = i64::from(timestamp.nanoseconds);
                let fields = [("seconds", timestamp.seconds), ("nanoseconds", nanoseconds)];
                visitor.visit_map(MapDeserializer::new(fields.into_iter()))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        let mut ahead = *self.reader;
        if let Value::Nil = Value::read(&mut ahead) {
            *self.reader = ahead;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        let start = *self.reader;
        if let Value::Map(map) = Value::read(self.reader)
            && map.len() == 1
        {
            return visitor.visit_enum(Variant { reader: self.reader });
        }
        *self.reader = start;
        let value = self.reader.next_value();
        match value.as_str() {
            Some(variant) => visitor.visit_enum(variant.into_deserializer()),
            None => Err(de::Error::custom(format!(
                "{}, expected the name of a variant or a map with it",
                value.excerpt()
            ))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParseError> {
        self.reader.next_value();
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

/// The elements of an array, or the keys and values of a map, in turn.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
}

impl<'de> Elements<'_, 'de> {
    fn next<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ParseError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Deserializer { reader: self.reader }).map(Some)
    }

    /// Goes past what was not wanted.
    fn finish(self) {
        self.reader.skip(self.left);
    }
}

impl<'de> de::SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = ParseError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ParseError> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        // What an array announces may be a lie, but it was checked: each element takes a byte.
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = ParseError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ParseError> {
        self.next(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, ParseError> {
        self.next(seed)?.ok_or_else(|| de::Error::custom("a key without a value"))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left / 2)
    }
}

/// A variant with content: a map from its name to that.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'r, 'de> de::EnumAccess<'de> for Variant<'r, 'de> {
    type Error = ParseError;
    type Variant = Content<'r, 'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), ParseError> {
        let name = seed.deserialize(Deserializer { reader: self.reader })?;
        Ok((name, Content { reader: self.reader }))
    }
}

struct Content<'r, 'de> {
    reader: &'r mut Reader<'de>,
}

impl<'de> de::VariantAccess<'de> for Content<'_, 'de> {
    type Error = ParseError;

    fn unit_variant(self) -> Result<(), ParseError> {
        de::Deserialize::deserialize(Deserializer { reader: self.reader })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ParseError> {
        seed.deserialize(Deserializer { reader: self.reader })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ParseError> {
        de::Deserializer::deserialize_any(Deserializer { reader: self.reader }, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParseError> {
        de::Deserializer::deserialize_any(Deserializer { reader: self.reader }, visitor)
    }
}
