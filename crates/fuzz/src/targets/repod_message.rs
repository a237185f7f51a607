//! msgpack against rmpv: the same values from the same bytes and the same bytes for the same values, and
//! what one refuses and the other takes is what repod refuses.

use arbitrary::{Result, Unstructured};
use heartwire_proto::repod::{DecodeError, Frame, MAX_DEPTH, MessageRef, Token, Tokens, Value};
use serde::de::IgnoredAny;

use crate::memory;

/// A byte, then what it says: bytes to read, or what a value is made of.
pub(super) fn target(data: &[u8]) {
    match data.split_first() {
        Some((0..=127, bytes)) => read(bytes),
        Some((_, bytes)) => {
            let Ok(value) = value(&mut Unstructured::new(bytes), 0) else { return };
            let map = rmpv::Value::Map(vec![("action".into(), "x".into()), ("v".into(), value)]);
            let mut bytes = vec![];
            rmpv::encode::write_value(&mut bytes, &map).unwrap();
            let message = MessageRef::decode(&bytes).unwrap().unwrap();
            assert_eq!(message.to_frame().as_bytes()[4..], bytes);
            assert_eq!(Frame::encode(&message).unwrap().as_bytes()[4..], bytes, "{map}");
            read(&bytes);
        }
        None => {}
    }
}

fn read(bytes: &[u8]) {
    let (decoded, taken) = memory::count(|| MessageRef::decode(bytes));
    assert_eq!(taken.count, 0, "nothing is copied to check it");
    let mut rest = bytes;
    let (theirs, _) =
        memory::count(|| rmpv::decode::read_value_with_max_depth(&mut rest, 4 * MAX_DEPTH).ok());
    let message = match (decoded, &theirs) {
        (Ok(message), Some(theirs)) => {
            assert!(rest.is_empty(), "{} bytes are left", rest.len());
            assert_eq!(message.is_some(), has_action(theirs), "{theirs}");
            message
        }
        (Ok(_), None) => panic!("rmpv cannot read it"),
        (Err(error), theirs) => return check_refusal(error, theirs.as_ref(), bytes, rest),
    };
    let Some(message) = message else { return };
    let map = Value::Map(message.map());
    assert!(theirs.is_some_and(|theirs| is_same(map, &theirs)), "{map:?}");
    assert_eq!(message.to_message().as_message_ref(), message);

    let (_, taken) = memory::count(|| message.action());
    assert!(taken.peak <= 32 * bytes.len() + 256, "{taken:?} for {} bytes", bytes.len());
    let again = Frame::encode(&message).unwrap();
    let read_again = MessageRef::decode(&again.as_bytes()[4..]).unwrap().unwrap();
    assert!(is_equal(map, Value::Map(read_again.map())), "{map:?} is written differently");
    assert_eq!(Frame::encode(&read_again).unwrap(), again);
    assert!(again.len() <= 4 + 2 * bytes.len(), "{} of {} bytes", again.len(), bytes.len());

    message.parse::<IgnoredAny>().unwrap();
    // It has texts as keys, or it has not.
    let (_, taken) = memory::count(|| message.parse::<serde_json::Value>());
    assert!(taken.peak <= 128 * bytes.len() + 1024, "{taken:?} for {} bytes", bytes.len());
    let _ = message.parse::<Shape>();
    walk(bytes);
}

/// A message with something of everything that types have.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "it is only read")]
struct Shape {
    action: String,
    v: Option<Kind>,
    x: Option<(i64, f32)>,
    y: Option<Vec<u8>>,
    z: Option<u8>,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "it is only read")]
enum Kind {
    Unit,
    Newtype(char),
    Tuple(i8, bool),
    Struct { a: u64 },
}

/// Tokens end where the value ends.
fn walk(bytes: &[u8]) {
    let mut tokens = Tokens::new(bytes);
    let mut left = 1;
    while left > 0 {
        left -= 1;
        left += match tokens.next_token().unwrap() {
            Token::Array(count) => count,
            Token::Map(count) => 2 * count,
            _ => 0,
        };
    }
    assert!(tokens.rest().is_empty());
}

/// Whether it is a map with the text `action` as a key.
fn has_action(value: &rmpv::Value) -> bool {
    value.as_map().is_some_and(|pairs| pairs.iter().any(|(key, _)| key.as_str() == Some("action")))
}

/// A refusal has its reason.
fn check_refusal(error: DecodeError, theirs: Option<&rmpv::Value>, bytes: &[u8], rest: &[u8]) {
    let Some(theirs) = theirs else {
        // The first fault that each of them meets may be another.
        assert_eq!(error == DecodeError::Empty, bytes.is_empty());
        return;
    };
    let faults = Faults::of(theirs);
    let is_right = match error {
        // rmpv takes it for nil.
        DecodeError::ReservedMarker => bytes.contains(&0xc1),
        DecodeError::TrailingBytes(count) => count == rest.len() && count > 0,
        DecodeError::CompoundKey => faults.compound_key,
        DecodeError::InvalidUtf8 => faults.invalid_utf8,
        DecodeError::ReservedExt(_) => faults.reserved_ext,
        DecodeError::InvalidTimestamp => faults.timestamp,
        DecodeError::TooDeep => faults.depth > MAX_DEPTH,
        _ => false,
    };
    assert!(is_right, "{error}: {theirs}");
}

/// What repod refuses and rmpv takes.
#[derive(Default)]
struct Faults {
    compound_key: bool,
    invalid_utf8: bool,
    reserved_ext: bool,
    timestamp: bool,
    depth: usize,
}

impl Faults {
    fn of(value: &rmpv::Value) -> Self {
        let mut faults = Self::default();
        faults.add(value, 0);
        faults
    }

    fn add(&mut self, value: &rmpv::Value, depth: usize) {
        self.depth = self.depth.max(depth);
        match value {
            rmpv::Value::String(text) => self.invalid_utf8 |= !text.is_str(),
            rmpv::Value::Ext(-1, _) => self.timestamp = true,
            rmpv::Value::Ext(code, _) => self.reserved_ext |= *code < 0,
            rmpv::Value::Array(values) => {
                self.depth = self.depth.max(depth + 1);
                values.iter().for_each(|value| self.add(value, depth + 1));
            }
            rmpv::Value::Map(pairs) => {
                self.depth = self.depth.max(depth + 1);
                for (key, value) in pairs {
                    self.compound_key |= key.is_map() || key.is_array();
                    self.add(key, depth + 1);
                    self.add(value, depth + 1);
                }
            }
            _ => {}
        }
    }
}

/// Whether a value of ours is one of theirs.
fn is_same(ours: Value<'_>, theirs: &rmpv::Value) -> bool {
    match (ours, theirs) {
        (Value::Nil, rmpv::Value::Nil) => true,
        (Value::Bool(ours), rmpv::Value::Boolean(theirs)) => ours == *theirs,
        (Value::Int(ours), rmpv::Value::Integer(theirs)) => Some(ours) == theirs.as_i64(),
        (Value::UInt(ours), rmpv::Value::Integer(theirs)) => {
            theirs.as_i64().is_none() && Some(ours) == theirs.as_u64()
        }
        (Value::Float(ours), rmpv::Value::F32(theirs)) => is_float(ours, f64::from(*theirs)),
        (Value::Float(ours), rmpv::Value::F64(theirs)) => is_float(ours, *theirs),
        (Value::Text(ours), rmpv::Value::String(theirs)) => Some(ours) == theirs.as_str(),
        (Value::Binary(ours), rmpv::Value::Binary(theirs)) => ours == theirs,
        (Value::Array(ours), rmpv::Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Map(ours), rmpv::Value::Map(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|((key, value), (their_key, their_value))| {
                    is_same(key, their_key) && is_same(value, their_value)
                })
        }
        (Value::Ext(ours), rmpv::Value::Ext(code, data)) => ours.code == *code && ours.data == data,
        (Value::Timestamp(ours), rmpv::Value::Ext(-1, data)) => {
            // MessagePack specification, § Timestamp extension type.
            let number = |bytes: &[u8]| {
                bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
            };
            let (seconds, nanoseconds) = match data.len() {
                4 => (number(data) as i64, 0),
                8 => ((number(data) % (1 << 34)) as i64, number(data) >> 34),
                _ => (number(&data[4..]) as i64, number(&data[..4])),
            };
            ours.seconds == seconds && u64::from(ours.nanoseconds) == nanoseconds
        }
        _ => false,
    }
}

/// Whether two values are one, where NaN is NaN.
fn is_equal(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => is_float(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(a, b)| is_equal(a, b))
        }
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other.iter())
                    .all(|((a, b), (c, d))| is_equal(a, c) && is_equal(b, d))
        }
        (one, other) => one == other,
    }
}

fn is_float(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
}

/// A value that both can write.
fn value(input: &mut Unstructured<'_>, depth: usize) -> Result<rmpv::Value> {
    let most = if depth < 20 { 11_u8 } else { 8 };
    Ok(match input.int_in_range(0..=most)? {
        0 => rmpv::Value::Nil,
        1 => input.arbitrary::<bool>()?.into(),
        2 => input.arbitrary::<i8>()?.into(),
        3 => input.arbitrary::<i64>()?.into(),
        4 => input.arbitrary::<u64>()?.into(),
        5 => rmpv::Value::F64(input.arbitrary()?),
        6 => String::from_utf8_lossy(run(input)?).into_owned().into(),
        7 => rmpv::Value::Binary(run(input)?.to_vec()),
        8 => {
            let code = input.int_in_range(0..=127_i8)?;
            rmpv::Value::Ext(code, run(input)?.to_vec())
        }
        9 => {
            let text = "long ".repeat(input.int_in_range(0..=200_usize)?);
            text.into()
        }
        10 => {
            let count = input.int_in_range(0..=40_u8)?;
            let values = (0..count).map(|_| value(input, depth + 1));
            rmpv::Value::Array(values.collect::<Result<_>>()?)
        }
        _ => {
            let count = input.int_in_range(0..=20_u8)?;
            // A key that holds something is none that Python takes.
            let pair = |_| Ok((value(input, 20)?, value(input, depth + 1)?));
            rmpv::Value::Map((0..count).map(pair).collect::<Result<_>>()?)
        }
    })
}

/// Some bytes behind their count.
fn run<'a>(input: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
    input.bytes(length)
}
