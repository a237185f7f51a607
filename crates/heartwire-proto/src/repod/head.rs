//! The first bytes of a msgpack value: what it is, and how long.
//!
//! Source: MessagePack specification, § Formats.

/// What a value is. Of those with content, the content follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Head {
    Nil,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Str(usize),
    Bin(usize),
    Array(usize),
    Map(usize),
    Ext(i8, usize),
}

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HeadError {
    Truncated,
    /// The one byte that msgpack leaves unused.
    Reserved,
}

impl Head {
    /// Reads a head from the start of `bytes`, and says how many bytes it took.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), HeadError> {
        let (&marker, rest) = bytes.split_first().ok_or(HeadError::Truncated)?;
        let (head, width) = match marker {
            0x00..=0x7f => (Self::Int(i64::from(marker)), 0),
            0x80..=0x8f => (Self::Map(usize::from(marker & 0x0f)), 0),
            0x90..=0x9f => (Self::Array(usize::from(marker & 0x0f)), 0),
            0xa0..=0xbf => (Self::Str(usize::from(marker & 0x1f)), 0),
            0xc0 => (Self::Nil, 0),
            0xc1 => return Err(HeadError::Reserved),
            0xc2 => (Self::Bool(false), 0),
            0xc3 => (Self::Bool(true), 0),
            0xc4 => (Self::Bin(u8_at(rest)?), 1),
            0xc5 => (Self::Bin(u16_at(rest)?), 2),
            0xc6 => (Self::Bin(u32_at(rest)?), 4),
            0xc7 => (Self::Ext(i8_at(rest, 1)?, u8_at(rest)?), 2),
            0xc8 => (Self::Ext(i8_at(rest, 2)?, u16_at(rest)?), 3),
            0xc9 => (Self::Ext(i8_at(rest, 4)?, u32_at(rest)?), 5),
            0xca => (Self::Float(f64::from(f32::from_be_bytes(take(rest)?))), 4),
            0xcb => (Self::Float(f64::from_be_bytes(take(rest)?)), 8),
            0xcc => (Self::Int(u8_at(rest)? as i64), 1),
            0xcd => (Self::Int(u16_at(rest)? as i64), 2),
            0xce => (Self::Int(i64::from(u32::from_be_bytes(take(rest)?))), 4),
            0xcf => {
                let number = u64::from_be_bytes(take(rest)?);
                (i64::try_from(number).map_or(Self::UInt(number), Self::Int), 8)
            }
            0xd0 => (Self::Int(i64::from(i8::from_be_bytes(take(rest)?))), 1),
            0xd1 => (Self::Int(i64::from(i16::from_be_bytes(take(rest)?))), 2),
            0xd2 => (Self::Int(i64::from(i32::from_be_bytes(take(rest)?))), 4),
            0xd3 => (Self::Int(i64::from_be_bytes(take(rest)?)), 8),
            0xd4..=0xd8 => (Self::Ext(i8_at(rest, 0)?, 1 << (marker - 0xd4)), 1),
            0xd9 => (Self::Str(u8_at(rest)?), 1),
            0xda => (Self::Str(u16_at(rest)?), 2),
            0xdb => (Self::Str(u32_at(rest)?), 4),
            0xdc => (Self::Array(u16_at(rest)?), 2),
            0xdd => (Self::Array(u32_at(rest)?), 4),
            0xde => (Self::Map(u16_at(rest)?), 2),
            0xdf => (Self::Map(u32_at(rest)?), 4),
            0xe0..=0xff => (Self::Int(i64::from(marker as i8)), 0),
        };
        Ok((head, 1 + width))
    }

    /// Appends the shortest form. Integers that are not negative take the unsigned forms.
    #[inline]
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0xc0),
            Self::Bool(false) => out.push(0xc2),
            Self::Bool(true) => out.push(0xc3),
            Self::Int(number @ -0x20..=-1) => out.push(number as u8),
            Self::Int(number @ -0x80..=-0x21) => out.extend_from_slice(&[0xd0, number as u8]),
            Self::Int(number @ -0x8000..=-0x81) => {
                put(out, 0xd1, &(number as i16).to_be_bytes());
            }
            Self::Int(number @ -0x8000_0000..=-0x8001) => {
                put(out, 0xd2, &(number as i32).to_be_bytes());
            }
            Self::Int(number @ i64::MIN..=-0x8000_0001) => put(out, 0xd3, &number.to_be_bytes()),
            Self::Int(number @ 0..) => Self::UInt(number as u64).write(out),
            Self::UInt(number @ 0..=0x7f) => out.push(number as u8),
            Self::UInt(number @ 0x80..=0xff) => out.extend_from_slice(&[0xcc, number as u8]),
            Self::UInt(number @ 0x100..=0xffff) => put(out, 0xcd, &(number as u16).to_be_bytes()),
            Self::UInt(number @ 0x1_0000..=0xffff_ffff) => {
                put(out, 0xce, &(number as u32).to_be_bytes());
            }
            Self::UInt(number @ 0x1_0000_0000..) => put(out, 0xcf, &number.to_be_bytes()),
            Self::Float(number) => put(out, 0xcb, &number.to_be_bytes()),
            Self::Str(length @ 0..=0x1f) => out.push(0xa0 | length as u8),
            Self::Str(length) => put_length(out, length, Some(0xd9), 0xda, 0xdb),
            Self::Bin(length) => put_length(out, length, Some(0xc4), 0xc5, 0xc6),
            Self::Array(length @ 0..=0x0f) => out.push(0x90 | length as u8),
            Self::Array(length) => put_length(out, length, None, 0xdc, 0xdd),
            Self::Map(length @ 0..=0x0f) => out.push(0x80 | length as u8),
            Self::Map(length) => put_length(out, length, None, 0xde, 0xdf),
            Self::Ext(code, length @ (1 | 2 | 4 | 8 | 16)) => {
                let marker = 0xd4 + length.trailing_zeros() as u8;
                out.extend_from_slice(&[marker, code as u8]);
            }
            Self::Ext(code, length) => {
                put_length(out, length, Some(0xc7), 0xc8, 0xc9);
                out.push(code as u8);
            }
        }
    }
}

fn put<const N: usize>(out: &mut Vec<u8>, marker: u8, bytes: &[u8; N]) {
    out.push(marker);
    out.extend_from_slice(bytes);
}

fn put_length(out: &mut Vec<u8>, length: usize, short: Option<u8>, medium: u8, long: u8) {
    match (length, short) {
        (0..=0xff, Some(short)) => out.extend_from_slice(&[short, length as u8]),
        (0..=0xffff, _) => put(out, medium, &(length as u16).to_be_bytes()),
        // A longer one does not fit into a frame, which is checked when the frame is complete.
        (_, _) => put(out, long, &(length as u32).to_be_bytes()),
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<[u8; N], HeadError> {
    bytes.first_chunk().copied().ok_or(HeadError::Truncated)
}

fn u8_at(bytes: &[u8]) -> Result<usize, HeadError> {
    take(bytes).map(|[byte]| usize::from(byte))
}

fn u16_at(bytes: &[u8]) -> Result<usize, HeadError> {
    take(bytes).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
}

fn u32_at(bytes: &[u8]) -> Result<usize, HeadError> {
    take(bytes).map(|bytes| u32::from_be_bytes(bytes) as usize)
}

fn i8_at(bytes: &[u8], index: usize) -> Result<i8, HeadError> {
    bytes.get(index).map(|&byte| byte as i8).ok_or(HeadError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_forms_both_ways() {
        // MessagePack specification, § Formats.
        check(Head::Nil, b"\xc0");
        check(Head::Bool(true), b"\xc3");
        check(Head::Int(127), b"\x7f");
        check(Head::Int(128), b"\xcc\x80");
        check(Head::Int(256), b"\xcd\x01\x00");
        check(Head::Int(65536), b"\xce\x00\x01\x00\x00");
        check(Head::Int(1 << 32), b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00");
        check(Head::UInt(u64::MAX), b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
        check(Head::Int(-1), b"\xff");
        check(Head::Int(-32), b"\xe0");
        check(Head::Int(-33), b"\xd0\xdf");
        check(Head::Int(-129), b"\xd1\xff\x7f");
        check(Head::Int(-32769), b"\xd2\xff\xff\x7f\xff");
        check(Head::Int(i64::MIN), b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
        check(Head::Float(1.5), b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00");
        check(Head::Str(31), b"\xbf");
        check(Head::Str(32), b"\xd9\x20");
        check(Head::Str(256), b"\xda\x01\x00");
        check(Head::Str(65536), b"\xdb\x00\x01\x00\x00");
        check(Head::Bin(0), b"\xc4\x00");
        check(Head::Array(15), b"\x9f");
        check(Head::Array(16), b"\xdc\x00\x10");
        check(Head::Map(15), b"\x8f");
        check(Head::Map(65536), b"\xdf\x00\x01\x00\x00");
        check(Head::Ext(5, 16), b"\xd8\x05");
        check(Head::Ext(-1, 12), b"\xc7\x0c\xff");
        check(Head::Ext(5, 256), b"\xc8\x01\x00\x05");
    }

    #[test]
    fn longer_forms_are_read() {
        reads(b"\xcf\x00\x00\x00\x00\x00\x00\x00\x01", Head::Int(1));
        reads(b"\xd3\x00\x00\x00\x00\x00\x00\x00\x01", Head::Int(1));
        reads(b"\xca\x3f\xc0\x00\x00", Head::Float(1.5));
        reads(b"\xda\x00\x06", Head::Str(6));
        assert_eq!(Head::read(b"\xc1"), Err(HeadError::Reserved));
    }

    #[track_caller]
    fn check(head: Head, bytes: &[u8]) {
        reads(bytes, head);
        let mut written = vec![];
        head.write(&mut written);
        assert_eq!(written, bytes, "{head:?}");
    }

    #[track_caller]
    fn reads(bytes: &[u8], head: Head) {
        assert_eq!(Head::read(bytes), Ok((head, bytes.len())));
        for cut in 0..bytes.len() {
            assert_eq!(Head::read(&bytes[..cut]), Err(HeadError::Truncated), "cut at {cut}");
        }
        let mut trailing = bytes.to_vec();
        trailing.push(0);
        assert_eq!(Head::read(&trailing), Ok((head, bytes.len())));
    }
}
