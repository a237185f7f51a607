//! The server, as every case finds it.

use std::time::Duration;

use serde_json::Value;

use super::finding::{Finding, Verdict, ensure, fail, quoted};
use super::frame::Frame;
use super::polling::Polling;
use super::request::Request;
use super::response::Response;
use super::socket::{Incoming, Socket};
use super::target::Target;
use super::wire::Wire;

/// The server, and what it has told about itself.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) target: Target,
    /// How long to wait for what has to come.
    pub(crate) patience: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) max_payload: usize,
    upgrades: bool,
    echoes: bool,
}

impl Server {
    /// Opens a session and reads what it says.
    pub(crate) fn learn(target: &Target, patience: Duration) -> Verdict<Self> {
        let mut server = Self {
            target: target.clone(),
            patience,
            ping_interval: Duration::MAX,
            ping_timeout: Duration::MAX,
            max_payload: usize::MAX,
            upgrades: false,
            echoes: false,
        };
        let handshake = handshake(server.get("EIO=4&transport=polling")?.packets()?)?;
        let number = |name: &str| match handshake[name].as_u64() {
            Some(number) => Ok(number),
            None => fail(format!("a number called {name}"), handshake.to_string()),
        };
        server.ping_interval = Duration::from_millis(number("pingInterval")?);
        server.ping_timeout = Duration::from_millis(number("pingTimeout")?);
        server.max_payload = usize::try_from(number("maxPayload")?).unwrap_or(usize::MAX);
        server.upgrades = handshake["upgrades"]
            .as_array()
            .is_some_and(|names| names.iter().any(|name| name == "websocket"));
        let session = server.open()?;
        if session.post("4echo")?.status == 200 {
            let mut wire = session.start_get()?;
            wire.set_patience(patience.min(QUICKLY));
            server.echoes = wire.response().is_ok_and(|response| response.body == b"4echo");
        }
        Ok(server)
    }

    /// A connection to the server.
    pub(crate) fn connect(&self) -> Verdict<Wire> {
        Wire::open(&self.target, self.patience)
    }

    /// A request to the endpoint.
    pub(crate) fn request(&self, method: &str, query: &str) -> Request {
        let target = format!("{}?{query}", self.target.path);
        Request::new(method, target, self.target.authority())
    }

    /// Sends a request over a connection of its own, and receives the answer.
    pub(crate) fn exchange(&self, request: &Request) -> Verdict<Response> {
        let mut wire = self.connect()?;
        wire.send(request);
        if request.method == "HEAD" { wire.response_to_head() } else { wire.response() }
    }

    /// The same with bytes, which may be so wrong that closing the connection is an answer too.
    pub(crate) fn exchange_bytes(&self, bytes: impl AsRef<[u8]>) -> Verdict<Option<Response>> {
        let mut wire = self.connect()?;
        wire.write(bytes);
        wire.answer_or_end()
    }

    pub(crate) fn get(&self, query: &str) -> Verdict<Response> {
        self.exchange(&self.request("GET", query))
    }

    /// A session over polling.
    pub(crate) fn open(&self) -> Verdict<Polling<'_>> {
        let handshake = handshake(self.get("EIO=4&transport=polling")?.packets()?)?;
        Ok(Polling::new(self, sid(&handshake)?))
    }

    /// A request for a WebSocket.
    pub(crate) fn upgrade_request(&self, query: &str) -> Request {
        self.request("GET", query).upgrade()
    }

    /// A WebSocket, whatever it is for; `early` bytes follow the request at once.
    pub(crate) fn websocket(&self, query: &str, early: &[u8]) -> Verdict<Socket> {
        let mut wire = self.connect()?;
        let mut bytes = self.upgrade_request(query).to_bytes();
        bytes.extend_from_slice(early);
        wire.write(bytes);
        wire.response()?.switches()?;
        Ok(Socket::new(wire))
    }

    /// A session over WebSocket, and its id.
    pub(crate) fn open_websocket(&self) -> Verdict<(Socket, String)> {
        let mut socket = self.websocket("EIO=4&transport=websocket", &[])?;
        let handshake = socket.handshake()?;
        Ok((socket, sid(&handshake)?))
    }

    /// A session over WebSocket that has to be closed with one of these codes when it brings `frames`,
    /// and the server that has to live on.
    pub(crate) fn closes_at(&self, frames: &[Frame], codes: &[Option<u16>]) -> Verdict {
        // Before there is a session, which would age.
        let bytes: Vec<_> = frames.iter().flat_map(Frame::to_bytes).collect();
        let (mut socket, _) = self.open_websocket()?;
        socket.write(bytes);
        socket.says_close(codes)?;
        self.lives()
    }

    /// The server has to answer whoever comes next.
    pub(crate) fn lives(&self) -> Verdict {
        self.open().map(drop)
    }

    /// The request has to be refused with this code.
    pub(crate) fn refuses(&self, method: &str, query: &str, code: u8) -> Verdict {
        self.exchange(&self.request(method, query))?.refused(code)
    }

    pub(crate) fn needs_echo(&self) -> Verdict {
        if self.echoes { Ok(()) } else { skip("the server does not echo messages") }
    }

    pub(crate) fn echoes(&self) -> bool {
        self.echoes
    }

    pub(crate) fn needs_upgrades(&self) -> Verdict {
        if self.upgrades { Ok(()) } else { skip("the server offers no upgrade to WebSocket") }
    }

    /// For cases that send as much as the server takes.
    pub(crate) fn needs_modest_payload(&self) -> Verdict {
        if self.max_payload <= MODEST_BYTES {
            return Ok(());
        }
        skip(format!("the server takes {} bytes, too many to try", self.max_payload))
    }

    /// For cases that wait for pings, or for their end. Returns how long a silent client may live.
    pub(crate) fn needs_quick_pings(&self) -> Verdict<Duration> {
        let lifetime = self.ping_interval.saturating_add(self.ping_timeout);
        if lifetime <= QUICK_LIFETIME {
            return Ok(lifetime);
        }
        skip(format!("a silent client lives for {lifetime:?} here, too long to wait"))
    }

    /// Gives the server a moment to take note of what was sent.
    pub(crate) fn settle(&self) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The case says nothing about this server.
pub(crate) fn skip<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Finding::Skip(why.into()))
}

/// The JSON of an open packet that stands alone.
pub(crate) fn handshake(packet: &str) -> Verdict<Value> {
    let json = packet.strip_prefix('0').and_then(|json| serde_json::from_str(json).ok());
    match json {
        Some(json) => Ok(json),
        None => fail("an open packet: 0 and JSON", quoted(packet.as_bytes())),
    }
}

/// The id in a handshake.
pub(crate) fn sid(handshake: &Value) -> Verdict<String> {
    match handshake["sid"].as_str() {
        Some(sid) => Ok(sid.to_owned()),
        None => fail("a text called sid", handshake.to_string()),
    }
}

impl Socket {
    /// The handshake, which comes first.
    pub(crate) fn handshake(&mut self) -> Verdict<Value> {
        match self.next()? {
            Incoming::Text(text) => handshake(&text),
            other => {
                ensure(false, "an open packet", || format!("{other:?}"))?;
                Ok(Value::Null)
            }
        }
    }
}

/// Time for an echo to come, where nobody knows whether one will.
const QUICKLY: Duration = Duration::from_secs(2);

/// The longest that a silent client may live for cases to wait for its end.
const QUICK_LIFETIME: Duration = Duration::from_secs(5);

/// Bytes that are sent in one message without regret.
const MODEST_BYTES: usize = 16_000_000;
