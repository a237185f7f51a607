//! Messages to DEFLATE and back.
//!
//! ```text
//! Deflate: payload ──► flush ──► bytes without the last four, 00 00 ff ff
//! Inflate: bytes of each frame ──► … ──► 00 00 ff ff at the message's end ──► payload
//! ```
//!
//! zlib's states are large: about 260 KiB to compress, 50 KiB to inflate. Where contexts are not taken
//! over, a connection has one only while it is in the middle of a message, and gives it back to the
//! pool. What a message inflates to is limited while it is inflated.
//!
//! Source: RFC 7692, §§ 6 and 7.2; RFC 1951.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::error::ProtocolError;
pub use super::extension::Negotiated;

/// States and memory that connections lend each other to compress and inflate. A driver has one a
/// thread; without the feature `deflate` it is empty.
#[derive(Debug, Default)]
pub struct CompressionPool {
    deflaters: Vec<Deflater>,
    inflaters: Vec<Decompress>,
    /// What has just been compressed.
    deflated: Vec<u8>,
}

impl CompressionPool {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { deflaters: vec![], inflaters: vec![], deflated: vec![] }
    }
}

/// A compressor and what it was made for.
#[derive(Debug)]
struct Deflater {
    level: u8,
    window_bits: u8,
    zlib: Compress,
}

/// The direction to the peer.
#[derive(Debug)]
pub(super) struct Deflate(Box<DeflateState>);

#[derive(Debug)]
struct DeflateState {
    threshold: usize,
    level: u8,
    window_bits: u8,
    /// The compressor that remembers, from the first message on, where it is to.
    takeover: Option<Option<Compress>>,
}

impl Deflate {
    /// `None` if this side does not compress.
    pub(super) fn new(negotiated: &Negotiated) -> Option<Self> {
        Some(Self(Box::new(DeflateState {
            threshold: negotiated.threshold,
            level: negotiated.level,
            window_bits: negotiated.window_bits?,
            takeover: negotiated.own_takeover.then_some(None),
        })))
    }

    /// Whether a message of `length` bytes is worth it.
    pub(super) fn wants(&self, length: usize) -> bool {
        length >= self.0.threshold
    }

    /// The window, where each message is compressed by itself.
    pub(super) fn shared_window_bits(&self) -> Option<u8> {
        self.0.takeover.is_none().then_some(self.0.window_bits)
    }

    /// Compresses a message, which is `prefix` and then `payload`. `None` if it is better sent as it
    /// is.
    pub(super) fn compress<'a>(
        &mut self,
        prefix: &[u8],
        payload: &[u8],
        pool: &'a mut CompressionPool,
    ) -> Option<&'a [u8]> {
        let length = prefix.len() + payload.len();
        if !self.wants(length) {
            return None;
        }
        let CompressionPool { deflaters, deflated, .. } = pool;
        deflated.clear();
        deflated.shrink_to(KEPT_BYTES);
        let state = &mut *self.0;
        match &mut state.takeover {
            Some(kept) => {
                let zlib = kept.get_or_insert_with(|| compressor(state.level, state.window_bits));
                deflate(zlib, prefix, payload, deflated);
                Some(deflated)
            }
            None => {
                let fits = |held: &Deflater| {
                    held.level == state.level && held.window_bits == state.window_bits
                };
                let index = match deflaters.iter().position(fits) {
                    Some(index) => {
                        deflaters[index].zlib.reset();
                        index
                    }
                    None => {
                        if deflaters.len() == KEPT_DEFLATERS {
                            deflaters.remove(0);
                        }
                        let DeflateState { level, window_bits, .. } = *state;
                        let zlib = compressor(level, window_bits);
                        deflaters.push(Deflater { level, window_bits, zlib });
                        deflaters.len() - 1
                    }
                };
                deflate(&mut deflaters[index].zlib, prefix, payload, deflated);
                // Nobody refers to it later, so it need not be sent.
                (deflated.len() < length).then_some(deflated)
            }
        }
    }
}

fn compressor(level: u8, window_bits: u8) -> Compress {
    Compress::new_with_window_bits(Compression::new(level.into()), false, window_bits)
}

/// Appends what `prefix` and `payload` become.
fn deflate(zlib: &mut Compress, prefix: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    if prefix.is_empty() && payload.is_empty() {
        // RFC 7692, § 7.2.3.6. There would be nothing to flush.
        out.push(0);
        return;
    }
    // Enough for data that cannot be compressed, so that once is mostly enough.
    out.reserve(prefix.len() + payload.len() + payload.len() / 1000 + 64);
    for (mut input, flush) in [(prefix, FlushCompress::None), (payload, FlushCompress::Sync)] {
        loop {
            out.reserve(MIN_GROWTH);
            let before = zlib.total_in();
            zlib.compress_vec(input, out, flush).expect("a compressor that is in use is intact");
            input = &input[(zlib.total_in() - before) as usize..];
            // Where there is room left, nothing was held back.
            if input.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
    }
    assert!(out.ends_with(&TAIL), "a flush ends with an empty block");
    out.truncate(out.len() - TAIL.len());
}

/// The direction from the peer.
#[derive(Debug)]
pub(super) struct Inflate(Box<InflateState>);

#[derive(Debug)]
struct InflateState {
    takeover: bool,
    /// Held in the middle of a message, and between messages where contexts are taken over.
    zlib: Option<Decompress>,
}

impl Inflate {
    pub(super) fn new(negotiated: &Negotiated) -> Option<Self> {
        Some(Self(Box::new(InflateState { takeover: negotiated.peer_takeover, zlib: None })))
    }

    /// Appends what the next piece of a message becomes.
    pub(super) fn feed(
        &mut self,
        piece: &[u8],
        data: &mut Vec<u8>,
        max: usize,
        pool: &mut CompressionPool,
    ) -> Result<(), ProtocolError> {
        let zlib = self.0.zlib.get_or_insert_with(|| match pool.inflaters.pop() {
            Some(mut zlib) => {
                zlib.reset(false);
                zlib
            }
            // The largest window inflates what any other has compressed.
            None => Decompress::new(false),
        });
        inflate(zlib, piece, data, max)
    }

    /// Appends the rest of a message, and gives back what the next does not need.
    pub(super) fn finish(
        &mut self,
        data: &mut Vec<u8>,
        max: usize,
        pool: &mut CompressionPool,
    ) -> Result<(), ProtocolError> {
        self.feed(&TAIL, data, max, pool)?;
        if !self.0.takeover
            && let Some(zlib) = self.0.zlib.take()
            && pool.inflaters.len() < KEPT_INFLATERS
        {
            pool.inflaters.push(zlib);
        }
        Ok(())
    }

    /// Lets go of everything: no message follows.
    pub(super) fn abandon(&mut self) {
        self.0.zlib = None;
    }
}

/// Appends what `input` becomes; `data` never holds more than `max` bytes.
fn inflate(
    zlib: &mut Decompress,
    mut input: &[u8],
    data: &mut Vec<u8>,
    max: usize,
) -> Result<(), ProtocolError> {
    loop {
        let (read, written) = (zlib.total_in(), zlib.total_out());
        let full = data.len() >= max;
        let result = if full {
            // One byte more would be too many; there may yet be input that becomes none.
            zlib.decompress(input, &mut [0], FlushDecompress::Sync)
        } else {
            make_room(data, input.len(), max);
            zlib.decompress_vec(input, data, FlushDecompress::Sync)
        };
        let (read, written) = (zlib.total_in() - read, zlib.total_out() - written);
        // It looks ahead for what comes behind the byte that is too many: that comes first.
        if full && written > 0 || data.len() > max {
            return Err(ProtocolError::InflatedTooLong { max });
        }
        let status = result.map_err(|_| ProtocolError::InvalidCompression)?;
        input = &input[read as usize..];
        if let Status::StreamEnd = status {
            // RFC 7692, § 7.2.3.4: a final block need not be the message's last.
            zlib.reset(false);
            if input.is_empty() {
                return Ok(());
            }
        } else if full || data.len() < data.capacity() {
            // There was room, so nothing is held back.
            if input.is_empty() {
                return Ok(());
            }
            if read == 0 && written == 0 {
                return Err(ProtocolError::InvalidCompression);
            }
        }
    }
}

/// Makes room where there is none: doubling, as `Vec` does, but not beyond `max`.
fn make_room(data: &mut Vec<u8>, input_len: usize, max: usize) {
    if data.len() == data.capacity() {
        let wanted = data.len().max(input_len.saturating_mul(2)).max(MIN_GROWTH);
        data.reserve_exact(wanted.min(max - data.len()));
    }
}

/// The empty block that every flush ends with. It is not sent (RFC 7692, § 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Bytes of output at least.
const MIN_GROWTH: usize = 256;

/// A pool of a thread needs one for each level and window in use at the same time.
const KEPT_DEFLATERS: usize = 4;

/// Connections that are in the middle of messages have theirs with them.
const KEPT_INFLATERS: usize = 4;

/// One huge message must not be remembered for ever.
const KEPT_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::super::extension::PerMessageDeflate;
    use super::*;

    #[test]
    fn rfc_examples_inflate() {
        let mut pool = CompressionPool::new();
        let check = |pieces: &[&[u8]], pool: &mut CompressionPool| {
            let mut inflate = receiver(false);
            let mut data = vec![];
            for piece in pieces {
                inflate.feed(piece, &mut data, 100, pool).unwrap();
            }
            inflate.finish(&mut data, 100, pool).unwrap();
            assert_eq!(data, b"Hello");
        };
        // RFC 7692, § 7.2.3.1: "Hello", whole and in two frames.
        check(&[b"\xf2\x48\xcd\xc9\xc9\x07\x00"], &mut pool);
        check(&[b"\xf2\x48\xcd", b"\xc9\xc9\x07\x00"], &mut pool);
        // § 7.2.3.3: a block without compression.
        check(&[b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"], &mut pool);
        // § 7.2.3.4: a final block.
        check(&[b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"], &mut pool);
        // § 7.2.3.5: two blocks.
        check(&[b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"], &mut pool);
    }

    #[test]
    fn rfc_example_of_a_context_that_is_taken_over() {
        // RFC 7692, § 7.2.3.2.
        let mut pool = CompressionPool::new();
        let mut inflate = receiver(true);
        for message in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"] {
            let mut data = vec![];
            inflate.feed(message, &mut data, 100, &mut pool).unwrap();
            inflate.finish(&mut data, 100, &mut pool).unwrap();
            assert_eq!(data, b"Hello");
        }
        // Without the context, the second refers to nothing.
        let mut inflate = receiver(false);
        let error = inflate.feed(b"\xf2\x00\x11\x00\x00", &mut vec![], 100, &mut pool);
        assert_eq!(error, Err(ProtocolError::InvalidCompression));
    }

    #[test]
    fn what_is_sent_is_what_the_rfc_shows() {
        // RFC 7692, §§ 7.2.3.1, 7.2.3.2 and 7.2.3.6.
        let mut pool = CompressionPool::new();
        let mut deflate = sender(true);
        assert_eq!(
            deflate.compress(b"He", b"llo", &mut pool),
            Some(&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..])
        );
        assert_eq!(deflate.compress(b"", b"Hello", &mut pool), Some(&b"\xf2\x00\x11\x00\x00"[..]));
        assert_eq!(deflate.compress(b"", b"", &mut pool), Some(&b"\x00"[..]));
    }

    #[test]
    fn limits_are_exact() {
        for takeover in [false, true] {
            for length in [1, 255, 256, 1000, 100_000] {
                let mut pool = CompressionPool::new();
                let payload = vec![7; length];
                let mut deflate = sender(true);
                let compressed = deflate.compress(b"", &payload, &mut pool).unwrap().to_vec();
                for (max, fits) in
                    [(length + 1, true), (length, true), (length - 1, false), (0, false)]
                {
                    let mut inflate = receiver(takeover);
                    let mut data = vec![];
                    let result = inflate
                        .feed(&compressed, &mut data, max, &mut pool)
                        .and_then(|()| inflate.finish(&mut data, max, &mut pool));
                    let expected = ProtocolError::InflatedTooLong { max };
                    assert_eq!(result, if fits { Ok(()) } else { Err(expected) });
                    assert!(data.len() <= max && data.capacity() <= max, "{}", data.capacity());
                    assert_eq!(data == payload, fits);
                }
            }
        }
    }

    #[test]
    fn what_comes_first_is_told_however_the_bytes_are_cut() {
        // RFC 1951, § 3.2: a stored block with three bytes; then, with fixed codes, a fourth and a
        // distance that does not exist.
        let message = b"\x00\x03\x00\xfc\xffabc\xaa\x00\x3e";
        let mut pool = CompressionPool::new();
        for (max, expected) in
            [(3, ProtocolError::InflatedTooLong { max: 3 }), (4, ProtocolError::InvalidCompression)]
        {
            for length in [message.len(), 1] {
                let (mut inflate, mut data) = (receiver(false), vec![]);
                let mut pieces = message.chunks(length);
                let result =
                    pieces.try_for_each(|piece| inflate.feed(piece, &mut data, max, &mut pool));
                assert_eq!(result, Err(expected), "{length} bytes at a time");
            }
        }
    }

    #[test]
    fn bombs_are_not_unpacked() {
        let mut pool = CompressionPool::new();
        let mut deflate = sender(false);
        let bomb = deflate.compress(b"", &vec![0; 100 << 20], &mut pool).unwrap().to_vec();
        assert!(bomb.len() < (100 << 20) / 1000);
        let mut data = vec![];
        let error = receiver(false).feed(&bomb, &mut data, 1 << 20, &mut pool);
        assert_eq!(error, Err(ProtocolError::InflatedTooLong { max: 1 << 20 }));
        assert!(data.capacity() <= 1 << 20);
    }

    #[test]
    fn states_go_back_to_the_pool() {
        let mut pool = CompressionPool::new();
        let (mut deflate, mut inflate) = (sender(false), receiver(false));
        for _ in 0..3 {
            let message = deflate.compress(b"", &[5; 5000], &mut pool).unwrap().to_vec();
            let mut data = vec![];
            inflate.feed(&message, &mut data, 5000, &mut pool).unwrap();
            assert!(inflate.0.zlib.is_some(), "it is needed for the rest");
            inflate.finish(&mut data, 5000, &mut pool).unwrap();
            assert_eq!(data, [5; 5000]);
            assert!(inflate.0.zlib.is_none() && deflate.0.takeover.is_none());
            assert_eq!((pool.inflaters.len(), pool.deflaters.len()), (1, 1));
        }
        for bits in 9..=15 {
            let negotiated = Negotiated { window_bits: Some(bits), ..negotiated(false) };
            let mut deflate = Deflate::new(&negotiated).unwrap();
            deflate.compress(b"", &[5; 5000], &mut pool).unwrap();
        }
        assert_eq!(pool.deflaters.len(), KEPT_DEFLATERS);
    }

    #[test]
    fn what_does_not_become_smaller_is_sent_as_it_is() {
        let mut pool = CompressionPool::new();
        let noise: Vec<u8> =
            (0..2000_u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        assert_eq!(sender(false).compress(b"", b"a", &mut pool), None);
        assert!(sender(true).compress(b"", b"a", &mut pool).is_some());
        assert!(sender(true).compress(b"", &noise, &mut pool).is_some());
        let threshold = Negotiated { threshold: 1024, ..negotiated(true) };
        let mut deflate = Deflate::new(&threshold).unwrap();
        assert_eq!(deflate.compress(b"4", &[b'x'; 1022], &mut pool), None);
        assert!(deflate.compress(b"4", &[b'x'; 1023], &mut pool).is_some());
    }

    fn sender(takeover: bool) -> Deflate {
        Deflate::new(&negotiated(takeover)).unwrap()
    }

    fn receiver(takeover: bool) -> Inflate {
        Inflate::new(&negotiated(takeover)).unwrap()
    }

    fn negotiated(takeover: bool) -> Negotiated {
        let options = PerMessageDeflate::new().threshold(0).context_takeover(takeover);
        options.accept("permessage-deflate").unwrap().unwrap().0
    }
}
