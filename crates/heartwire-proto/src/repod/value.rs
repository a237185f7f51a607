//! Values, read where they lie.
//!
//! A payload is checked once, whole, when it arrives: it is well-formed, its texts are UTF-8, it is not
//! nested too deep. After that a [`Value`] borrows from it, and arrays and maps are read as they are
//! walked through: a message costs no more memory than its bytes, whatever its counts announce.

use std::cell::Cell;
use std::fmt::{self, Write};

use super::head::{Head, HeadError};

/// A value of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer up to 2^63 - 1.
    Int(i64),
    /// An integer above 2^63 - 1.
    UInt(u64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// Values in order.
    Array(Array<'a>),
    /// Pairs of values in order.
    Map(Map<'a>),
    /// A value of a kind that the application has defined.
    Ext(Ext<'a>),
    /// A moment.
    Timestamp(Timestamp),
}

/// An array of a message.
#[derive(Clone, Copy, PartialEq)]
pub struct Array<'a> {
    length: usize,
    /// The elements, and whatever follows them in the payload.
    bytes: &'a [u8],
}

/// A map of a message.
#[derive(Clone, Copy, PartialEq)]
pub struct Map<'a> {
    length: usize,
    /// The pairs, and whatever follows them in the payload.
    bytes: &'a [u8],
}

/// A value of a kind that the application has defined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ext<'a> {
    /// Which kind, from 0 to 127.
    pub code: i8,
    /// What it is.
    pub data: &'a [u8],
}

/// A moment: time since the beginning of 1970, in UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds beyond, below 1 000 000 000.
    pub nanoseconds: u32,
}

impl<'a> Value<'a> {
    /// The text, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if it is some. A text is none.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        if let Self::Binary(bytes) = self { Some(bytes) } else { None }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(self) -> Option<i64> {
        if let Self::Int(number) = self { Some(number) } else { None }
    }

    /// The integer, if it is one that fits.
    pub fn as_u64(self) -> Option<u64> {
        if let Self::UInt(number) = self {
            return Some(number);
        }
        self.as_i64()?.try_into().ok()
    }

    /// The number, if it is one. Large integers lose digits.
    pub fn as_f64(self) -> Option<f64> {
        if let Self::Float(number) = self {
            return Some(number);
        }
        self.as_i64().map(|number| number as f64).or(self.as_u64().map(|number| number as f64))
    }

    /// True or false, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(value) } else { None }
    }

    /// The array, if it is one.
    pub fn as_array(self) -> Option<Array<'a>> {
        if let Self::Array(array) = self { Some(array) } else { None }
    }

    /// The map, if it is one.
    pub fn as_map(self) -> Option<Map<'a>> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// Reads a value from the start of checked bytes. Content of arrays and maps is left unread.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Self {
        match reader.head() {
            Head::Nil => Self::Nil,
            Head::Bool(value) => Self::Bool(value),
            Head::Int(number) => Self::Int(number),
            Head::UInt(number) => Self::UInt(number),
            Head::Float(number) => Self::Float(number),
            Head::Str(length) => Self::Text(reader.text(length)),
            Head::Bin(length) => Self::Binary(reader.take(length)),
            Head::Array(length) => Self::Array(Array { length, bytes: reader.bytes }),
            Head::Map(length) => Self::Map(Map { length, bytes: reader.bytes }),
            Head::Ext(code, length) => ext(code, reader.take(length)).expect("it was checked"),
        }
    }
}

/// Names in the way of Python, which is what action names are made of.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => f.write_str(text),
            None => self.python_repr(f),
        }
    }
}

impl<'a> Value<'a> {
    fn python_repr(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.python_repr_of(&mut self.content(), f)
    }

    /// Goes past the content, which lies at the reader, on the way: each byte is read once, however deep it
    /// lies.
    fn python_repr_of(self, content: &mut Reader<'a>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(number) => write!(f, "{number}"),
            Self::UInt(number) => write!(f, "{number}"),
            Self::Float(number) => python_float(number, f),
            Self::Text(text) => write!(f, "'{}'", text.escape_debug()),
            Self::Binary(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
            Self::Array(array) => {
                f.write_str("[")?;
                for index in 0..array.length {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    Self::read(content).python_repr_of(content, f)?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for index in 0..map.length {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    Self::read(content).python_repr_of(content, f)?;
                    f.write_str(": ")?;
                    Self::read(content).python_repr_of(content, f)?;
                }
                f.write_str("}")
            }
            Self::Ext(Ext { code, data }) => {
                write!(f, "ExtType(code={code}, data=b'{}')", data.escape_ascii())
            }
            Self::Timestamp(Timestamp { seconds, nanoseconds }) => {
                write!(f, "Timestamp(seconds={seconds}, nanoseconds={nanoseconds})")
            }
        }
    }

    /// Where the elements of arrays and maps are read.
    pub(super) fn content(self) -> Reader<'a> {
        match self {
            Self::Array(Array { bytes, .. }) | Self::Map(Map { bytes, .. }) => Reader { bytes },
            Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::UInt(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Binary(_)
            | Self::Ext(_)
            | Self::Timestamp(_) => Reader { bytes: &[] },
        }
    }

    /// What [`Display`](fmt::Display) writes, if it takes no more than 256 bytes, and otherwise the
    /// beginning of that and `…`. No more of the value is read.
    pub fn excerpt(self) -> String {
        let mut excerpt = Excerpt(String::new());
        if write!(excerpt, "{self}").is_err() {
            excerpt.0.push('…');
        }
        excerpt.0
    }
}

/// A text that refuses to grow beyond [`MAX_EXCERPT_BYTES`].
struct Excerpt(String);

impl Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut end = text.len().min(MAX_EXCERPT_BYTES - self.0.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push_str(&text[..end]);
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

fn python_float(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if number.is_nan() {
        f.write_str("nan")
    } else if number.is_infinite() {
        f.write_str(if number > 0.0 { "inf" } else { "-inf" })
    } else {
        let magnitude = number.abs();
        if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
            // Python writes exponents with a sign and two digits at least.
            let text = format!("{number:e}");
            let (mantissa, exponent) = text.split_once('e').expect("`e` asks for one");
            let exponent: i32 = exponent.parse().expect("it is a small integer");
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        } else {
            write!(f, "{number:?}")
        }
    }
}

impl<'a> Array<'a> {
    /// The number of elements.
    pub fn len(self) -> usize {
        self.length
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The elements. Walking through an array of arrays walks over the inner ones each time: for deep
    /// structures, [`Message::parse`](super::Message::parse) reads everything once.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        let mut reader = Reader { bytes: self.bytes };
        (0..self.length).map(move |_| reader.next_value())
    }
}

impl<'a> Map<'a> {
    /// The number of pairs.
    pub fn len(self) -> usize {
        self.length
    }

    /// Whether there are no pairs.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The pairs, in the order in which they were sent; a key that was sent twice is there twice.
    pub fn iter(self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        let mut reader = Reader { bytes: self.bytes };
        (0..self.length).map(move |_| (reader.next_value(), reader.next_value()))
    }

    /// The value behind a key that is text. Of a key that was sent twice, the last value counts.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.iter().filter(|(other, _)| other.as_str() == Some(key)).last().map(|(_, value)| value)
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_content(Value::Array(*self), &mut Reader { bytes: self.bytes }, f)
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_content(Value::Map(*self), &mut Reader { bytes: self.bytes }, f)
    }
}

/// Writes what a value holds, and goes past it if that succeeds.
fn debug_content<'a>(
    value: Value<'a>,
    content: &mut Reader<'a>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    if let Value::Array(array) = value {
        let mut list = f.debug_list();
        for _ in 0..array.length {
            let element = Walk::from(content);
            list.entry(&element);
            let Some(end) = element.end.get() else { break };
            *content = end;
        }
        list.finish()
    } else if let Value::Map(map) = value {
        let mut entries = f.debug_map();
        for _ in 0..map.length {
            let key = Walk::from(content);
            entries.key(&key);
            let Some(start) = key.end.get() else { break };
            let value = Walk::from(&start);
            entries.value(&value);
            let Some(end) = value.end.get() else { break };
            *content = end;
        }
        entries.finish()
    } else {
        fmt::Debug::fmt(&value, f)
    }
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// What is in the parentheses of `Array(…)` and `Map(…)`.
        struct Content<'c, 'a>(Value<'a>, &'c Cell<Reader<'a>>);

        impl fmt::Debug for Content<'_, '_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self(value, place) = *self;
                let mut reader = place.get();
                debug_content(value, &mut reader, f)?;
                place.set(reader);
                Ok(())
            }
        }

        let mut reader = self.start;
        let value = Value::read(&mut reader);
        let place = Cell::new(reader);
        let content = Content(value, &place);
        if value.as_array().is_some() {
            f.debug_tuple("Array").field(&content).finish()?;
        } else if value.as_map().is_some() {
            f.debug_tuple("Map").field(&content).finish()?;
        } else {
            content.fmt(f)?;
        }
        self.end.set(Some(place.get()));
        Ok(())
    }
}

/// The next value of a reader, which tells where it has ended once it was walked through: who wants what
/// follows does not walk again. Without that, a byte would be read as often as arrays lie around it.
pub(super) struct Walk<'a> {
    pub(super) start: Reader<'a>,
    pub(super) end: Cell<Option<Reader<'a>>>,
}

impl<'a> Walk<'a> {
    pub(super) fn from(reader: &Reader<'a>) -> Self {
        Self { start: *reader, end: Cell::new(None) }
    }

    /// What follows the value.
    pub(super) fn rest(&self) -> Reader<'a> {
        self.end.get().unwrap_or_else(|| {
            let mut reader = self.start;
            reader.next_value();
            reader
        })
    }
}

/// A place in bytes that were checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a value and goes on to the next, past its content.
    pub(super) fn next_value(&mut self) -> Value<'a> {
        let value = Value::read(self);
        if let Value::Array(array) = value {
            self.skip(array.length);
        } else if let Value::Map(map) = value {
            self.skip(2 * map.length);
        }
        value
    }

    /// Goes past `count` values and their content.
    pub(super) fn skip(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            left -= 1;
            match self.head() {
                Head::Str(length) | Head::Bin(length) | Head::Ext(_, length) => {
                    self.take(length);
                }
                Head::Array(length) => left += length,
                Head::Map(length) => left += 2 * length,
                Head::Nil | Head::Bool(_) | Head::Int(_) | Head::UInt(_) | Head::Float(_) => {}
            }
        }
    }

    #[inline]
    fn head(&mut self) -> Head {
        let (head, width) = Head::read(self.bytes).expect("it was checked");
        self.bytes = &self.bytes[width..];
        head
    }

    #[inline]
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        taken
    }

    #[inline]
    fn text(&mut self, length: usize) -> &'a str {
        simdutf8::basic::from_utf8(self.take(length)).expect("it was checked")
    }
}

/// Checks that `bytes` are one value, and nothing more. If it is a map with the text `key` as key, says
/// where the value behind it starts: the last one, if there are several.
pub(super) fn check(bytes: &[u8], key: &str) -> Result<Option<usize>, DecodeError> {
    let mut rest = bytes;
    if rest.is_empty() {
        return Err(DecodeError::Empty);
    }
    let mut found = None;
    let head = check_head(&mut rest)?;
    if let Head::Map(length) = head {
        for _ in 0..length {
            let is_key = if let Some(name) = check_name(&mut rest) {
                name == key.as_bytes()
            } else {
                let head = check_key(&mut rest)?;
                let start = rest;
                check_content(&mut rest, head, 1)?;
                matches!(head, Head::Str(length) if start[..length] == *key.as_bytes())
            };
            if is_key {
                found = Some(bytes.len() - rest.len());
            }
            check_value(&mut rest, 1)?;
        }
    } else {
        check_content(&mut rest, head, 0)?;
    }
    match rest.len() {
        0 => Ok(found),
        count => Err(DecodeError::TrailingBytes(count)),
    }
}

/// Passes over a short text in ASCII, which nearly all keys are, and many values.
#[inline]
fn check_name<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (marker @ 0xa0..=0xbf, content) = rest.split_first()? else { return None };
    let (name, left) = content.split_at_checked(usize::from(marker & 0x1f))?;
    name.is_ascii().then(|| {
        *rest = left;
        name
    })
}

fn check_value(rest: &mut &[u8], depth: usize) -> Result<(), DecodeError> {
    if check_name(rest).is_some() {
        return Ok(());
    }
    let head = check_head(rest)?;
    check_content(rest, head, depth)
}

fn check_head(rest: &mut &[u8]) -> Result<Head, DecodeError> {
    let (head, width) = Head::read(rest).map_err(|error| match error {
        HeadError::Truncated => DecodeError::Truncated,
        HeadError::Reserved => DecodeError::ReservedMarker,
    })?;
    *rest = &rest[width..];
    Ok(head)
}

#[inline]
fn check_content(rest: &mut &[u8], head: Head, depth: usize) -> Result<(), DecodeError> {
    match head {
        Head::Nil | Head::Bool(_) | Head::Int(_) | Head::UInt(_) | Head::Float(_) => Ok(()),
        Head::Str(length) => {
            let text = check_take(rest, length)?;
            // Many are not long, and that is the shorter way for them.
            let is_text = text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok();
            if is_text { Ok(()) } else { Err(DecodeError::InvalidUtf8) }
        }
        Head::Bin(length) => check_take(rest, length).map(drop),
        Head::Ext(code, length) => ext(code, check_take(rest, length)?).map(drop),
        Head::Array(_) | Head::Map(_) if depth == MAX_DEPTH => Err(DecodeError::TooDeep),
        Head::Array(length) => (0..length).try_for_each(|_| check_value(rest, depth + 1)),
        Head::Map(length) => (0..length).try_for_each(|_| {
            let key = check_key(rest)?;
            check_content(rest, key, depth + 1)?;
            check_value(rest, depth + 1)
        }),
    }
}

fn check_key(rest: &mut &[u8]) -> Result<Head, DecodeError> {
    let head = check_head(rest)?;
    if let Head::Array(_) | Head::Map(_) = head { Err(DecodeError::CompoundKey) } else { Ok(head) }
}

fn check_take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *rest = left;
    Ok(taken)
}

/// Reads the content of an extension.
pub(super) fn ext(code: i8, data: &[u8]) -> Result<Value<'_>, DecodeError> {
    match code {
        0.. => Ok(Value::Ext(Ext { code, data })),
        TIMESTAMP => timestamp(data).map(Value::Timestamp).ok_or(DecodeError::InvalidTimestamp),
        _ => Err(DecodeError::ReservedExt(code)),
    }
}

fn timestamp(data: &[u8]) -> Option<Timestamp> {
    let (seconds, nanoseconds) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(data.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            ((both & ((1 << 34) - 1)) as i64, (both >> 34) as u32)
        }
        12 => {
            let (nanoseconds, seconds) = data.split_first_chunk::<4>()?;
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds, u32::from_be_bytes(*nanoseconds))
        }
        _ => return None,
    };
    (nanoseconds < NANOSECONDS).then_some(Timestamp { seconds, nanoseconds })
}

/// Why a payload is no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A map has an array or a map as key, which no language can look up.
    CompoundKey,
    /// There is nothing.
    Empty,
    /// A text is not UTF-8.
    InvalidUtf8,
    /// An extension that says it is a moment has the wrong length, or a second of nanoseconds.
    InvalidTimestamp,
    /// An extension has a negative code, which msgpack reserves.
    ReservedExt(i8),
    /// The byte that msgpack leaves unused.
    ReservedMarker,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Bytes follow the value.
    TrailingBytes(usize),
    /// It ends before its end.
    Truncated,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CompoundKey => f.write_str("map with an array or a map as key"),
            Self::Empty => f.write_str("empty frame"),
            Self::InvalidUtf8 => f.write_str("text that is not UTF-8"),
            Self::InvalidTimestamp => f.write_str("timestamp that cannot be read"),
            Self::ReservedExt(code) => write!(f, "extension {code}, expected 0 to 127"),
            Self::ReservedMarker => f.write_str("byte 0xc1, which msgpack does not use"),
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH}"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes behind the value"),
            Self::Truncated => f.write_str("value that ends before its end"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// How deep arrays and maps may be nested.
pub const MAX_DEPTH: usize = 512;

/// The extension code of moments.
pub(super) const TIMESTAMP: i8 = -1;

pub(super) const NANOSECONDS: u32 = 1_000_000_000;

/// Bytes of a value that are shown.
const MAX_EXCERPT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_values() {
        use DecodeError as E;
        refused(b"", E::Empty);
        refused(b"\xc1", E::ReservedMarker);
        refused(b"\xa1\xff", E::InvalidUtf8);
        refused(b"\x01\x02", E::TrailingBytes(1));
        refused(b"\x92\x01", E::Truncated);
        refused(b"\x81\x90\x01", E::CompoundKey);
        refused(b"\x81\x80\x01", E::CompoundKey);
        refused(b"\xd4\xfe\x01", E::ReservedExt(-2));
        refused(b"\xd4\xff\x01", E::InvalidTimestamp);
        refused(
            b"\xc7\x0c\xff\x3b\x9a\xca\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            E::InvalidTimestamp,
        );
    }

    #[test]
    fn counts_that_lie_cost_nothing() {
        for bomb in [
            &b"\xdd\xff\xff\xff\xff"[..],
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
            b"\xc9\xff\xff\xff\xff\x05",
        ] {
            refused(bomb, DecodeError::Truncated);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
        assert_eq!(check(&nested(MAX_DEPTH), ""), Ok(None));
        assert_eq!(check(&nested(MAX_DEPTH + 1), ""), Err(DecodeError::TooDeep));
        assert_eq!(check(&vec![0x91; 10_000_000], ""), Err(DecodeError::TooDeep));
    }

    #[test]
    fn the_last_of_two_keys_counts() {
        let map = value(b"\x83\xa1x\x01\xa1y\x02\xa1x\x03").as_map().unwrap();
        assert_eq!(map.get("x"), Some(Value::Int(3)));
        assert_eq!(map.get("z"), None);
        assert_eq!(map.len(), 3);
    }

    #[test]
    fn content_is_walked_past() {
        let array = value(b"\x93\x92\x01\x81\xa1k\x90\xc4\x01z\xa2ok").as_array().unwrap();
        assert_eq!(array.iter().last().and_then(Value::as_str), Some("ok"));
        assert_eq!(Value::Array(array).to_string(), "[[1, {'k': []}], b'z', 'ok']");
    }

    #[test]
    fn names_are_pythons() {
        // `str()` of CPython.
        named(b"\xa1a", "a");
        named(b"\x05", "5");
        named(b"\xc0", "None");
        named(b"\xc3", "True");
        named(b"\xc4\x01a", "b'a'");
        named(b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5");
        named(b"\xcb\x40\x00\x00\x00\x00\x00\x00\x00", "2.0");
        named(b"\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", "1e+300");
        named(b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "inf");
        named(b"\x92\x01\xa1x", "[1, 'x']");
    }

    #[test]
    fn excerpts_are_short() {
        assert_eq!(value(b"\x92\x01\xa1x").excerpt(), "[1, 'x']");
        let long = [&b"\xda\x01\x01"[..], "a".repeat(257).as_bytes()].concat();
        assert_eq!(value(&long).excerpt(), "a".repeat(256) + "…");
        let wide = [&b"\xda\x02\x57"[..], "a".as_bytes(), "ż".repeat(299).as_bytes()].concat();
        assert_eq!(value(&wide).excerpt(), "a".to_owned() + &"ż".repeat(127) + "…");
    }

    #[test]
    fn debugging_shows_values_and_their_kinds() {
        let bytes = b"\x82\xa1k\x92\x01\x81\xc0\xc3\x05\x90";
        let expected =
            r#"Map({Text("k"): Array([Int(1), Map({Nil: Bool(true)})]), Int(5): Array([])})"#;
        assert_eq!(format!("{:?}", value(bytes)), expected);
    }

    #[test]
    fn a_writer_that_refuses_ends_the_walk() {
        struct Refusing(usize);
        impl Write for Refusing {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
                Ok(())
            }
        }
        let value = value(b"\x82\xa1k\x92\x01\x81\xc0\xc3\x05\x90");
        for room in 0..format!("{value:?}").len() {
            assert!(write!(Refusing(room), "{value:?}").is_err());
        }
    }

    #[track_caller]
    fn named(bytes: &[u8], expected: &str) {
        assert_eq!(value(bytes).to_string(), expected);
    }

    fn value(bytes: &[u8]) -> Value<'_> {
        check(bytes, "").unwrap();
        Value::read(&mut Reader { bytes })
    }

    #[track_caller]
    fn refused(bytes: &[u8], expected: DecodeError) {
        assert_eq!(check(bytes, ""), Err(expected));
    }
}
