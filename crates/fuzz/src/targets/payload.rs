//! Payloads: packets are what stands between the separators, up to the first that is none; what is
//! joined within limits stays within them and is read again.

use heartwire_proto::engineio::{Packet, payload};

use crate::memory;

/// A byte with the most packets, one with the most bytes, then the payload.
pub(super) fn target(data: &[u8]) {
    let Some((&[packets, bytes], text)) = data.split_first_chunk() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    let (packets, bytes) = (usize::from(packets), 4 * usize::from(bytes));

    let parts: Vec<&str> = text.split('\u{1e}').collect();
    let mut scratches = vec![vec![]; parts.len()];
    let mut expected = vec![];
    for (part, scratch) in parts.iter().zip(&mut scratches) {
        let packet = Packet::decode(part, scratch);
        let is_bad = packet.is_err();
        expected.push(packet);
        if is_bad {
            break;
        }
    }

    let (seen, taken) = memory::count(|| {
        let mut decoder = payload::Decoder::new(text);
        let mut seen = 0;
        while let Some(packet) = decoder.next_packet() {
            assert_eq!(Some(&packet), expected.get(seen), "packet {seen}");
            seen += 1;
        }
        assert!(decoder.next_packet().is_none(), "it goes on after its end");
        seen
    });
    assert_eq!(seen, expected.len());
    let longest = parts.iter().map(|part| part.len()).max().unwrap_or(0);
    assert!(taken.peak <= 2 * longest + 64, "{taken:?} for packets of {longest} bytes at most");

    let good: Vec<_> = expected.into_iter().flatten().collect();
    let mut left = &good[..];
    while !left.is_empty() {
        let mut encoder = payload::Encoder::new(bytes, packets);
        let mut count = 0;
        while let Some(packet) = left.get(count).filter(|packet| encoder.fits(packet)) {
            encoder.push(packet);
            count += 1;
        }
        assert!(count > 0, "the first packet always fits");
        let body = encoder.into_body();
        assert!(count == 1 || count <= packets && body.len() <= bytes, "{count}, {}", body.len());
        let more = left.get(count).map(|next| body.len() + 1 + next.encoded_length());
        let could_more = count < packets && more.is_some_and(|length| length <= bytes);
        assert!(!could_more, "one more would have fitted");
        let body = String::from_utf8(body).unwrap();
        let mut decoder = payload::Decoder::new(&body);
        for packet in &left[..count] {
            assert_eq!(decoder.next_packet(), Some(Ok(*packet)));
        }
        assert_eq!(decoder.next_packet(), None);
        left = &left[count..];
    }
}
