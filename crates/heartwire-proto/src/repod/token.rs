//! Values in pieces, for who makes objects of another language of them.

use super::head::{Head, HeadError};
use super::value::{self, DecodeError, Ext, Timestamp, Value};

/// A value, or the beginning of one: the elements of arrays and maps follow as tokens of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
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
    /// Text. It is not checked to be UTF-8: whoever makes a text of it does that.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
    /// So many values follow. They may be announced, and not be there.
    Array(usize),
    /// So many pairs of values follow. They may be announced, and not be there.
    Map(usize),
    /// A value of a kind that the application has defined.
    Ext(Ext<'a>),
    /// A moment.
    Timestamp(Timestamp),
}

/// Reads bytes as msgpack, token by token, without a copy. It knows no depth: whoever reads arrays of
/// arrays bounds it.
///
/// ```
/// use heartwire_proto::repod::{Token, Tokens};
///
/// let mut tokens = Tokens::new(b"\x92\x01\xc3");
/// assert_eq!(tokens.next_token(), Ok(Token::Array(2)));
/// assert_eq!(tokens.next_token(), Ok(Token::Int(1)));
/// assert_eq!(tokens.next_token(), Ok(Token::Bool(true)));
/// assert!(tokens.rest().is_empty());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads the next token.
    ///
    /// # Errors
    ///
    /// The bytes end before it does, or are no msgpack there.
    #[inline]
    pub fn next_token(&mut self) -> Result<Token<'a>, DecodeError> {
        let (head, width) = Head::read(self.rest).map_err(|error| match error {
            HeadError::Truncated => DecodeError::Truncated,
            HeadError::Reserved => DecodeError::ReservedMarker,
        })?;
        self.rest = &self.rest[width..];
        Ok(match head {
            Head::Nil => Token::Nil,
            Head::Bool(value) => Token::Bool(value),
            Head::Int(number) => Token::Int(number),
            Head::UInt(number) => Token::UInt(number),
            Head::Float(number) => Token::Float(number),
            Head::Str(length) => Token::Text(self.take(length)?),
            Head::Bin(length) => Token::Binary(self.take(length)?),
            Head::Array(length) => Token::Array(length),
            Head::Map(length) => Token::Map(length),
            Head::Ext(code, length) => {
                let ext = value::ext(code, self.take(length)?)?;
                if let Value::Timestamp(timestamp) = ext {
                    Token::Timestamp(timestamp)
                } else if let Value::Ext(ext) = ext {
                    Token::Ext(ext)
                } else {
                    unreachable!("an extension is one of the two")
                }
            }
        })
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_pieces() {
        let mut tokens =
            Tokens::new(b"\x81\xa1k\x93\xc4\x01z\xd4\x05\x07\xd6\xff\x00\x00\x00\x09\xc0");
        let expected = [
            Token::Map(1),
            Token::Text(b"k"),
            Token::Array(3),
            Token::Binary(b"z"),
            Token::Ext(Ext { code: 5, data: b"\x07" }),
            Token::Timestamp(Timestamp { seconds: 9, nanoseconds: 0 }),
            Token::Nil,
        ];
        for token in expected {
            assert_eq!(tokens.next_token(), Ok(token));
        }
        assert_eq!(tokens.next_token(), Err(DecodeError::Truncated));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        refused(b"", DecodeError::Truncated);
        refused(b"\xa2x", DecodeError::Truncated);
        refused(b"\xc6\xff\xff\xff\xff", DecodeError::Truncated);
        refused(b"\xc1", DecodeError::ReservedMarker);
        refused(b"\xd4\xfe\x01", DecodeError::ReservedExt(-2));
        refused(b"\xd4\xff\x01", DecodeError::InvalidTimestamp);
    }

    #[track_caller]
    fn refused(bytes: &[u8], expected: DecodeError) {
        assert_eq!(Tokens::new(bytes).next_token(), Err(expected));
    }
}
