//! Any bytes on a WebSocket: cuts change nothing, tungstenite reads the same, and memory follows what
//! has arrived.

use heartwire_proto::websocket::{CompressionPool, Decoder, Role};

use super::seen::{compare, ours, theirs};
use crate::memory;
use crate::pieces::{Stream, pieces};

/// A byte with the side and the limit, then a stream.
pub(super) fn target(data: &[u8]) {
    let Some((&facts, stream)) = data.split_first() else { return };
    let stream = Stream::read(stream);
    let role = if facts & 1 == 0 { Role::Server } else { Role::Client };
    let max = [65_536, 1000, 125, 0][usize::from(facts >> 1 & 3)];
    let mut pool = CompressionPool::new();
    let decoder = || Decoder::new(role, max, None);

    let whole = ours(&mut decoder(), [stream.bytes], &mut pool);
    assert_eq!(ours(&mut decoder(), stream.pieces(), &mut pool), whole, "in pieces, and whole");
    assert_eq!(ours(&mut decoder(), pieces(stream.bytes, &[1]), &mut pool), whole, "byte by byte");
    compare(&whole, &theirs(role, max, stream.bytes));

    let length = stream.bytes.len();
    for lengths in [&[][..], &[1]] {
        let mut input = stream.bytes.to_vec();
        let mut decoder = decoder();
        let ((), taken) = memory::count(|| drain(&mut decoder, &mut input, lengths, &mut pool));
        assert!(taken.peak <= 3 * length + 512, "{taken:?} for {length} bytes");
        // A message of no bytes that comes in pieces is kept, too, for a moment.
        assert!(taken.total <= 128 * length + 512, "{taken:?} for {length} bytes");
        assert!(taken.count <= 2 * length + 8, "{taken:?} for {length} bytes");
    }
}

/// Decodes everything, and keeps nothing.
fn drain(decoder: &mut Decoder, input: &mut [u8], lengths: &[u8], pool: &mut CompressionPool) {
    let mut lengths = lengths.iter().cycle();
    let mut rest = input;
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |&length| usize::from(length));
        let (piece, behind) = rest.split_at_mut(length);
        rest = behind;
        let mut piece = piece;
        while !piece.is_empty() {
            match decoder.decode(piece, pool) {
                Ok((taken, _)) => piece = &mut piece[taken..],
                Err(_) => return,
            }
        }
    }
}
