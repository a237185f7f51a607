//! repod's byte stream: lengths and payloads, the same for any cuts, refused above the limit, and never
//! allocated because they were announced.

use heartwire_proto::repod::FrameDecoder;

use crate::memory;
use crate::pieces::{Stream, pieces};

/// Two bytes with the limit, then a stream.
pub(super) fn target(data: &[u8]) {
    let Some((&[high, low], stream)) = data.split_first_chunk() else { return };
    // The largest stands for none.
    let max = match u16::from_be_bytes([high, low]) {
        u16::MAX => usize::MAX,
        max => usize::from(max),
    };
    let stream = Stream::read(stream);
    let expected = split(stream.bytes, max);
    for pieces in [vec![stream.bytes], stream.pieces(), pieces(stream.bytes, &[1])] {
        assert_eq!(decode(&pieces, max), expected, "in {} pieces", pieces.len());
    }
}

/// Payloads, whether a length was refused, and whether a frame is incomplete.
type Split = (Vec<Vec<u8>>, bool, bool);

/// What the format says.
fn split(bytes: &[u8], max: usize) -> Split {
    let (mut payloads, mut rest) = (vec![], bytes);
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > max {
            return (payloads, true, false);
        }
        let Some((payload, behind)) = behind.split_at_checked(length) else { break };
        payloads.push(payload.to_vec());
        rest = behind;
    }
    (payloads, false, !rest.is_empty())
}

fn decode(pieces: &[&[u8]], max: usize) -> Split {
    let mut decoder = FrameDecoder::new(max);
    let (mut payloads, mut refused, mut arrived) = (vec![], false, 0);
    let (steps, taken) = memory::count(|| {
        let mut steps = 0;
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                steps += 1;
                match decoder.decode(rest) {
                    Ok((taken, payload)) => {
                        assert!(taken > 0 || payload.is_some(), "it takes nothing");
                        assert!(!refused || payload.is_none() && taken == rest.len());
                        arrived += taken;
                        rest = &rest[taken..];
                        if let Some(payload) = payload {
                            arrived = 0;
                            payloads.push(payload.into_owned());
                        }
                    }
                    Err(error) => {
                        assert!(!refused && error.length > max && error.max_payload == max);
                        refused = true;
                        rest = &[];
                    }
                }
                let held = decoder.held_bytes();
                assert!(held <= 2 * arrived, "{held} bytes are held of {arrived}");
            }
        }
        steps
    });
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    assert!(steps <= pieces.len() + payloads.len() + 1, "{steps} steps");
    // A part of it is the list of payloads here.
    assert!(taken.total <= 64 * length + 256, "{taken:?} for {length} bytes");
    (payloads, refused, decoder.is_mid_frame())
}
