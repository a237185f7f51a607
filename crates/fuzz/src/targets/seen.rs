//! What a side of a WebSocket has received, as our decoder and as tungstenite see it.

use std::io::{self, Cursor, Read, Write};

use heartwire_proto::websocket::{CompressionPool, Decoder, Event, ProtocolError, Role, frame};
use tungstenite::protocol::{self, WebSocket, WebSocketConfig};

/// Something whole that was received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Seen {
    pub(super) fn of(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_owned()),
            Event::Binary(data) => Self::Binary(data.into_owned()),
            Event::Ping(data) => Self::Ping(data.into_owned()),
            Event::Pong(data) => Self::Pong(data.into_owned()),
            Event::Close(close) => {
                Self::Close(close.map(|close| (close.code.0, close.reason.into_owned())))
            }
        }
    }

    fn is_control(&self) -> bool {
        matches!(self, Self::Ping(_) | Self::Pong(_) | Self::Close(_))
    }
}

/// Everything up to the first error, if there is one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Heard<E> {
    pub(super) seen: Vec<Seen>,
    pub(super) error: Option<E>,
}

/// What our decoder makes of pieces.
pub(super) fn ours<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    pool: &mut CompressionPool,
) -> Heard<ProtocolError> {
    let mut heard = Heard { seen: vec![], error: None };
    let mut received = 0;
    for piece in pieces {
        received += piece.len();
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        while !rest.is_empty() {
            let was_over =
                heard.error.is_some() || matches!(heard.seen.last(), Some(Seen::Close(_)));
            match decoder.decode(rest, pool) {
                Ok((taken, event)) => {
                    assert!(taken > 0 || event.is_some(), "it takes nothing and says nothing");
                    assert!(!was_over || event.is_none(), "{event:?} after the end");
                    heard.seen.extend(event.map(Seen::of));
                    rest = &mut rest[taken..];
                }
                Err(error) => {
                    assert!(!was_over, "{error} after the end");
                    heard.error = Some(error);
                    rest = &mut [];
                }
            }
        }
        let is_over = heard.error.is_some() || matches!(heard.seen.last(), Some(Seen::Close(_)));
        assert!(!is_over || decoder.held_bytes() == 0 && !decoder.is_mid_message());
        assert!(decoder.is_mid_message() || decoder.held_bytes() == 0);
        let held = decoder.held_bytes();
        assert!(
            held <= 2 * received + 256,
            "{held} bytes are held of {received} that have arrived"
        );
    }
    heard
}

/// What tungstenite makes of the same.
pub(super) fn theirs(role: Role, max: usize, bytes: &[u8]) -> Heard<()> {
    // Its limit of frames is for those of control, too.
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_message_size(Some(max))
        .max_frame_size(Some(max.max(frame::MAX_CONTROL_BYTES)));
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let stream = OneWay(Cursor::new(bytes.to_vec()));
    let mut socket = WebSocket::from_raw_socket(stream, role, Some(config));
    let mut heard = Heard { seen: vec![], error: None };
    loop {
        heard.seen.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Seen::Text(text.to_string()),
            Ok(tungstenite::Message::Binary(data)) => Seen::Binary(data.to_vec()),
            Ok(tungstenite::Message::Ping(data)) => Seen::Ping(data.to_vec()),
            Ok(tungstenite::Message::Pong(data)) => Seen::Pong(data.to_vec()),
            // How tungstenite reports a close code that may not be sent.
            Ok(tungstenite::Message::Close(Some(close)))
                if close.reason == "Protocol violation" =>
            {
                heard.error = Some(());
                return heard;
            }
            Ok(tungstenite::Message::Close(close)) => {
                let close = close.map(|close| (close.code.into(), close.reason.to_string()));
                heard.seen.push(Seen::Close(close));
                return heard;
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("read() joins frames"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return heard;
            }
            Err(_) => {
                heard.error = Some(());
                return heard;
            }
        });
    }
}

/// Checks that both have heard the same, but for what is known to be read in two ways.
pub(super) fn compare(ours: &Heard<ProtocolError>, theirs: &Heard<()>) {
    // The IANA registry has 1014, tungstenite not.
    if let Some(Seen::Close(Some((1014, _)))) = ours.seen.last() {
        assert_eq!(theirs.seen, ours.seen[..ours.seen.len() - 1]);
        return;
    }
    match ours.error {
        None => {
            assert_eq!(theirs.seen, ours.seen);
            assert_eq!(theirs.error, None, "they refuse it");
        }
        // RFC 6455, § 5.2, asks for the shortest form; tungstenite does not.
        Some(ProtocolError::LengthNotMinimal(_)) => {
            assert_eq!(theirs.seen.get(..ours.seen.len()), Some(&ours.seen[..]));
        }
        Some(error) => {
            let (same, more) = theirs.seen.split_at(ours.seen.len().min(theirs.seen.len()));
            assert_eq!(same, ours.seen);
            // They may notice later that a message is bad, and are told of pings until then.
            assert!(more.iter().all(Seen::is_control), "{error} here, and there: {more:?}");
        }
    }
}

/// Bytes to read; what is written is dropped. At the end it waits for more, as a socket does.
pub(super) struct OneWay(pub(super) Cursor<Vec<u8>>);

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
