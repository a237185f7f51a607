//! Requests and frames to answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::frame::{self, Header};

/// What a floor speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// Bytes come back as they are.
    Tcp,
    /// The same behind repod's greeting.
    Repod,
    /// Requests are answered with a message, at once.
    Http,
    /// Messages come back over a WebSocket.
    WebSocket,
    /// The same with the packets of Engine.IO. The first letter of a message may say something else:
    /// `B` sends it to everybody, `S` counts it, `C` asks for that count, `F` wants as many messages as the number
    /// behind it says, and then `D`, and `J` the same with JSON.
    EngineIo,
}

/// What is known of a client.
#[derive(Debug, Default)]
pub struct Peer {
    upgraded: bool,
    counted: u64,
}

impl Protocol {
    pub const NAMES: &str = "tcp|repod|http|websocket|engineio";

    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "tcp" => Self::Tcp,
            "repod" => Self::Repod,
            "http" => Self::Http,
            "websocket" => Self::WebSocket,
            "engineio" => Self::EngineIo,
            _ => return None,
        })
    }

    /// Answers what is whole of `input`. Returns how much that is, and whether the connection goes on.
    pub fn answer(
        self,
        peer: &mut Peer,
        input: &[u8],
        output: &mut Vec<u8>,
        for_all: &mut Vec<u8>,
    ) -> (usize, bool) {
        let mut used = 0;
        match self {
            Self::Tcp | Self::Repod => {
                output.extend_from_slice(input);
                return (input.len(), true);
            }
            Self::Http => {
                while let Some(request) = Request::read(&input[used..]) {
                    output.extend_from_slice(HELLO);
                    used += request.length;
                }
                return (used, true);
            }
            Self::WebSocket | Self::EngineIo if !peer.upgraded => {
                let Some(request) = Request::read(input) else { return (0, true) };
                used = request.length;
                push_switching(&request, output);
                peer.upgraded = true;
                if self == Self::EngineIo {
                    frame::push_header(output, frame::TEXT, OPEN.len(), false);
                    output.extend_from_slice(OPEN.as_bytes());
                }
            }
            Self::WebSocket | Self::EngineIo => {}
        }
        while let Some(header) = Header::read(&input[used..]) {
            let Some(bytes) = input[used..].get(..header.frame()) else { break };
            used += header.frame();
            if header.opcode == frame::CLOSE {
                frame::push_header(output, frame::CLOSE, 0, false);
                return (used, false);
            }
            self.answer_frame(peer, header, bytes, output, for_all);
        }
        (used, true)
    }

    #[inline]
    fn answer_frame(
        self,
        peer: &mut Peer,
        header: Header,
        bytes: &[u8],
        output: &mut Vec<u8>,
        for_all: &mut Vec<u8>,
    ) {
        let (masked, payload) = bytes.split_at(header.length);
        let mask = *masked.last_chunk().expect("clients mask");
        let start = output.len();
        frame::push_header(output, header.opcode, header.payload, false);
        let echo = output.len();
        frame::push_masked(output, payload, mask);
        if self != Self::EngineIo || header.opcode != frame::TEXT {
            return;
        }
        match output[echo..] {
            [b'4', b'B', ..] => for_all.extend(output.drain(start..)),
            [b'4', b'S', ..] => {
                peer.counted += 1;
                output.truncate(start);
            }
            [b'4', b'C', ..] => {
                output.truncate(start);
                let count = format!("4{}", std::mem::take(&mut peer.counted));
                frame::push_header(output, frame::TEXT, count.len(), false);
                output.extend_from_slice(count.as_bytes());
            }
            [b'4', kind @ (b'F' | b'J'), ref count @ ..] => {
                let count = std::str::from_utf8(count).ok().and_then(|count| count.parse().ok());
                let count: usize = count.expect("a number behind F or J");
                output.truncate(start);
                let message = if kind == b'F' { TEXT } else { JSON };
                output.extend(frame::from_server(frame::TEXT, message).repeat(count));
                output.extend(frame::from_server(frame::TEXT, b"4D"));
            }
            [b'4', ..] => {}
            _ => output.truncate(start), // a pong, or the end
        }
    }
}

/// A request of HTTP/1.1.
struct Request<'a> {
    head: &'a str,
    /// Bytes, the body included.
    length: usize,
}

impl<'a> Request<'a> {
    fn read(input: &'a [u8]) -> Option<Self> {
        let end = input.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&input[..end]).expect("requests are ASCII");
        let mut request = Self { head, length: end + 4 };
        let body = request.header("content-length").map(|length| length.parse::<usize>());
        request.length += body.transpose().expect("a number").unwrap_or_default();
        (input.len() >= request.length).then_some(request)
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Appends the answer that turns a connection into a WebSocket.
fn push_switching(request: &Request<'_>, output: &mut Vec<u8>) {
    let key = request.header("sec-websocket-key").expect("a WebSocket");
    let digest =
        sha1_smol::Sha1::from(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).digest();
    let accept = STANDARD.encode(digest.bytes());
    output.extend_from_slice(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_bytes(),
    );
}

/// The message that the load generator sends.
const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 65\r\n\r\n\
    4ebcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl";

const OPEN: &str = "0{\"sid\":\"floor\",\"upgrades\":[],\"pingInterval\":60000,\"pingTimeout\":20000,\
    \"maxPayload\":1000000}";

/// Messages of 64 bytes.
const TEXT: &[u8; 65] = b"4mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";
const JSON: &[u8; 65] =
    b"4{\"event\":\"moved\",\"player\":\"alice\",\"x\":1204,\"y\":-77,\"alive\":true}";
