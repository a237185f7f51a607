//! Bytes in pieces, as a stream may bring them.

/// A stream, and where it is cut: a byte with the number of cuts, the cuts, then the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream<'a> {
    cuts: &'a [u8],
    pub(crate) bytes: &'a [u8],
}

impl<'a> Stream<'a> {
    /// Reads one. Without a first byte, there is nothing.
    pub(crate) fn read(data: &'a [u8]) -> Self {
        let Some((&count, rest)) = data.split_first() else {
            return Self { cuts: &[], bytes: &[] };
        };
        let count = usize::from(count % MAX_CUTS).min(rest.len());
        let (cuts, bytes) = rest.split_at(count);
        Self { cuts, bytes }
    }

    /// The pieces: their lengths are the cuts, again and again. A cut of 0 is a piece of 256 bytes;
    /// without cuts there is one piece.
    pub(crate) fn pieces(self) -> Vec<&'a [u8]> {
        pieces(self.bytes, self.cuts)
    }
}

/// The pieces of some bytes, with lengths that come again and again.
pub(crate) fn pieces<'a>(bytes: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    let (mut pieces, mut rest) = (vec![], bytes);
    while !rest.is_empty() {
        let length = match lengths.next() {
            None => usize::MAX,
            Some(0) => 256,
            Some(&length) => usize::from(length),
        };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

const MAX_CUTS: u8 = 16;
