//! Frames to messages, decoded where the bytes lie.
//!
//! ```text
//! Header ──(header complete)──► Data ────(frame complete, not the last)──► Header
//!    ▲                           │ └──(last frame complete: Text, Binary)──► Header
//!    └────(Ping, Pong)── Control ◄─(header complete)                             │
//!                           └──(Close)──► Closed ◄──(any error)──────────────────┘
//! ```
//!
//! A frame that lies whole in the input is handed out from there without a copy. Only what is
//! incomplete at the end of the input is kept: a few header bytes in place, payload in one buffer
//! that grows as bytes arrive, never by a length that was merely announced. Fragments are joined in
//! that same buffer, so a fragment costs nothing beyond its payload.
//!
//! A compressed message is inflated into that buffer as it arrives, and limited by what it inflates to.
//!
//! Source: RFC 6455, §§ 5 and 8.1; RFC 7692, § 6.

use std::borrow::Cow;

use super::close::{CloseCode, CloseFrame};
use super::compression::{CompressionPool, Inflate, Negotiated};
use super::error::ProtocolError;
use super::frame::{FrameHeader, MAX_CONTROL_BYTES, MAX_HEADER_BYTES, Opcode, RSV1};
use super::mask;
use super::utf8::Utf8Check;

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Receives unmasked frames, sends masked ones.
    Client,
    /// Receives masked frames, sends unmasked ones.
    Server,
}

/// Something whole that the peer has sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// A ping. It has to be answered with a pong that carries the same payload.
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong(Cow<'a, [u8]>),
    /// The peer closes the connection. Nothing that follows is decoded.
    Close(Option<CloseFrame<'a>>),
}

/// Turns a byte stream into [`Event`]s.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message: usize,
    state: State,
    /// The message whose last frame has not ended yet.
    message: Option<Box<Message>>,
    inflate: Option<Inflate>,
}

impl Decoder {
    /// Creates a decoder for the given side that refuses messages longer than `max_message` bytes, and
    /// takes compressed ones if that was negotiated.
    pub fn new(role: Role, max_message: usize, negotiated: Option<&Negotiated>) -> Self {
        let inflate = negotiated.and_then(Inflate::new);
        Self { role, max_message, state: State::START, message: None, inflate }
    }

    /// Takes bytes from the front of `input`, at most one [`Event`]'s worth, and says how many. Call
    /// it again with the rest until the rest is empty; bytes of an incomplete message are kept.
    ///
    /// `input` is changed: masked payloads are unmasked where they lie.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol. The connection cannot be resumed: later bytes are discarded.
    #[inline(always)]
    pub fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
        pool: &mut CompressionPool,
    ) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        if let Some((opcode, start, end)) = self.short_frame(input) {
            let payload = &input[start..end];
            let event = match opcode {
                ShortFrame::Text => match simdutf8::basic::from_utf8(payload) {
                    Ok(text) => Event::Text(Cow::Borrowed(text)),
                    Err(_) => return self.fail(ProtocolError::InvalidUtf8),
                },
                ShortFrame::Binary => Event::Binary(Cow::Borrowed(payload)),
            };
            return Ok((end, Some(event)));
        }
        self.decode_any(input, pool)
    }

    /// What [`decode`](Self::decode) does, whatever the input is.
    #[inline(never)]
    fn decode_any<'a>(
        &mut self,
        input: &'a mut [u8],
        pool: &mut CompressionPool,
    ) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        if let State::Header { length: 0, .. } = self.state {
            match self.whole_frame(input) {
                Ok(Some((header, start, end))) => {
                    return match event(header.opcode, Cow::Borrowed(&input[start..end])) {
                        Ok(event) => {
                            if let Event::Close(_) = event {
                                self.close();
                            }
                            Ok((end, Some(event)))
                        }
                        Err(error) => self.fail(error),
                    };
                }
                Ok(None) => {}
                Err(error) => return self.fail(error),
            }
        }
        match self.collect(input, pool) {
            Ok(progress) => Ok(progress),
            Err(error) => self.fail(error),
        }
    }

    /// Whether a message or frame has begun and not ended.
    pub fn is_mid_message(&self) -> bool {
        match &self.state {
            State::Header { length, .. } => *length > 0 || self.message.is_some(),
            State::Data { .. } | State::Control { .. } => true,
            State::Closed => false,
        }
    }

    /// Bytes of heap that hold the incomplete message; what inflates it is not counted.
    pub fn held_bytes(&self) -> usize {
        let control = match &self.state {
            State::Control(control) => size_of::<Control>() + control.payload.capacity(),
            State::Header { .. } | State::Data { .. } | State::Closed => 0,
        };
        let message = self.message.as_ref();
        control + message.map_or(0, |message| size_of::<Message>() + message.data.capacity())
    }

    /// Finds what nearly all frames are: a short message in one frame, which lies whole at the start of
    /// `input`. It is all right whatever the rules say of others, so only it is compared with, in few
    /// steps. The payload is unmasked, and stands from `start` to `end`.
    #[inline]
    fn short_frame(&self, input: &mut [u8]) -> Option<(ShortFrame, usize, usize)> {
        let (State::Header { length: 0, .. }, None) = (&self.state, &self.message) else {
            return None;
        };
        let (&mut [first, second], rest) = input.split_first_chunk_mut()?;
        let kind = match first {
            0x81 => ShortFrame::Text,
            0x82 => ShortFrame::Binary,
            _ => return None,
        };
        let (key, length) = match self.role {
            Role::Server => (4, usize::from(second ^ 0x80)),
            Role::Client => (0, usize::from(second)),
        };
        if length > MAX_CONTROL_BYTES || length > self.max_message || rest.len() < key + length {
            return None;
        }
        if let (Role::Server, Some((key, payload))) = (self.role, rest.split_first_chunk_mut()) {
            mask::apply(&mut payload[..length], *key, 0);
        }
        let start = 2 + key;
        Some((kind, start, start + length))
    }

    /// Finds a frame that lies whole at the start of `input` and is an event by itself: its payload
    /// is unmasked, and stands from `start` to `end`.
    #[inline]
    fn whole_frame(
        &self,
        input: &mut [u8],
    ) -> Result<Option<(FrameHeader, usize, usize)>, ProtocolError> {
        let Some((header, start)) = FrameHeader::parse(input)? else {
            return Ok(None);
        };
        self.check(&header)?;
        let whole = match header.opcode {
            Opcode::Text | Opcode::Binary => header.fin && header.reserved == 0,
            Opcode::Continuation => false,
            Opcode::Close | Opcode::Ping | Opcode::Pong => true,
        };
        if !whole || header.length > (input.len() - start) as u64 {
            return Ok(None);
        }
        let end = start + header.length as usize;
        if let Some(key) = header.mask {
            mask::apply(&mut input[start..end], key, 0);
        }
        Ok(Some((header, start, end)))
    }

    /// Refuses what can be refused by the header alone, before any payload is stored.
    #[inline]
    fn check(&self, header: &FrameHeader) -> Result<(), ProtocolError> {
        if header.reserved != 0 && !self.begins_compressed(header) {
            return Err(ProtocolError::ReservedBits(header.reserved));
        }
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(ProtocolError::UnmaskedFrame),
            (Role::Client, Some(_)) => return Err(ProtocolError::MaskedFrame),
            (Role::Server, Some(_)) | (Role::Client, None) => {}
        }
        let joined = match (header.opcode, &self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(ProtocolError::UnfinishedMessage);
            }
            (Opcode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            // What counts is what it inflates to.
            (Opcode::Text | Opcode::Binary, None) if header.reserved != 0 => return Ok(()),
            (Opcode::Continuation, Some(message)) if message.compressed => return Ok(()),
            (Opcode::Text | Opcode::Binary, None) => header.length,
            // Both numbers are below 2^63, so the sum cannot wrap.
            (Opcode::Continuation, Some(message)) => header.length + message.data.len() as u64,
        };
        if joined > self.max_message as u64 {
            return Err(ProtocolError::MessageTooLong { length: joined, max: self.max_message });
        }
        Ok(())
    }

    /// Whether the frame is the first of a compressed message, which only it says (RFC 7692, § 6).
    fn begins_compressed(&self, header: &FrameHeader) -> bool {
        self.inflate.is_some()
            && header.reserved == RSV1
            && matches!(header.opcode, Opcode::Text | Opcode::Binary)
    }

    /// Takes everything up to the end of the next event, keeping what is incomplete.
    fn collect<'a>(
        &mut self,
        input: &mut [u8],
        pool: &mut CompressionPool,
    ) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        let mut taken = 0;
        loop {
            let rest = &mut input[taken..];
            match &mut self.state {
                State::Closed => return Ok((input.len(), None)),
                State::Header { bytes, length } => {
                    let held = usize::from(*length);
                    let Some((&byte, _)) = rest.split_first() else {
                        return Ok((taken, None));
                    };
                    taken += 1;
                    bytes[held] = byte;
                    *length += 1;
                    if let Some((header, _)) = FrameHeader::parse(&bytes[..=held])? {
                        self.check(&header)?;
                        self.begin(header);
                    }
                }
                State::Control(control) => {
                    let Control { header, payload } = &mut **control;
                    let missing = header.length as usize - payload.len();
                    let piece_len = missing.min(rest.len());
                    let piece = &mut rest[..piece_len];
                    if let Some(key) = header.mask {
                        mask::apply(piece, key, payload.len());
                    }
                    payload.extend_from_slice(piece);
                    taken += piece.len();
                    if piece.len() < missing {
                        return Ok((taken, None));
                    }
                    let event = event(header.opcode, Cow::Owned(std::mem::take(payload)))?;
                    match event {
                        Event::Close(_) => self.close(),
                        Event::Text(_) | Event::Binary(_) | Event::Ping(_) | Event::Pong(_) => {
                            self.state = State::START;
                        }
                    }
                    return Ok((taken, Some(event)));
                }
                State::Data { header, received } => {
                    let missing = header.length - *received;
                    let piece_len = usize::try_from(missing).map_or(rest.len(), |missing| {
                        missing.min(rest.len()) // a frame may be longer than this machine's memory
                    });
                    let piece = &mut rest[..piece_len];
                    if let Some(key) = header.mask {
                        mask::apply(piece, key, (*received % 4) as usize);
                    }
                    let message = self.message.as_mut().expect("begin() makes one for data frames");
                    let inflate = self.inflate.as_mut().filter(|_| message.compressed);
                    match inflate {
                        Some(inflate) => message
                            .grow(|data| inflate.feed(piece, data, self.max_message, pool))?,
                        None => {
                            // Behind the last frame nothing follows; behind others, all there may be.
                            let rest = self.max_message - message.data.len();
                            let useful = usize::try_from(missing).unwrap_or(usize::MAX);
                            message.append(piece, if header.fin { useful } else { rest })?;
                        }
                    }
                    taken += piece_len;
                    *received += piece_len as u64;
                    if *received < header.length {
                        return Ok((taken, None));
                    }
                    let fin = header.fin;
                    self.state = State::START;
                    if fin {
                        let mut message = self.message.take().expect("it was appended to above");
                        let inflate = self.inflate.as_mut().filter(|_| message.compressed);
                        if let Some(inflate) = inflate {
                            message.grow(|data| inflate.finish(data, self.max_message, pool))?;
                        }
                        return Ok((taken, Some(message.finish()?)));
                    }
                }
            }
        }
    }

    /// Enters the state that takes the payload behind `header`.
    fn begin(&mut self, header: FrameHeader) {
        let text = match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                self.state = State::Control(Box::new(Control { header, payload: vec![] }));
                return;
            }
            Opcode::Text => Some(Utf8Check::default()),
            Opcode::Binary | Opcode::Continuation => None,
        };
        let compressed = header.reserved != 0;
        self.message.get_or_insert_with(|| Box::new(Message { text, compressed, data: vec![] }));
        self.state = State::Data { header, received: 0 };
    }

    #[cold]
    fn fail<T>(&mut self, error: ProtocolError) -> Result<T, ProtocolError> {
        self.close();
        Err(error)
    }

    /// Lets go of everything: the connection cannot be resumed.
    #[cold]
    fn close(&mut self) {
        self.state = State::Closed;
        self.message = None;
        if let Some(inflate) = &mut self.inflate {
            inflate.abandon();
        }
    }
}

/// A message of at most 125 bytes, in one frame that is not compressed.
enum ShortFrame {
    Text,
    Binary,
}

/// A whole payload as the event that its opcode says.
#[inline]
fn event(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Event<'_>, ProtocolError> {
    Ok(match opcode {
        Opcode::Text => Event::Text(text(payload)?),
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(close_frame(payload)?),
    })
}

#[inline]
fn text(payload: Cow<'_, [u8]>) -> Result<Cow<'_, str>, ProtocolError> {
    match payload {
        Cow::Borrowed(bytes) => simdutf8::basic::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
    }
    .ok_or(ProtocolError::InvalidUtf8)
}

fn close_frame(payload: Cow<'_, [u8]>) -> Result<Option<CloseFrame<'_>>, ProtocolError> {
    let code = match *payload {
        [] => return Ok(None),
        [_] => return Err(ProtocolError::CloseTruncated),
        [high, low, ..] => CloseCode(u16::from_be_bytes([high, low])),
    };
    if !code.may_be_sent() {
        return Err(ProtocolError::CloseCodeInvalid(code.0));
    }
    let reason = match payload {
        Cow::Borrowed(bytes) => text(Cow::Borrowed(&bytes[2..]))?,
        Cow::Owned(bytes) => text(Cow::Owned(bytes[2..].to_vec()))?,
    };
    Ok(Some(CloseFrame { code, reason }))
}

/// What the next byte belongs to.
#[derive(Debug)]
enum State {
    /// A frame header, of which `length` bytes are there.
    Header { bytes: [u8; MAX_HEADER_BYTES], length: u8 },
    /// The payload of a ping, pong or close.
    Control(Box<Control>),
    /// The payload of a data frame, of which `received` bytes are in the message.
    Data { header: FrameHeader, received: u64 },
    /// Nothing: the peer has closed the connection, or broken it.
    Closed,
}

impl State {
    const START: Self = Self::Header { bytes: [0; MAX_HEADER_BYTES], length: 0 };
}

/// A ping, pong or close that arrives in pieces.
#[derive(Debug)]
struct Control {
    header: FrameHeader,
    payload: Vec<u8>,
}

/// A message that arrives in pieces.
#[derive(Debug)]
struct Message {
    /// Where the text stands in its check; `None` for binary messages.
    text: Option<Utf8Check>,
    compressed: bool,
    data: Vec<u8>,
}

impl Message {
    /// Adds an unmasked piece. `useful` is what may still follow, the piece included.
    fn append(&mut self, piece: &[u8], useful: usize) -> Result<(), ProtocolError> {
        if let Some(utf8) = &mut self.text {
            utf8.feed(piece).map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        if self.data.capacity() - self.data.len() < piece.len() {
            // Doubling, as `Vec` does, but not beyond the end.
            let doubled = piece.len().max(self.data.len());
            self.data.reserve_exact(doubled.min(useful).max(piece.len()));
        }
        self.data.extend_from_slice(piece);
        Ok(())
    }

    /// Lets `grow` append.
    fn grow(
        &mut self,
        grow: impl FnOnce(&mut Vec<u8>) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let start = self.data.len();
        grow(&mut self.data)?;
        match &mut self.text {
            Some(utf8) => utf8.feed(&self.data[start..]).map_err(|_| ProtocolError::InvalidUtf8),
            None => Ok(()),
        }
    }

    fn finish<'a>(self) -> Result<Event<'a>, ProtocolError> {
        match self.text {
            Some(utf8) if !utf8.is_complete() => Err(ProtocolError::InvalidUtf8),
            Some(_) => Ok(Event::Text(text(Cow::Owned(self.data))?)),
            None => Ok(Event::Binary(Cow::Owned(self.data))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn whole_messages() {
        check(&[(true, Opcode::Text, b"hi")], &[Seen::Text("hi")]);
        check(&[(true, Opcode::Text, b"")], &[Seen::Text("")]);
        check(&[(true, Opcode::Binary, b"\x00\xff")], &[Seen::Binary(b"\x00\xff")]);
        check(
            &[(true, Opcode::Text, b"a"), (true, Opcode::Ping, b"p"), (true, Opcode::Binary, b"b")],
            &[Seen::Text("a"), Seen::Ping(b"p"), Seen::Binary(b"b")],
        );
    }

    #[test]
    fn fragments_are_joined_around_control_frames() {
        check(
            &[
                (false, Opcode::Text, b"h\xc3"),
                (true, Opcode::Ping, b"1"),
                (false, Opcode::Continuation, b""),
                (true, Opcode::Pong, b""),
                (true, Opcode::Continuation, b"\xa9"),
                (true, Opcode::Text, b"next"),
            ],
            &[Seen::Ping(b"1"), Seen::Pong(b""), Seen::Text("hé"), Seen::Text("next")],
        );
    }

    #[test]
    fn fragments_of_a_byte_are_not_moved_one_by_one() {
        const COUNT: usize = 10_000;
        let mut pool = CompressionPool::new();
        let mut decoder = Decoder::new(Role::Server, COUNT, None);
        let (mut grown, mut capacity) = (0, 0);
        for number in 0..COUNT {
            let opcode = if number == 0 { Opcode::Binary } else { Opcode::Continuation };
            let mut bytes = vec![];
            frame::encode(opcode, Some(KEY), &[], b"x", &mut bytes);
            bytes[0] &= 0x7f; // not the last
            let length = bytes.len();
            assert_eq!(decoder.decode(&mut bytes, &mut pool), Ok((length, None)));
            let now = decoder.held_bytes();
            grown += usize::from(now != capacity);
            capacity = now;
        }
        assert!(grown <= 16, "the buffer has grown {grown} times");
        assert_eq!(capacity, COUNT + size_of::<Message>(), "and never beyond what is allowed");
    }

    #[test]
    fn close_ends_the_stream() {
        let mut payload = 1000_u16.to_be_bytes().to_vec();
        payload.extend_from_slice(b"bye");
        check(
            &[(true, Opcode::Close, &payload), (true, Opcode::Text, b"late")],
            &[Seen::Close(Some((1000, "bye")))],
        );
        check(&[(true, Opcode::Close, b"")], &[Seen::Close(None)]);
    }

    #[test]
    fn close_lets_go_of_a_message_that_has_not_ended() {
        let frames: Frames<'_> = &[(false, Opcode::Text, b"half"), (true, Opcode::Close, b"")];
        let mut pool = CompressionPool::new();
        for pieces in splits(&encoded(frames)) {
            let mut decoder = Decoder::new(Role::Server, 100, None);
            for mut piece in pieces {
                let mut rest = &mut piece[..];
                while !rest.is_empty() {
                    let (taken, _) = decoder.decode(rest, &mut pool).unwrap();
                    rest = &mut rest[taken..];
                }
            }
            assert_eq!(decoder.held_bytes(), 0);
        }
    }

    #[test]
    fn broken_rules() {
        use ProtocolError as E;
        fails(&[(true, Opcode::Close, b"\x03")], E::CloseTruncated);
        fails(&[(true, Opcode::Close, b"\x03\xe7")], E::CloseCodeInvalid(999));
        fails(&[(true, Opcode::Close, b"\x03\xe8\xff")], E::InvalidUtf8);
        fails(&[(true, Opcode::Continuation, b"")], E::UnexpectedContinuation);
        fails(&[(false, Opcode::Text, b"a"), (true, Opcode::Text, b"b")], E::UnfinishedMessage);
        fails(&[(true, Opcode::Text, b"\xff")], E::InvalidUtf8);
        fails(&[(true, Opcode::Text, b"\xc3")], E::InvalidUtf8);
        fails(&[(false, Opcode::Text, b"\xc3"), (true, Opcode::Continuation, b"")], E::InvalidUtf8);
    }

    #[test]
    fn messages_may_be_as_long_as_the_limit_and_no_longer() {
        let long = |length| E::MessageTooLong { length, max: LIMIT };
        use ProtocolError as E;
        check(&[(true, Opcode::Binary, &[7; LIMIT])], &[Seen::Binary(&[7; LIMIT])]);
        fails(&[(true, Opcode::Binary, &[7; LIMIT + 1])], long(LIMIT as u64 + 1));
        fails(
            &[(false, Opcode::Binary, &[7; LIMIT]), (true, Opcode::Continuation, &[7; 1])],
            long(LIMIT as u64 + 1),
        );
    }

    #[test]
    fn announced_lengths_are_not_allocated() {
        let mut decoder = Decoder::new(Role::Server, usize::MAX, None);
        let header = FrameHeader {
            fin: true,
            reserved: 0,
            opcode: Opcode::Binary,
            mask: Some(KEY),
            length: 1 << 62,
        };
        let mut bytes = vec![];
        header.encode(&mut bytes);
        bytes.extend_from_slice(&[0; 10]);
        let length = bytes.len();
        assert_eq!(decoder.decode(&mut bytes, &mut CompressionPool::new()), Ok((length, None)));
        assert!(decoder.is_mid_message());
        assert!(decoder.held_bytes() < 200, "{} bytes held", decoder.held_bytes());
    }

    #[test]
    fn tiny_fragments_cost_no_more_than_their_payload() {
        let mut decoder = Decoder::new(Role::Server, 1_000_000, None);
        for index in 0..131_000 {
            let opcode = if index == 0 { Opcode::Binary } else { Opcode::Continuation };
            let mut bytes = masked(false, opcode, b"x");
            decoder.decode(&mut bytes, &mut CompressionPool::new()).unwrap();
        }
        assert!(decoder.held_bytes() <= 2 * 131_000 + 4096, "{}", decoder.held_bytes());
    }

    #[test]
    fn masking_belongs_to_the_client() {
        let mut bytes = b"\x81\x00".to_vec();
        let error = Decoder::new(Role::Server, LIMIT, None)
            .decode(&mut bytes, &mut CompressionPool::new())
            .unwrap_err();
        assert_eq!(error, ProtocolError::UnmaskedFrame);
        let mut bytes = masked(true, Opcode::Text, b"");
        let error = Decoder::new(Role::Client, LIMIT, None)
            .decode(&mut bytes, &mut CompressionPool::new())
            .unwrap_err();
        assert_eq!(error, ProtocolError::MaskedFrame);
    }

    #[test]
    fn a_bad_character_is_refused_before_its_frame_ends() {
        let mut bytes = masked(true, Opcode::Text, b"ab\xf4\x90rest of the frame");
        let header_bytes = bytes.len() - 21;
        let mut decoder = Decoder::new(Role::Server, LIMIT, None);
        let error = decoder
            .decode(&mut bytes[..header_bytes + 4], &mut CompressionPool::new())
            .unwrap_err();
        assert_eq!(error, ProtocolError::InvalidUtf8);
        assert_eq!(decoder.held_bytes(), 0, "a broken connection holds nothing");
    }

    const LIMIT: usize = 300;

    type Frames<'a> = &'a [(bool, Opcode, &'a [u8])];

    #[derive(Debug, Eq, PartialEq)]
    enum Seen<'a> {
        Text(&'a str),
        Binary(&'a [u8]),
        Ping(&'a [u8]),
        Pong(&'a [u8]),
        Close(Option<(u16, &'a str)>),
    }

    /// Feeds the frames as masked bytes, whole, cut in two at every place, and byte by byte.
    #[track_caller]
    fn check(frames: Frames<'_>, expected: &[Seen<'_>]) {
        let bytes = encoded(frames);
        for pieces in splits(&bytes) {
            let mut decoder = Decoder::new(Role::Server, LIMIT, None);
            let mut expected = expected.iter();
            for mut piece in pieces {
                let mut rest = &mut piece[..];
                while !rest.is_empty() {
                    let (taken, event) = decoder
                        .decode(rest, &mut CompressionPool::new())
                        .expect("the frames are correct");
                    if let Some(event) = event {
                        assert_eq!(&seen(&event), expected.next().expect("no more was sent"));
                    }
                    rest = &mut rest[taken..];
                }
            }
            assert_eq!(expected.next(), None);
            assert!(!decoder.is_mid_message());
            assert_eq!(decoder.held_bytes(), 0);
        }
    }

    #[track_caller]
    fn fails(frames: Frames<'_>, expected: ProtocolError) {
        let bytes = encoded(frames);
        for pieces in splits(&bytes) {
            let mut decoder = Decoder::new(Role::Server, LIMIT, None);
            let mut failure = None;
            for mut piece in pieces {
                let mut rest = &mut piece[..];
                while !rest.is_empty() {
                    match decoder.decode(rest, &mut CompressionPool::new()) {
                        Ok((taken, _)) => rest = &mut rest[taken..],
                        Err(error) => {
                            failure.get_or_insert(error);
                            break;
                        }
                    }
                }
            }
            assert_eq!(failure, Some(expected));
        }
    }

    fn splits(bytes: &[u8]) -> impl Iterator<Item = Vec<Vec<u8>>> {
        let halves =
            (0..bytes.len().min(64)).map(|cut| vec![bytes[..cut].to_vec(), bytes[cut..].to_vec()]);
        let single = bytes.chunks(1).map(<[u8]>::to_vec).collect();
        halves.chain([single])
    }

    fn seen<'a>(event: &'a Event<'_>) -> Seen<'a> {
        match event {
            Event::Text(text) => Seen::Text(text),
            Event::Binary(data) => Seen::Binary(data),
            Event::Ping(data) => Seen::Ping(data),
            Event::Pong(data) => Seen::Pong(data),
            Event::Close(frame) => {
                Seen::Close(frame.as_ref().map(|frame| (frame.code.0, &*frame.reason)))
            }
        }
    }

    fn encoded(frames: Frames<'_>) -> Vec<u8> {
        frames.iter().flat_map(|&(fin, opcode, payload)| masked(fin, opcode, payload)).collect()
    }

    fn masked(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        frame::encode(opcode, Some(KEY), &[], payload, &mut bytes);
        if !fin {
            bytes[0] &= 0x7f;
        }
        bytes
    }
}
