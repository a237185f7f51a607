//! Frames: a length, then a map in msgpack, made from any serde value.
//!
//! ```text
//! ┌───────────────────────┬──────────────────────────────┐
//! │ length (4 bytes, u32) │ payload (`length` bytes)     │
//! └───────────────────────┴──────────────────────────────┘
//! ```
//!
//! The bytes are those of `msgpack.packb(…, use_bin_type=True)` in Python: integers in their shortest
//! form, floats in eight bytes, text and bytes kept apart, maps in order.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::ser::{self, Serialize, SerializeMap, SerializeSeq};

use super::head::Head;
use super::value::{self, Ext, MAX_DEPTH, NANOSECONDS, Reader, TIMESTAMP, Timestamp, Value, Walk};
use crate::shared::Weight;

/// A message that is ready for the wire. Clones share its bytes, so one can be sent to many.
#[derive(Clone, Eq, PartialEq)]
pub struct Frame(Bytes);

impl Frame {
    /// Encodes a value, which has to be a map: a struct, a `HashMap`, a JSON object. Enums are encoded
    /// as serde's other formats do: a variant without content as its name, others as a map from the
    /// name to the content.
    ///
    /// # Errors
    ///
    /// The value is no map, is nested too deep or too large, or has an integer that msgpack has no form
    /// for.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let mut out = Vec::with_capacity(TYPICAL_BYTES);
        encode_map(value, &mut out)?;
        Ok(Self(Bytes::from(out)))
    }

    /// Encodes a value of any kind. A peer ignores frames that are no maps.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_any<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let mut out = Vec::with_capacity(TYPICAL_BYTES);
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        value.serialize(&mut Encoder::new(&mut out))?;
        set_length(&mut out)?;
        Ok(Self(Bytes::from(out)))
    }

    /// Appends the frame of a value to `out`, as [`encode`](Self::encode) makes it. Returns its bytes.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode); `out` is as it was.
    pub fn encode_to<T: Serialize + ?Sized>(
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        let start = out.len();
        let result = encode_map(value, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Frames a payload that is a msgpack map already.
    pub(super) fn of_payload(payload: &[u8]) -> Self {
        let mut out = Vec::with_capacity(LENGTH_BYTES + payload.len());
        frame_payload(payload, &mut out);
        Self(Bytes::from(out))
    }

    /// The bytes for the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes for the wire.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Always false: a frame has a length at least.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends the frame of a value that is a map; on an error, part of it.
fn encode_map<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    value.serialize(&mut Encoder::new(out))?;
    let payload = start + LENGTH_BYTES;
    if !matches!(Head::read(&out[payload..]), Ok((Head::Map(_), _))) {
        return Err(EncodeError::NotAMap(excerpt(&out[payload..])));
    }
    set_length(&mut out[start..])?;
    Ok(out.len() - start)
}

/// The beginning of a value that was written.
fn excerpt(written: &[u8]) -> String {
    // It is no value where a type serialises itself as more or less than one.
    match value::check(written, "") {
        Ok(_) => Value::read(&mut Reader { bytes: written }).excerpt(),
        Err(error) => error.to_string(),
    }
}

/// Fills in the length in front of a payload.
fn set_length(frame: &mut [u8]) -> Result<(), EncodeError> {
    let length = frame.len() - LENGTH_BYTES;
    let announced = u32::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
    frame[..LENGTH_BYTES].copy_from_slice(&announced.to_be_bytes());
    Ok(())
}

/// Appends a payload that was received in a frame as one.
pub(super) fn frame_payload(payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("it came in a frame");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
}

impl Weight for Frame {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.len())
    }
}

/// Why a value cannot be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// An integer below -2^63 or above 2^64 - 1.
    IntegerOutOfRange(String),
    /// Something else than a map: an [excerpt](Value::excerpt) of it.
    NotAMap(String),
    /// It is nested deeper than [`MAX_DEPTH`]: an [excerpt](Value::excerpt) of the key that this is behind, if
    /// it is a map.
    TooDeep(Option<String>),
    /// It takes more bytes than a frame can announce.
    TooLong(usize),
    /// The value cannot be serialised, for the reason that it gives.
    Custom(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IntegerOutOfRange(number) => {
                write!(f, "integer {number} out of range, expected -2^63 to 2^64 - 1")
            }
            Self::NotAMap(value) => write!(f, "{value:?} is no map, a message has to be one"),
            Self::TooDeep(Some(key)) => {
                write!(f, "value behind {key:?} nested deeper than {MAX_DEPTH}")
            }
            Self::TooDeep(None) => write!(f, "value nested deeper than {MAX_DEPTH}"),
            Self::TooLong(length) => {
                write!(f, "value of {length} bytes, a frame carries at most {}", u32::MAX)
            }
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Writes serde's values as msgpack.
struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    bytes: BytesAs,
    /// Where the last key of the outermost map is, for errors.
    key: Option<Range<usize>>,
}

/// What the next bytes are written as.
#[derive(Clone, Copy)]
enum BytesAs {
    Binary,
    /// An extension, whose code is the first of the bytes.
    Ext,
}

impl<'a> Encoder<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, depth: 0, bytes: BytesAs::Binary, key: None }
    }

    fn head(&mut self, head: Head) -> Result<(), EncodeError> {
        head.write(self.out);
        Ok(())
    }

    fn enter(&mut self) -> Result<(), EncodeError> {
        if self.depth == MAX_DEPTH {
            return Err(EncodeError::TooDeep(self.key.clone().map(|key| excerpt(&self.out[key]))));
        }
        self.depth += 1;
        Ok(())
    }
}

/// An array or a map whose elements are being written.
struct Compound<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    kind: Kind,
    /// Where the elements start.
    start: usize,
    /// What the head says, if it is written already.
    announced: Option<usize>,
    count: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Array,
    Map,
    /// An array or a map that is the only value of a map: the content of an enum's variant.
    VariantArray,
    VariantMap,
}

impl<'e, 'a> Compound<'e, 'a> {
    fn open(
        encoder: &'e mut Encoder<'a>,
        kind: Kind,
        length: Option<usize>,
    ) -> Result<Self, EncodeError> {
        encoder.enter()?;
        if let Some(length) = length {
            Self::head(kind, length).write(encoder.out);
        }
        let start = encoder.out.len();
        Ok(Self { encoder, kind, start, announced: length, count: 0 })
    }

    fn head(kind: Kind, length: usize) -> Head {
        match kind {
            Kind::Array | Kind::VariantArray => Head::Array(length),
            Kind::Map | Kind::VariantMap => Head::Map(length),
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.count += 1;
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        let start = self.encoder.out.len();
        self.element(key)?;
        if self.encoder.depth == 1 {
            self.encoder.key = Some(start..self.encoder.out.len());
        }
        Ok(())
    }

    fn close(self) -> Result<(), EncodeError> {
        let Self { encoder, kind, start, announced, count } = self;
        if announced != Some(count) {
            // The head could not be written before the elements were counted, or announced others.
            let mut head = vec![];
            Self::head(kind, count).write(&mut head);
            let from = announced.map_or(start, |length| {
                let mut wrong = vec![];
                Self::head(kind, length).write(&mut wrong);
                start - wrong.len()
            });
            encoder.out.splice(from..start, head);
        }
        encoder.depth -= match kind {
            Kind::Array | Kind::Map => 1,
            Kind::VariantArray | Kind::VariantMap => 2,
        };
        Ok(())
    }
}

impl<'e, 'a> ser::Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Compound<'e, 'a>;
    type SerializeTuple = Compound<'e, 'a>;
    type SerializeTupleStruct = Compound<'e, 'a>;
    type SerializeTupleVariant = Compound<'e, 'a>;
    type SerializeMap = Compound<'e, 'a>;
    type SerializeStruct = Compound<'e, 'a>;
    type SerializeStructVariant = Compound<'e, 'a>;

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.head(Head::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<(), EncodeError> {
        self.head(Head::Int(value.into()))
    }

    fn serialize_i16(self, value: i16) -> Result<(), EncodeError> {
        self.head(Head::Int(value.into()))
    }

    fn serialize_i32(self, value: i32) -> Result<(), EncodeError> {
        self.head(Head::Int(value.into()))
    }

    fn serialize_i64(self, value: i64) -> Result<(), EncodeError> {
        self.head(Head::Int(value))
    }

    fn serialize_i128(self, value: i128) -> Result<(), EncodeError> {
        if let Ok(value) = i64::try_from(value) {
            return self.head(Head::Int(value));
        }
        match u64::try_from(value) {
            Ok(value) => self.head(Head::UInt(value)),
            Err(_) => Err(EncodeError::IntegerOutOfRange(value.to_string())),
        }
    }

    fn serialize_u8(self, value: u8) -> Result<(), EncodeError> {
        self.head(Head::UInt(value.into()))
    }

    fn serialize_u16(self, value: u16) -> Result<(), EncodeError> {
        self.head(Head::UInt(value.into()))
    }

    fn serialize_u32(self, value: u32) -> Result<(), EncodeError> {
        self.head(Head::UInt(value.into()))
    }

    fn serialize_u64(self, value: u64) -> Result<(), EncodeError> {
        self.head(Head::UInt(value))
    }

    fn serialize_u128(self, value: u128) -> Result<(), EncodeError> {
        match u64::try_from(value) {
            Ok(value) => self.head(Head::UInt(value)),
            Err(_) => Err(EncodeError::IntegerOutOfRange(value.to_string())),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        self.head(Head::Float(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        self.head(Head::Float(value))
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        Head::Str(value.len()).write(self.out);
        self.out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        let data = match (self.bytes, value) {
            (BytesAs::Ext, [code, data @ ..]) => {
                Head::Ext(*code as i8, data.len()).write(self.out);
                data
            }
            (BytesAs::Binary | BytesAs::Ext, _) => {
                Head::Bin(value.len()).write(self.out);
                value
            }
        };
        self.out.extend_from_slice(data);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.head(Head::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.head(Head::Nil)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.head(Head::Nil)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if name == EXT_NAME {
            self.bytes = BytesAs::Ext;
        }
        value.serialize(&mut *self)?;
        self.bytes = BytesAs::Binary;
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.enter()?;
        Head::Map(1).write(self.out);
        (&mut *self).serialize_str(variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'e, 'a>, EncodeError> {
        Compound::open(self, Kind::Array, length)
    }

    fn serialize_tuple(self, length: usize) -> Result<Compound<'e, 'a>, EncodeError> {
        Compound::open(self, Kind::Array, Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Compound<'e, 'a>, EncodeError> {
        Compound::open(self, Kind::Array, Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'e, 'a>, EncodeError> {
        self.enter()?;
        Head::Map(1).write(self.out);
        (&mut *self).serialize_str(variant)?;
        Compound::open(self, Kind::VariantArray, Some(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Compound<'e, 'a>, EncodeError> {
        Compound::open(self, Kind::Map, length)
    }

    fn serialize_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Compound<'e, 'a>, EncodeError> {
        Compound::open(self, Kind::Map, Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'e, 'a>, EncodeError> {
        self.enter()?;
        Head::Map(1).write(self.out);
        (&mut *self).serialize_str(variant)?;
        Compound::open(self, Kind::VariantMap, Some(length))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl ser::SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.element(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

impl ser::SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.element(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.element(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.element(value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

impl ser::SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.key(key)?;
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        ser::SerializeStruct::serialize_field(self, key, value)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

/// Bytes, which serde takes for a list of numbers otherwise.
struct Binary<'a>(&'a [u8]);

impl Serialize for Binary<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl Serialize for Ext<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.code < 0 {
            let code = self.code;
            return Err(ser::Error::custom(format!("extension {code}, expected 0 to 127")));
        }
        serialize_ext(self.code, self.data, serializer)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { seconds, nanoseconds } = *self;
        if nanoseconds >= NANOSECONDS {
            return Err(ser::Error::custom(format!(
                "timestamp with {nanoseconds} nanoseconds, expected less than a second"
            )));
        }
        match (u32::try_from(seconds), u64::try_from(seconds)) {
            (Ok(seconds), _) if nanoseconds == 0 => {
                serialize_ext(TIMESTAMP, &seconds.to_be_bytes(), serializer)
            }
            (_, Ok(seconds)) if seconds < 1 << 34 => {
                let both = u64::from(nanoseconds) << 34 | seconds;
                serialize_ext(TIMESTAMP, &both.to_be_bytes(), serializer)
            }
            _ => {
                let mut data = nanoseconds.to_be_bytes().to_vec();
                data.extend_from_slice(&seconds.to_be_bytes());
                serialize_ext(TIMESTAMP, &data, serializer)
            }
        }
    }
}

fn serialize_ext<S: ser::Serializer>(
    code: i8,
    data: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let bytes = [&[code as u8], data].concat();
    serializer.serialize_newtype_struct(EXT_NAME, &Binary(&bytes))
}

impl Serialize for Value<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_content(*self, &mut self.content(), serializer)
    }
}

impl Serialize for Walk<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reader = self.start;
        let value = Value::read(&mut reader);
        let serialized = serialize_content(value, &mut reader, serializer)?;
        self.end.set(Some(reader));
        Ok(serialized)
    }
}

/// Serialises a value, and goes past its content on the way.
fn serialize_content<'a, S: ser::Serializer>(
    value: Value<'a>,
    content: &mut Reader<'a>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Value::Nil => serializer.serialize_unit(),
        Value::Bool(value) => serializer.serialize_bool(value),
        Value::Int(number) => serializer.serialize_i64(number),
        Value::UInt(number) => serializer.serialize_u64(number),
        Value::Float(number) => serializer.serialize_f64(number),
        Value::Text(text) => serializer.serialize_str(text),
        Value::Binary(bytes) => serializer.serialize_bytes(bytes),
        Value::Array(array) => {
            let mut elements = serializer.serialize_seq(Some(array.len()))?;
            for _ in 0..array.len() {
                let element = Walk::from(content);
                elements.serialize_element(&element)?;
                *content = element.rest();
            }
            elements.end()
        }
        Value::Map(map) => {
            let mut entries = serializer.serialize_map(Some(map.len()))?;
            for _ in 0..map.len() {
                let key = Walk::from(content);
                entries.serialize_key(&key)?;
                let value = Walk::from(&key.rest());
                entries.serialize_value(&value)?;
                *content = value.rest();
            }
            entries.end()
        }
        Value::Ext(ext) => ext.serialize(serializer),
        Value::Timestamp(timestamp) => timestamp.serialize(serializer),
    }
}

/// Bytes of the length in front of a payload.
pub(super) const LENGTH_BYTES: usize = 4;

/// How an extension tells the encoder that its bytes are one.
const EXT_NAME: &str = "heartwire::repod::Ext";

/// Most messages fit without growing.
const TYPICAL_BYTES: usize = 128;
