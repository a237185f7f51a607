//! Requests and responses of HTTP/1.1, as polling and WebSockets need them.

/// A response that is whole.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
    /// Bytes of it all.
    pub length: usize,
}

impl Response {
    /// Reads the response at the start of `bytes`; `None` when it is not whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let head_length = head_length(bytes)?;
        let head = std::str::from_utf8(&bytes[..head_length]).expect("heads are ASCII");
        let (status, fields) = head.split_once("\r\n").expect("a head has lines");
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.expect("a status");
        let (mut length, mut chunked) = (0, false);
        for (name, value) in fields.lines().filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = true;
            }
        }
        if chunked {
            return Self::read_chunks(bytes, head_length, status);
        }
        let body = bytes.get(head_length..head_length + length)?;
        Some(Self { status, body: body.to_vec(), length: head_length + length })
    }

    fn read_chunks(bytes: &[u8], mut at: usize, status: u16) -> Option<Self> {
        let mut body = vec![];
        loop {
            let line = bytes[at..].windows(2).position(|window| window == b"\r\n")?;
            let length = std::str::from_utf8(&bytes[at..at + line]).ok();
            let length = length.and_then(|length| usize::from_str_radix(length.trim(), 16).ok());
            let length = length.expect("the length of a chunk");
            at += line + 2;
            body.extend_from_slice(bytes.get(at..at + length)?);
            at += length + 2;
            if bytes.len() < at {
                return None;
            }
            if length == 0 {
                return Some(Self { status, body, length: at });
            }
        }
    }
}

/// A poll, or the request that opens a session.
pub fn get(path: &str, sid: Option<&str>) -> Vec<u8> {
    let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
    format!("GET {path}?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").into_bytes()
}

/// A payload for the server.
pub fn post(path: &str, sid: &str, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut request = format!(
        "POST {path}?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {HOST}\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(payload);
    request
}

/// The request that becomes a WebSocket.
///
/// Source: RFC 6455, § 1.3.
pub fn upgrade(path: &str, query: &str) -> String {
    format!(
        "GET {path}{query} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Bytes of the answer to [`upgrade`], when it is whole.
pub fn switched(bytes: &[u8]) -> Option<usize> {
    let length = head_length(bytes)?;
    let head = String::from_utf8_lossy(&bytes[..length]);
    assert!(head.starts_with("HTTP/1.1 101 "), "no WebSocket: {head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the key is not answered: {head}");
    Some(length)
}

/// The session id of an open packet.
pub fn sid(payload: &[u8]) -> String {
    let json = payload.strip_prefix(b"0").and_then(|json| {
        let json = json.split(|&byte| byte == SEPARATOR).next()?;
        serde_json::from_slice::<serde_json::Value>(json).ok()
    });
    let sid = json.as_ref().and_then(|open| open["sid"].as_str());
    sid.unwrap_or_else(|| panic!("no open packet: {}", payload.escape_ascii())).to_owned()
}

/// What stands between the packets of a payload.
pub const SEPARATOR: u8 = 0x1e;

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4)
}

const HOST: &str = "127.0.0.1";
