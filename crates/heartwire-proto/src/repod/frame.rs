//! Byte streams to payloads, decoded where the bytes lie.
//!
//! A frame that lies whole in the input is handed out from there without a copy. Of one that does not,
//! the payload is collected in a buffer that grows as bytes arrive, never by the length that was
//! announced: the work is linear in the bytes, whatever the cuts.

use std::borrow::Cow;
use std::fmt;

use super::encode::LENGTH_BYTES;

/// Cuts a byte stream into payloads.
#[derive(Debug)]
pub struct FrameDecoder {
    max_payload: usize,
    state: State,
}

/// Bytes that were taken, and the payload that ended with them.
type Decoded<'a> = (usize, Option<Cow<'a, [u8]>>);

#[derive(Debug)]
enum State {
    /// A length, of which `held` bytes are there.
    Length { bytes: [u8; LENGTH_BYTES], held: u8 },
    /// A payload of `length` bytes, the start of which is there.
    Payload { length: usize, received: Vec<u8> },
    /// Nothing: a frame was refused.
    Failed,
}

impl State {
    const START: Self = Self::Length { bytes: [0; LENGTH_BYTES], held: 0 };
}

impl FrameDecoder {
    /// Creates a decoder that refuses payloads longer than `max_payload` bytes.
    pub fn new(max_payload: usize) -> Self {
        Self { max_payload, state: State::START }
    }

    /// Takes bytes from the front of `input`, at most one frame's worth, and says how many. Call it
    /// again with the rest until the rest is empty; bytes of an incomplete frame are kept.
    ///
    /// # Errors
    ///
    /// A frame is longer than accepted, as soon as its length is known. The stream cannot be resumed:
    /// later bytes are discarded.
    #[inline]
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, FrameTooLong> {
        if let State::Length { held: 0, .. } = self.state
            && let Some((length, rest)) = input.split_first_chunk::<LENGTH_BYTES>()
        {
            let length = self.check(*length)?;
            if let Some(payload) = rest.get(..length) {
                return Ok((LENGTH_BYTES + length, Some(Cow::Borrowed(payload))));
            }
            self.state = State::Payload { length, received: rest.to_vec() };
            return Ok((input.len(), None));
        }
        self.collect(input)
    }

    /// Whether a frame has begun and not ended.
    pub fn is_mid_frame(&self) -> bool {
        match &self.state {
            State::Length { held, .. } => *held > 0,
            State::Payload { .. } => true,
            State::Failed => false,
        }
    }

    /// Bytes of heap that hold the incomplete frame.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Payload { received, .. } => received.capacity(),
            State::Length { .. } | State::Failed => 0,
        }
    }

    /// Takes bytes of a frame that lies in pieces.
    fn collect<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, FrameTooLong> {
        let mut taken = 0;
        loop {
            let rest = &input[taken..];
            match &mut self.state {
                State::Length { bytes, held } => {
                    let start = usize::from(*held);
                    let count = rest.len().min(LENGTH_BYTES - start);
                    bytes[start..start + count].copy_from_slice(&rest[..count]);
                    *held += count as u8;
                    taken += count;
                    if start + count < LENGTH_BYTES {
                        return Ok((taken, None));
                    }
                    let length = *bytes;
                    let length = self.check(length)?;
                    self.state = State::Payload { length, received: vec![] };
                }
                State::Payload { length, received } => {
                    let missing = *length - received.len();
                    let count = rest.len().min(missing);
                    if received.capacity() - received.len() < count {
                        // Doubling, as `Vec` does, but not beyond the end of the frame.
                        let doubled = received.len().max(count);
                        received.reserve_exact(doubled.min(missing));
                    }
                    received.extend_from_slice(&rest[..count]);
                    taken += count;
                    if count < missing {
                        return Ok((taken, None));
                    }
                    let payload = std::mem::take(received);
                    self.state = State::START;
                    return Ok((taken, Some(Cow::Owned(payload))));
                }
                State::Failed => return Ok((input.len(), None)),
            }
        }
    }

    fn check(&mut self, length: [u8; LENGTH_BYTES]) -> Result<usize, FrameTooLong> {
        let length = u32::from_be_bytes(length) as usize;
        if length > self.max_payload {
            self.state = State::Failed;
            return Err(FrameTooLong { length, max_payload: self.max_payload });
        }
        Ok(length)
    }
}

/// The peer announced a frame that is longer than this side accepts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameTooLong {
    /// Bytes that the peer announced.
    pub length: usize,
    /// Bytes that this side accepts.
    pub max_payload: usize,
}

impl fmt::Display for FrameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame of {} bytes, at most {} accepted", self.length, self.max_payload)
    }
}

impl std::error::Error for FrameTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_anywhere_gives_the_same_payloads() {
        let frames: &[&[u8]] = &[b"hi", b"", b"a longer payload", b"x"];
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|payload| [&(payload.len() as u32).to_be_bytes(), *payload].concat())
            .collect();
        for cut in 0..=bytes.len() {
            check(&[&bytes[..cut], &bytes[cut..]], frames);
        }
        check(&bytes.chunks(1).collect::<Vec<_>>(), frames);
        check(&bytes.chunks(3).collect::<Vec<_>>(), frames);
    }

    #[test]
    fn too_long_is_refused_before_the_payload_arrives() {
        let expected = Err(FrameTooLong { length: 101, max_payload: 100 });
        assert_eq!(FrameDecoder::new(100).decode(b"\x00\x00\x00\x65"), expected);
        let mut decoder = FrameDecoder::new(100);
        assert_eq!(decoder.decode(b"\x00\x00\x00"), Ok((3, None)));
        assert_eq!(decoder.decode(b"\x65rest"), expected);
        assert_eq!(decoder.decode(b"more"), Ok((4, None)), "nothing is decoded after that");
    }

    #[test]
    fn announced_lengths_are_not_allocated() {
        let mut decoder = FrameDecoder::new(usize::MAX);
        decoder.decode(b"\xff\xff\xff\xffsome bytes").unwrap();
        assert!(decoder.is_mid_frame());
        assert!(decoder.held_bytes() < 100, "{}", decoder.held_bytes());
    }

    #[test]
    fn memory_follows_what_has_arrived() {
        let length = 1 << 20;
        let mut decoder = FrameDecoder::new(length);
        decoder.decode(&(length as u32).to_be_bytes()).unwrap();
        let piece = [7; 4096];
        for arrived in 1..length / piece.len() {
            decoder.decode(&piece).unwrap();
            assert!(decoder.held_bytes() <= 2 * arrived * piece.len());
        }
        let (_, payload) = decoder.decode(&piece).unwrap();
        assert_eq!(payload.unwrap().len(), length);
        assert_eq!(decoder.held_bytes(), 0);
    }

    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[&[u8]]) {
        let mut decoder = FrameDecoder::new(100);
        let mut expected = expected.iter();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, payload) = decoder.decode(rest).unwrap();
                if let Some(payload) = payload {
                    assert_eq!(*payload, **expected.next().unwrap());
                }
                rest = &rest[taken..];
            }
        }
        assert_eq!(expected.next(), None);
        assert!(!decoder.is_mid_frame());
    }
}
