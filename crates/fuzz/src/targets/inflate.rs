//! Compressed messages: any bytes inflate to what another implementation makes of them, in whatever
//! pieces they come, up to the limit and not a byte beyond; and what we compress we inflate.

use heartwire_proto::websocket::{
    CompressionPool, Decoder, Encoder, Event, FrameHeader, Negotiated, Opcode, PerMessageDeflate,
    ProtocolError, Role, frame,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::seen::{Heard, Seen, ours};
use crate::memory;
use crate::pieces::{Stream, pieces};

/// A byte with options, two with the limit, then a stream that is the content of a message.
pub(super) fn target(data: &[u8]) {
    let Some((&[facts, high, low], stream)) = data.split_first_chunk() else { return };
    let max = usize::from(u16::from_be_bytes([high, low]));
    let stream = Stream::read(stream);
    let takeover = facts & 1 != 0;
    // What the stream inflates to; twice, if the second message may refer to the first.
    let times = 1 + usize::from(facts >> 1 & 1);
    let negotiated = negotiated(takeover, 9 + facts % 7);

    let fragments = stream.pieces();
    let bytes: Vec<u8> = (0..times).flat_map(|_| message(&fragments)).collect();
    let mut pool = warm(&negotiated);
    let decoder = || Decoder::new(Role::Client, max, Some(&negotiated));
    let (whole, taken) = memory::count(|| ours_within(&mut decoder(), &[&bytes], max, &mut pool));
    // The copies that are compared count, and what zlib needs where it is not lent.
    let bound = 4 * times * max + 8 * bytes.len() + STATE_BYTES;
    assert!(taken.peak <= bound, "{taken:?}, limit {max}, {} bytes", bytes.len());
    let single = pieces(&bytes, &[1]);
    assert_eq!(ours_within(&mut decoder(), &single, max, &mut pool), whole, "byte by byte");
    let one_frame: Vec<u8> = (0..times).flat_map(|_| message(&[stream.bytes])).collect();
    assert_eq!(ours_within(&mut decoder(), &[&one_frame], max, &mut pool), whole, "in one frame");

    let first = whole.seen.first().cloned();
    match theirs(stream.bytes) {
        Theirs::Whole(data) if data.len() <= max => assert_eq!(first, Some(Seen::Binary(data))),
        Theirs::Whole(_) => {
            assert_eq!(whole.error, Some(ProtocolError::InflatedTooLong { max }));
            assert_eq!(first, None);
        }
        // zlib notices a code without symbols when one is to be read, and one without an end of the block
        // before it is used.
        Theirs::Broken(start) => {
            let is_refused = first.is_none() && whole.error.is_some();
            let is_start = start.len() <= max && first == Some(Seen::Binary(start));
            assert!(is_refused || is_start, "{first:?}, {:?}", whole.error);
        }
    }
    round_trip(stream.bytes, &negotiated, &mut pool);
}

/// What goes through both directions comes out as it was; a limit of one byte less is noticed.
fn round_trip(payload: &[u8], negotiated: &Negotiated, pool: &mut CompressionPool) {
    let mut encoder = Encoder::new(Some(negotiated));
    let mut bytes = vec![];
    let (prefix, rest) = payload.split_at(payload.len() / 3);
    for _ in 0..2 {
        encoder.encode(Opcode::Binary, None, prefix, rest, pool, &mut bytes);
    }
    let mut decoder = Decoder::new(Role::Client, payload.len(), Some(negotiated));
    let heard = ours(&mut decoder, [&bytes[..]], pool);
    let expected = Seen::Binary(payload.to_vec());
    assert_eq!(heard, Heard { seen: vec![expected.clone(), expected], error: None });
    if let Some(max) = payload.len().checked_sub(1) {
        let mut decoder = Decoder::new(Role::Client, max, Some(negotiated));
        let error = ours(&mut decoder, [&bytes[..]], pool).error;
        let known = matches!(
            error,
            Some(ProtocolError::InflatedTooLong { .. } | ProtocolError::MessageTooLong { .. })
        );
        assert!(known, "{error:?} for a message of one byte too many");
    }
}

/// What our decoder makes of pieces, of which it never holds more than `max` bytes of content.
fn ours_within(
    decoder: &mut Decoder,
    pieces: &[&[u8]],
    max: usize,
    pool: &mut CompressionPool,
) -> Heard<ProtocolError> {
    let mut heard = Heard { seen: vec![], error: None };
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        while !rest.is_empty() && heard.error.is_none() {
            match decoder.decode(rest, pool) {
                Ok((taken, event)) => {
                    heard.seen.extend(event.map(Seen::of));
                    rest = &mut rest[taken..];
                }
                Err(error) => heard.error = Some(error),
            }
            let held = decoder.held_bytes();
            assert!(held <= max + 256, "{held} bytes are held, {max} allowed");
        }
    }
    heard
}

/// A compressed message in fragments.
fn message(fragments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![];
    let fragments = if fragments.is_empty() { &[&[][..]] } else { fragments };
    for (number, fragment) in fragments.iter().enumerate() {
        let first = number == 0;
        let header = FrameHeader {
            fin: number + 1 == fragments.len(),
            reserved: if first { frame::RSV1 } else { 0 },
            opcode: if first { Opcode::Binary } else { Opcode::Continuation },
            mask: None,
            length: fragment.len() as u64,
        };
        header.encode(&mut bytes);
        bytes.extend_from_slice(fragment);
    }
    bytes
}

/// A pool that has what it lends.
fn warm(negotiated: &Negotiated) -> CompressionPool {
    let mut pool = CompressionPool::new();
    let mut decoder = Decoder::new(Role::Client, 1, Some(negotiated));
    let mut empty = message(&[b"\x00"]);
    let decoded = decoder.decode(&mut empty, &mut pool);
    assert!(matches!(decoded, Ok((_, Some(Event::Binary(_))))), "RFC 7692, § 7.2.3.6");
    pool
}

/// What both sides of a connection agree on where both want the same.
fn negotiated(takeover: bool, window_bits: u8) -> Negotiated {
    let options = PerMessageDeflate::new()
        .threshold(0)
        .level(1)
        .window_bits(window_bits)
        .context_takeover(takeover);
    let (_, answer) = options.accept(&options.offer()).unwrap().unwrap();
    options.conclude(&answer).unwrap().unwrap()
}

/// What miniz_oxide makes of a message.
enum Theirs {
    Whole(Vec<u8>),
    /// Invalid, or in the middle of a block at its end, behind what it has inflated to until then.
    Broken(Vec<u8>),
}

fn theirs(content: &[u8]) -> Theirs {
    let content = [content, b"\x00\x00\xff\xff"].concat();
    let mut out = vec![0; content.len() * MAX_RATIO];
    let (mut rest, mut length, mut is_whole) = (&content[..], 0, true);
    // A block that says that it is the last need not be (RFC 7692, § 7.2.3.4).
    while is_whole && !rest.is_empty() {
        let mut state = DecompressorOxide::new();
        let mut inflate = |input: &[u8], out: &mut [u8], position| {
            let flags = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
            decompress(&mut state, input, out, position, flags)
        };
        let begin = length;
        let (status, read, written) = inflate(rest, &mut out[begin..], 0);
        rest = &rest[read..];
        length += written;
        is_whole = match status {
            TINFLStatus::Done => true,
            TINFLStatus::NeedsMoreInput => {
                // Between blocks, an empty one that is the last is the end.
                let end = inflate(b"\x01\x00\x00\xff\xff", &mut out[begin..], written);
                end == (TINFLStatus::Done, 5, 0)
            }
            _ => false,
        };
        if status == TINFLStatus::NeedsMoreInput {
            break;
        }
    }
    out.truncate(length);
    if is_whole { Theirs::Whole(out) } else { Theirs::Broken(out) }
}

/// Bytes that a byte of DEFLATE becomes at most: two bits are a copy of 258.
const MAX_RATIO: usize = 1032;

/// Bytes of zlib's state, and of buffers of its own.
const STATE_BYTES: usize = 64 * 1024;
