//! Frames that are whole, in any order: fragments, what stands between them, texts that are cut within
//! their characters. Our decoder, tungstenite and RFC 6455, § 5.4, agree about the messages.

use arbitrary::{Result, Unstructured};
use heartwire_proto::websocket::{
    CompressionPool, Decoder, FrameHeader, Opcode, ProtocolError, Role, frame,
};

use super::seen::{Heard, Seen, compare, ours, theirs};
use crate::pieces::pieces;

/// A byte with the side and the limit, one with the length of the pieces, then frames: a byte with FIN
/// in its highest bit and what it is, one with its content.
pub(super) fn target(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(facts) = input.arbitrary::<u8>() else { return };
    let Ok(cut) = input.arbitrary::<u8>() else { return };
    let role = if facts & 1 == 0 { Role::Server } else { Role::Client };
    let max = [65_536, 60, 0][usize::from(facts >> 1) % 3];
    let key = [facts, cut, 0x5a, 0];
    let mut model = Model { max, ..Model::default() };
    let mut bytes = vec![];
    while !input.is_empty() && bytes.len() < MAX_BYTES {
        let Ok((fin, opcode, payload)) = next(&mut input) else { break };
        let mask = (role == Role::Server).then_some(key);
        FrameHeader { fin, reserved: 0, opcode, mask, length: payload.len() as u64 }
            .encode(&mut bytes);
        let start = bytes.len();
        bytes.extend_from_slice(&payload);
        if let Some(key) = mask {
            (bytes[start..].iter_mut().enumerate()).for_each(|(i, byte)| *byte ^= key[i % 4]);
        }
        if !model.is_over {
            model.take(fin, opcode, &payload);
        }
    }

    let mut pool = CompressionPool::new();
    let decoder = || Decoder::new(role, max, None);
    let whole = ours(&mut decoder(), [&bytes[..]], &mut pool);
    assert_eq!(ours(&mut decoder(), pieces(&bytes, &[cut]), &mut pool), whole, "cut at {cut}");
    model.compare(&whole);
    compare(&whole, &theirs(role, max, &bytes));
}

fn next(input: &mut Unstructured<'_>) -> Result<(bool, Opcode, Vec<u8>)> {
    let kind: u8 = input.arbitrary()?;
    let opcode = match kind & 0x0f {
        0..=4 => Opcode::Continuation,
        5..=7 => Opcode::Text,
        8..=10 => Opcode::Binary,
        11 | 12 => Opcode::Ping,
        13 | 14 => Opcode::Pong,
        _ => Opcode::Close,
    };
    let content: u8 = input.arbitrary()?;
    let payload = match content {
        0..=127 => {
            let length = usize::from(content & 0x3f).min(input.len());
            input.bytes(length)?.to_vec()
        }
        // A part of a character, of two or of something that is none.
        128..=191 => PARTS[usize::from(content) % PARTS.len()].to_vec(),
        192..=223 => {
            let code = CODES[usize::from(content) % CODES.len()].to_be_bytes();
            [&code[..], input.bytes(input.len().min(3))?].concat()
        }
        224..=239 => vec![b'a'; usize::from(content - 224) * 9],
        240..=255 => vec![b'a'; [125, 126, 127, 300, 70_000][usize::from(content) % 5]],
    };
    Ok((kind & 0x80 != 0, opcode, payload))
}

const PARTS: [&[u8]; 16] = [
    b"",
    b"a",
    b"\xc3",
    b"\xa9",
    b"\xe2",
    b"\xe2\x82",
    b"\xac",
    b"\x82\xac",
    b"\xf0",
    b"\xf0\x9f",
    b"\xf0\x9f\x8e",
    b"\x88",
    b"\x8e\x88",
    b"\xed\xa0",
    b"\xc0",
    b"\xf4\x90",
];

const CODES: [u16; 16] =
    [0, 999, 1000, 1001, 1004, 1005, 1006, 1007, 1011, 1012, 1015, 1016, 2999, 3000, 4999, 5000];

/// Enough for two frames that need the longest form of a length: more would only take time.
const MAX_BYTES: usize = 100_000;

/// The rules, frame by frame.
#[derive(Default)]
struct Model {
    max: usize,
    seen: Vec<Seen>,
    /// Text or not, and what has come of it.
    message: Option<(bool, Vec<u8>)>,
    /// The frame breaks a rule.
    is_broken: bool,
    is_over: bool,
}

impl Model {
    fn take(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) {
        let broken = match opcode {
            Opcode::Ping | Opcode::Pong | Opcode::Close => self.take_control(fin, opcode, payload),
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.take_data(fin, opcode, payload)
            }
        };
        self.is_broken = broken.is_none();
        self.is_over |= self.is_broken;
    }

    /// `None` if it breaks a rule.
    fn take_control(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) -> Option<()> {
        if !fin || payload.len() > frame::MAX_CONTROL_BYTES {
            return None;
        }
        self.seen.push(match (opcode, payload) {
            (Opcode::Ping, _) => Seen::Ping(payload.to_vec()),
            (Opcode::Pong, _) => Seen::Pong(payload.to_vec()),
            (_, []) => Seen::Close(None),
            (_, [_]) => return None,
            (_, &[high, low, ref reason @ ..]) => {
                let code = u16::from_be_bytes([high, low]);
                // RFC 6455, § 7.4, and the IANA registry.
                let is_known = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
                let reason = str::from_utf8(reason).ok().filter(|_| is_known)?;
                Seen::Close(Some((code, reason.to_owned())))
            }
        });
        self.is_over = opcode == Opcode::Close;
        Some(())
    }

    fn take_data(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) -> Option<()> {
        if (opcode == Opcode::Continuation) != self.message.is_some() {
            return None;
        }
        let (is_text, data) = self.message.get_or_insert_with(|| (opcode == Opcode::Text, vec![]));
        data.extend_from_slice(payload);
        if data.len() > self.max {
            return None;
        }
        if *is_text && let Err(error) = str::from_utf8(data) {
            // A character that goes on in the next frame is no fault.
            if fin || error.error_len().is_some() {
                return None;
            }
        }
        if fin {
            let (is_text, data) = self.message.take()?;
            self.seen.push(match is_text {
                true => Seen::Text(String::from_utf8(data).ok()?),
                false => Seen::Binary(data),
            });
        }
        Some(())
    }

    fn compare(&self, ours: &Heard<ProtocolError>) {
        assert_eq!(ours.seen, self.seen);
        assert_eq!(ours.error.is_some(), self.is_broken, "{:?}", ours.error);
    }
}
