//! The WebSocket codec against tungstenite: what one encodes the other decodes, and both refuse the
//! same bytes.

use std::io::{self, Cursor, Read, Write};

use heartwire_proto::websocket::{
    CompressionPool, Decoder, Event, Opcode, ProtocolError, Role, frame,
};
use proptest::prelude::*;
use tungstenite::protocol::{self, WebSocket, WebSocketConfig};

const MAX_MESSAGE: usize = 1 << 16;

/// What a peer has received, in words that both implementations share.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Refused,
}

/// A frame that may break the rules.
#[derive(Clone, Debug)]
struct Frame {
    first: u8,
    masked: bool,
    key: [u8; 4],
    payload: Vec<u8>,
}

impl Frame {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.first);
        let masked = u8::from(self.masked) << 7;
        match self.payload.len() {
            short @ 0..=125 => out.push(masked | short as u8),
            medium @ 126..=0xffff => {
                out.push(masked | 126);
                out.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                out.push(masked | 127);
                out.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        if self.masked {
            out.extend_from_slice(&self.key);
            out.extend(self.payload.iter().enumerate().map(|(i, byte)| byte ^ self.key[i % 4]));
        } else {
            out.extend_from_slice(&self.payload);
        }
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<String>().prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..200),
        proptest::collection::vec(any::<u8>(), 0..3),
        (prop_oneof![900..1014_u16, 1015..1100_u16, 2900..5100_u16], ".{0,20}").prop_map(
            |(code, reason)| {
                let mut payload = code.to_be_bytes().to_vec();
                payload.extend_from_slice(reason.as_bytes());
                payload
            }
        ),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![
        4 => Just(0_u8), 4 => Just(1), 4 => Just(2), 1 => Just(8), 2 => Just(9), 2 => Just(10),
        1 => 0..16_u8,
    ];
    let fin = prop_oneof![3 => Just(true), 1 => Just(false)];
    let reserved = prop_oneof![30 => Just(0_u8), 1 => 0..8_u8];
    let masked = prop_oneof![30 => Just(true), 1 => Just(false)];
    (opcode, fin, reserved, masked, any::<[u8; 4]>(), payload()).prop_map(
        |(opcode, fin, reserved, masked, key, payload)| Frame {
            first: u8::from(fin) << 7 | reserved << 4 | opcode,
            masked,
            key,
            payload,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn both_see_the_same(
        frames in proptest::collection::vec(any_frame(), 1..12),
        piece in 1..40_usize,
    ) {
        let mut bytes = vec![];
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let whole = ours(&bytes, usize::MAX);
        prop_assume!(!whole.iter().any(|seen| matches!(seen, Seen::Close(Some((1014, _))))));
        prop_assert_eq!(&ours(&bytes, piece), &whole);
        prop_assert_eq!(theirs(bytes), whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn they_read_what_we_write(
        payload in proptest::collection::vec(any::<u8>(), 0..70_000),
        key in any::<[u8; 4]>(),
    ) {
        let mut bytes = vec![];
        let (prefix, rest) = payload.split_at(payload.len() / 3);
        frame::encode(Opcode::Binary, Some(key), prefix, rest, &mut bytes);
        let expected = match payload.len() {
            0..=MAX_MESSAGE => Seen::Binary(payload),
            _ => Seen::Refused,
        };
        prop_assert_eq!(theirs(bytes), [expected]);
    }
}

#[test]
fn code_1014_is_registered_though_not_there() {
    // IANA registry "WebSocket Close Code Number": bad gateway.
    let mut bytes = b"\x88\x82\x00\x00\x00\x00\x03\xf6".to_vec();
    assert_eq!(ours(&bytes, usize::MAX), [Seen::Close(Some((1014, String::new())))]);
    assert_eq!(theirs(std::mem::take(&mut bytes)), [Seen::Refused]);
}

#[test]
fn lengths_must_be_minimal_here_though_not_there() {
    // RFC 6455, § 5.2: "the minimal number of bytes MUST be used to encode the length".
    let mut bytes = b"\x82\xfe\x00\x01\x00\x00\x00\x00x".to_vec();
    let error = Decoder::new(Role::Server, MAX_MESSAGE, None)
        .decode(&mut bytes, &mut CompressionPool::new())
        .unwrap_err();
    assert_eq!(error, ProtocolError::LengthNotMinimal(1));
    assert_eq!(theirs(bytes), [Seen::Binary(b"x".to_vec())]);
}

/// Everything up to the first close or error, as our decoder sees it, fed in pieces.
fn ours(bytes: &[u8], piece: usize) -> Vec<Seen> {
    let mut decoder = Decoder::new(Role::Server, MAX_MESSAGE, None);
    let mut seen = vec![];
    for chunk in bytes.chunks(piece.min(bytes.len())) {
        let mut chunk = chunk.to_vec();
        let mut rest = &mut chunk[..];
        while !rest.is_empty() {
            let taken = match decoder.decode(rest, &mut CompressionPool::new()) {
                Ok((taken, event)) => {
                    seen.extend(event.map(|event| match event {
                        Event::Text(text) => Seen::Text(text.into_owned()),
                        Event::Binary(data) => Seen::Binary(data.into_owned()),
                        Event::Ping(data) => Seen::Ping(data.into_owned()),
                        Event::Pong(data) => Seen::Pong(data.into_owned()),
                        Event::Close(None) => Seen::Close(None),
                        Event::Close(Some(close)) => {
                            Seen::Close(Some((close.code.0, close.reason.into_owned())))
                        }
                    }));
                    taken
                }
                Err(_) => {
                    seen.push(Seen::Refused);
                    return seen;
                }
            };
            rest = &mut rest[taken..];
        }
    }
    seen
}

/// The same, as tungstenite sees it.
fn theirs(bytes: Vec<u8>) -> Vec<Seen> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let stream = OneWay(Cursor::new(bytes));
    let mut socket = WebSocket::from_raw_socket(stream, protocol::Role::Server, Some(config));
    let mut seen = vec![];
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => seen.push(Seen::Text(text.to_string())),
            Ok(tungstenite::Message::Binary(data)) => seen.push(Seen::Binary(data.to_vec())),
            Ok(tungstenite::Message::Ping(data)) => seen.push(Seen::Ping(data.to_vec())),
            Ok(tungstenite::Message::Pong(data)) => seen.push(Seen::Pong(data.to_vec())),
            // How tungstenite reports a close code that may not be sent.
            Ok(tungstenite::Message::Close(Some(close)))
                if close.reason == "Protocol violation" =>
            {
                seen.push(Seen::Refused);
                return seen;
            }
            Ok(tungstenite::Message::Close(close)) => {
                let close = close.map(|close| (close.code.into(), close.reason.to_string()));
                seen.push(Seen::Close(close));
                return seen;
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("read() joins frames"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return seen;
            }
            Err(_) => {
                seen.push(Seen::Refused);
                return seen;
            }
        }
    }
}

/// Bytes to read; what is written is dropped. At the end it waits for more, as a socket does.
struct OneWay(Cursor<Vec<u8>>);

impl Read for OneWay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            result => result,
        }
    }
}

impl Write for OneWay {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
