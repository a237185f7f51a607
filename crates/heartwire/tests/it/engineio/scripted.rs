//! A server that says what a test wants, and remembers what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use heartwire_proto::websocket::handshake;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A server that says what a test wants.
pub(crate) struct Script {
    pub(crate) addr: SocketAddr,
    /// What it was asked.
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
}

/// An HTTP request as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: HashMap<String, String>,
    pub(crate) body: String,
    /// The request line and the headers, as they came.
    pub(crate) head: String,
}

/// What a script answers.
pub(crate) enum Answer {
    /// A status, headers with `\r\n` behind each, and a body.
    Http(u16, String, String),
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// 101, and these bytes behind it; then silence.
    WebSocket(String, Vec<u8>),
    /// Nothing, for ever.
    Silence,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Http(200, String::new(), body.into())
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::Http(status, format!("Location: {to}\r\n"), String::new())
    }
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// A parameter of the query, undecoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn wants_websocket(&self) -> bool {
        self.header("upgrade") == Some("websocket")
    }
}

/// The open packet of a session.
pub(crate) fn handshake_packet(sid: &str, upgrades: &[&str], max_payload: usize) -> String {
    format!(
        r#"0{{"sid":"{sid}","upgrades":{upgrades:?},"pingInterval":25000,"pingTimeout":20000,"maxPayload":{max_payload}}}"#
    )
}

/// A text frame of a server.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..=125 => frame.push(length as u8),
        length => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    frame
}

/// Starts a server that answers each request with what `answer` says.
pub(crate) async fn script(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::unbounded_channel();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (sender, answer) = (sender.clone(), answer.clone());
            tokio::spawn(serve(stream, sender, answer));
        }
    });
    Script { addr, asked }
}

impl Script {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Everything that it was asked until now.
    pub(crate) fn all_asked(&mut self) -> Vec<Asked> {
        let mut all = vec![];
        while let Ok(asked) = self.asked.try_recv() {
            all.push(asked);
        }
        all
    }

    /// The next request that passes a test.
    pub(crate) async fn next_asked(&mut self, test: impl Fn(&Asked) -> bool) -> Asked {
        loop {
            let asked = self.asked.recv().await.unwrap();
            if test(&asked) {
                return asked;
            }
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    sender: mpsc::UnboundedSender<Asked>,
    answer: Arc<impl Fn(&Asked) -> Answer>,
) {
    let mut read = vec![];
    while let Some(asked) = read_request(&mut stream, &mut read).await {
        let answer = answer(&asked);
        let _ = sender.send(asked.clone());
        let bytes = match answer {
            Answer::Http(status, headers, body) => {
                let length = body.len();
                format!("HTTP/1.1 {status} So\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
                    .into_bytes()
            }
            Answer::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Answer::WebSocket(headers, early) => {
                let accept = handshake::accept(asked.header("sec-websocket-key").unwrap());
                let mut bytes = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
                )
                .into_bytes();
                bytes.extend(early);
                let _ = stream.write_all(&bytes).await;
                // Until the client goes.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                return;
            }
            Answer::Silence => return std::future::pending().await,
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Reads a request; `read` keeps what came behind it.
pub(crate) async fn read_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Asked> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(asked) = parse_request(read) {
            return Some(asked);
        }
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => read.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

fn parse_request(read: &mut Vec<u8>) -> Option<Asked> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut line = lines.next().unwrap().split(' ').map(str::to_owned);
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    if read.len() < end + length {
        return None;
    }
    let body = String::from_utf8(read[end..end + length].to_vec()).unwrap();
    read.drain(..end + length);
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    Some(Asked { method, target, headers, body, head })
}
