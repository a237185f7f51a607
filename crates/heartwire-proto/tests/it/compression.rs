//! Compressed messages against raw DEFLATE: what zlib compresses is decoded, what is encoded zlib
//! inflates, within the window that was agreed on.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use heartwire_proto::websocket::{
    CloseCode, CompressionPool, Decoder, Encoder, Event, FrameHeader, Negotiated, Opcode,
    PerMessageDeflate, ProtocolError, Role, Sharing, frame,
};
use proptest::prelude::*;

const MAX_MESSAGE: usize = 1 << 16;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What the peer of a decoder does for a message.
#[derive(Clone, Debug)]
struct Sent {
    payload: Vec<u8>,
    text: bool,
    compressed: bool,
    /// Where frames end, as parts of 1000, and whether a ping follows each.
    cuts: Vec<(usize, bool)>,
    /// Ends a DEFLATE stream in the middle, as RFC 7692, § 7.2.3.4, allows.
    final_block: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping,
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<String>().prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..2000),
        (proptest::collection::vec(any::<u8>(), 1..50), 0..400_usize)
            .prop_map(|(unit, count)| unit.repeat(count)),
        ("[a-zé]{1,9}", 0..400_usize).prop_map(|(unit, count)| unit.repeat(count).into_bytes()),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = proptest::collection::vec((0..1000_usize, any::<bool>()), 0..4);
    let rarely = prop_oneof![4 => Just(false), 1 => Just(true)];
    let mostly = prop_oneof![1 => Just(false), 4 => Just(true)];
    (payload(), any::<bool>(), mostly, cuts, rarely).prop_map(
        |(payload, text, compressed, mut cuts, final_block)| {
            cuts.sort_unstable();
            let text = text && std::str::from_utf8(&payload).is_ok();
            Sent { payload, text, compressed, cuts, final_block }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_zlib_compresses_is_decoded(
        messages in proptest::collection::vec(sent(), 1..6),
        bits in 9..16_u8,
        level in 0..10_u32,
        takeover in any::<bool>(),
        piece in 1..300_usize,
    ) {
        let negotiated = negotiated(takeover, bits);
        let mut zlib = Compress::new_with_window_bits(Compression::new(level), false, bits);
        let mut bytes = vec![];
        let mut expected = vec![];
        for message in &messages {
            if !takeover {
                zlib.reset();
            }
            send(message, &mut zlib, &mut bytes, &mut expected);
        }
        prop_assert_eq!(receive(&bytes, piece, negotiated), (expected.clone(), None));
        prop_assert_eq!(receive(&bytes, usize::MAX, negotiated), (expected, None));
    }

    #[test]
    fn what_is_encoded_zlib_inflates_within_the_window(
        payloads in proptest::collection::vec(payload(), 1..6),
        bits in 9..16_u8,
        takeover in any::<bool>(),
    ) {
        let mut encoder = Encoder::new(Some(&negotiated(takeover, bits)));
        let mut pool = CompressionPool::new();
        let mut zlib = Decompress::new_with_window_bits(false, bits);
        for payload in payloads {
            let mut bytes = vec![];
            let (prefix, rest) = payload.split_at(payload.len() / 3);
            encoder.encode(Opcode::Binary, None, prefix, rest, &mut pool, &mut bytes);
            let (header, start) = FrameHeader::parse(&bytes).unwrap().unwrap();
            prop_assert_eq!((bytes.len() - start) as u64, header.length);
            prop_assert!(header.fin && header.opcode == Opcode::Binary && header.mask.is_none());
            if !takeover {
                zlib = Decompress::new_with_window_bits(false, bits);
            }
            match header.reserved {
                0 => {
                    prop_assert!(!takeover, "the context would lack it");
                    prop_assert_eq!(&bytes[start..], &payload);
                }
                0b100 => prop_assert_eq!(inflate(&mut zlib, &bytes[start..]), payload),
                other => prop_assert!(false, "reserved bits {other:03b}"),
            }
        }
    }

    #[test]
    fn what_is_no_deflate_is_refused_or_within_the_limit(
        garbage in proptest::collection::vec(any::<u8>(), 0..600),
        piece in 1..40_usize,
        takeover in any::<bool>(),
        fin in any::<bool>(),
    ) {
        let mut bytes = vec![];
        push(fin, 0b100, Opcode::Binary, &garbage, &mut bytes);
        let negotiated = negotiated(takeover, 15);
        let (seen, error) = receive(&bytes, piece, negotiated);
        prop_assert_eq!((&seen, error), {
            let (seen, error) = receive(&bytes, usize::MAX, negotiated);
            (&seen.clone(), error)
        });
        match error {
            None => prop_assert!(seen.len() <= 1),
            Some(error) => {
                prop_assert!(seen.is_empty());
                let allowed = [
                    ProtocolError::InvalidCompression,
                    ProtocolError::InflatedTooLong { max: MAX_MESSAGE },
                ];
                prop_assert!(allowed.contains(&error));
            }
        }
    }
}

#[test]
fn a_message_may_be_cut_anywhere() {
    let text = "compressed, and compressed again, é".repeat(3);
    let mut zlib = Compress::new(Compression::default(), false);
    let compressed = deflate(&mut zlib, text.as_bytes(), false);
    for cut in 0..=compressed.len() {
        let mut bytes = vec![];
        push(false, 0b100, Opcode::Text, &compressed[..cut], &mut bytes);
        push(true, 0, Opcode::Ping, b"", &mut bytes);
        push(true, 0, Opcode::Continuation, &compressed[cut..], &mut bytes);
        let expected = vec![Seen::Ping, Seen::Text(text.clone())];
        for piece in [1, 7, usize::MAX] {
            let seen = receive(&bytes, piece, negotiated(false, 15));
            assert_eq!(seen, (expected.clone(), None), "cut at {cut}");
        }
    }
}

#[test]
fn the_compressed_bit_belongs_to_the_first_frame_of_a_message() {
    let negotiated = Some(negotiated(false, 15));
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let refused = |frames: &[(bool, u8, Opcode)], negotiated: Option<Negotiated>| {
        let mut bytes = vec![];
        for &(fin, reserved, opcode) in frames {
            push(fin, reserved, opcode, hello, &mut bytes);
        }
        let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, negotiated.as_ref());
        let error = run(&mut decoder, &mut bytes, usize::MAX).1.unwrap();
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
        error
    };
    for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
        assert_eq!(refused(&[(true, 0b100, opcode)], negotiated), ProtocolError::ReservedBits(4));
    }
    for reserved in [0b001, 0b010, 0b101, 0b110, 0b111] {
        let error = refused(&[(true, reserved, Opcode::Text)], negotiated);
        assert_eq!(error, ProtocolError::ReservedBits(reserved));
    }
    let continued = [(false, 0b100, Opcode::Text), (true, 0b100, Opcode::Continuation)];
    assert_eq!(refused(&continued, negotiated), ProtocolError::ReservedBits(4));
    assert_eq!(refused(&[(true, 0b100, Opcode::Text)], None), ProtocolError::ReservedBits(4));
}

#[test]
fn messages_that_were_negotiated_may_still_come_as_they_are() {
    let mut bytes = vec![];
    push(true, 0, Opcode::Text, b"plain", &mut bytes);
    push(true, 0b100, Opcode::Text, b"\xf2\x48\xcd\xc9\xc9\x07\x00", &mut bytes);
    push(false, 0, Opcode::Text, b"pl", &mut bytes);
    push(true, 0, Opcode::Continuation, b"ain", &mut bytes);
    let text = |text: &str| Seen::Text(text.to_owned());
    let expected = vec![text("plain"), text("Hello"), text("plain")];
    assert_eq!(receive(&bytes, 1, negotiated(false, 15)), (expected, None));
}

#[test]
fn empty_messages() {
    // RFC 7692, § 7.2.3.6.
    let mut bytes = vec![];
    push(true, 0b100, Opcode::Text, b"\x00", &mut bytes);
    push(false, 0b100, Opcode::Binary, b"", &mut bytes);
    push(true, 0, Opcode::Continuation, b"\x00", &mut bytes);
    let expected = vec![Seen::Text(String::new()), Seen::Binary(vec![])];
    for takeover in [false, true] {
        assert_eq!(receive(&bytes, 1, negotiated(takeover, 15)), (expected.clone(), None));
    }
}

#[test]
fn text_is_checked_after_it_was_inflated() {
    let mut zlib = Compress::new(Compression::default(), false);
    for (text, good) in [(&b"\xc3\xa9"[..], true), (b"\xc3", false), (b"ab\xffcd", false)] {
        zlib.reset();
        let mut bytes = vec![];
        push(true, 0b100, Opcode::Text, &deflate(&mut zlib, text, false), &mut bytes);
        let (seen, error) = receive(&bytes, 1, negotiated(false, 15));
        assert_eq!(seen.len(), usize::from(good));
        assert_eq!(error, (!good).then_some(ProtocolError::InvalidUtf8));
    }
}

#[test]
fn the_limit_counts_what_a_message_inflates_to() {
    for (length, fits) in [(MAX_MESSAGE, true), (MAX_MESSAGE + 1, false)] {
        // Noise, which grows when it is compressed, and zeros, which all but vanish.
        let noise: Vec<u8> = (0..length as u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(i * i) >> 53) as u8)
            .collect();
        for payload in [noise, vec![0; length]] {
            for level in [0, 6] {
                let mut zlib = Compress::new(Compression::new(level), false);
                let compressed = deflate(&mut zlib, &payload, false);
                let (head, tail) = compressed.split_at(compressed.len() / 2);
                let mut bytes = vec![];
                push(false, 0b100, Opcode::Binary, head, &mut bytes);
                push(true, 0, Opcode::Continuation, tail, &mut bytes);
                let mut decoder =
                    Decoder::new(Role::Server, MAX_MESSAGE, Some(&negotiated(true, 15)));
                let (seen, error) = run(&mut decoder, &mut bytes, 5000);
                if fits {
                    assert_eq!((seen, error), (vec![Seen::Binary(payload.clone())], None));
                } else {
                    let error = error.unwrap();
                    assert_eq!(error, ProtocolError::InflatedTooLong { max: MAX_MESSAGE });
                    assert_eq!(error.close_code(), CloseCode::MESSAGE_TOO_BIG);
                    assert_eq!((seen, decoder.held_bytes()), (vec![], 0));
                }
            }
        }
    }
}

#[test]
fn who_may_share_compressed_frames() {
    let sharing = |takeover, length| {
        let options = PerMessageDeflate::new().context_takeover(takeover).window_bits(11);
        let (negotiated, _) = options.accept("permessage-deflate").unwrap().unwrap();
        Encoder::new(Some(&negotiated)).sharing(length)
    };
    assert_eq!(sharing(false, 1023), Sharing::Uncompressed);
    assert_eq!(sharing(false, 1024), Sharing::Compressed { window_bits: 11 });
    assert_eq!(sharing(true, 1024), Sharing::Never);
    assert_eq!(Encoder::new(None).sharing(1 << 20), Sharing::Uncompressed);
}

#[test]
fn compression_costs_an_idle_connection_a_pointer_in_each_direction() {
    assert!(size_of::<Decoder>() <= 56, "{}", size_of::<Decoder>());
    assert_eq!(size_of::<Encoder>(), size_of::<usize>());
}

/// What a server and client agree on that want this window in both directions, whatever the length.
fn negotiated(takeover: bool, bits: u8) -> Negotiated {
    let options =
        PerMessageDeflate::new().threshold(0).context_takeover(takeover).window_bits(bits);
    options.accept(&options.offer()).unwrap().unwrap().0
}

/// Encodes what is sent, and notes what must be seen.
fn send(message: &Sent, zlib: &mut Compress, bytes: &mut Vec<u8>, expected: &mut Vec<Seen>) {
    let Sent { payload, text, compressed, cuts, final_block } = message;
    let data = if *compressed { deflate(zlib, payload, *final_block) } else { payload.clone() };
    let mut opcode = if *text { Opcode::Text } else { Opcode::Binary };
    let mut reserved = if *compressed { 0b100 } else { 0 };
    let mut at = 0;
    for &(cut, ping) in cuts {
        let end = data.len() * cut / 1000;
        push(false, reserved, opcode, &data[at..end], bytes);
        (opcode, reserved, at) = (Opcode::Continuation, 0, end);
        if ping {
            push(true, 0, Opcode::Ping, b"in between", bytes);
            expected.push(Seen::Ping);
        }
    }
    push(true, reserved, opcode, &data[at..], bytes);
    expected.push(if *text {
        Seen::Text(String::from_utf8(payload.clone()).unwrap())
    } else {
        Seen::Binary(payload.clone())
    });
}

/// Appends a masked frame.
fn push(fin: bool, reserved: u8, opcode: Opcode, payload: &[u8], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    frame::encode(opcode, Some(KEY), &[], payload, bytes);
    bytes[start] = u8::from(fin) << 7 | reserved << 4 | opcode as u8;
}

/// A message as RFC 7692, § 7.2.1, compresses it.
fn deflate(zlib: &mut Compress, payload: &[u8], final_block: bool) -> Vec<u8> {
    if final_block {
        let mut out = drain(zlib, payload, FlushCompress::Finish);
        zlib.reset();
        out.push(0);
        return out;
    }
    if payload.is_empty() {
        return vec![0];
    }
    let mut out = drain(zlib, payload, FlushCompress::Sync);
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

fn drain(zlib: &mut Compress, payload: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() * 2 + 1000);
    let before = zlib.total_in();
    zlib.compress_vec(payload, &mut out, flush).unwrap();
    assert_eq!(zlib.total_in() - before, payload.len() as u64);
    assert!(out.len() < out.capacity(), "everything was flushed");
    out
}

/// The reverse, in small steps: what is further back than the window is then forgotten.
fn inflate(zlib: &mut Decompress, compressed: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    let input = [compressed, &TAIL].concat();
    let mut rest = &input[..];
    loop {
        let mut step = [0; 64];
        let (read, written) = (zlib.total_in(), zlib.total_out());
        let status = zlib.decompress(rest, &mut step, FlushDecompress::Sync).unwrap();
        assert_ne!(status, Status::StreamEnd);
        rest = &rest[(zlib.total_in() - read) as usize..];
        let written = (zlib.total_out() - written) as usize;
        out.extend_from_slice(&step[..written]);
        if written < step.len() {
            assert!(rest.is_empty());
            return out;
        }
    }
}

fn receive(
    bytes: &[u8],
    piece: usize,
    negotiated: Negotiated,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, Some(&negotiated));
    run(&mut decoder, &mut bytes.to_vec(), piece)
}

/// Feeds a decoder in pieces, up to the first error.
fn run(
    decoder: &mut Decoder,
    bytes: &mut [u8],
    piece: usize,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut pool = CompressionPool::new();
    let mut seen = vec![];
    for chunk in bytes.chunks_mut(piece) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let current = rest;
            let taken = match decoder.decode(current, &mut pool) {
                Ok((taken, event)) => {
                    seen.extend(event.map(|event| match event {
                        Event::Text(text) => Seen::Text(text.into_owned()),
                        Event::Binary(data) => Seen::Binary(data.into_owned()),
                        Event::Ping(_) => Seen::Ping,
                        Event::Pong(_) | Event::Close(_) => unreachable!("none is sent"),
                    }));
                    taken
                }
                Err(error) => return (seen, Some(error)),
            };
            rest = &mut current[taken..];
        }
    }
    (seen, None)
}
