//! A session over polling.

use std::time::Instant;

use super::finding::{Verdict, fail, quoted};
use super::request::Request;
use super::response::Response;
use super::server::Server;
use super::socket::Socket;
use super::wire::Wire;

/// A session over polling. Each request has a connection of its own.
#[derive(Debug)]
pub(crate) struct Polling<'a> {
    pub(crate) server: &'a Server,
    pub(crate) sid: String,
}

impl<'a> Polling<'a> {
    pub(crate) fn new(server: &'a Server, sid: String) -> Self {
        Self { server, sid }
    }

    /// The query of its requests.
    pub(crate) fn query(&self) -> String {
        format!("EIO=4&transport=polling&sid={}", self.sid)
    }

    /// The query of a request for a WebSocket that takes it over.
    pub(crate) fn upgrade_query(&self) -> String {
        format!("EIO=4&transport=websocket&sid={}", self.sid)
    }

    pub(crate) fn request(&self, method: &str) -> Request {
        self.server.request(method, &self.query())
    }

    pub(crate) fn get(&self) -> Verdict<Response> {
        self.server.exchange(&self.request("GET"))
    }

    /// Sends a GET, and leaves its answer to be received.
    pub(crate) fn start_get(&self) -> Verdict<Wire> {
        let mut wire = self.server.connect()?;
        wire.send(&self.request("GET"));
        Ok(wire)
    }

    /// A GET that waits at the server.
    pub(crate) fn waiting_get(&self) -> Verdict<Wire> {
        let wire = self.start_get()?;
        self.server.settle();
        Ok(wire)
    }

    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Verdict<Response> {
        self.server.exchange(&self.post_request(body))
    }

    pub(crate) fn post_request(&self, body: impl AsRef<[u8]>) -> Request {
        self.request("POST").header("Content-Type", "text/plain;charset=UTF-8").body(body)
    }

    /// The first packets that come, as one text; pings are answered and left out.
    pub(crate) fn receive(&self, count: usize) -> Verdict<String> {
        let mut packets: Vec<String> = vec![];
        let deadline = Instant::now() + self.server.patience;
        while packets.len() < count {
            if Instant::now() >= deadline {
                return fail(format!("{count} packets"), format!("{} and pings", packets.len()));
            }
            let response = self.get()?;
            for packet in response.packets()?.split('\u{1e}') {
                match packet {
                    "2" => self.post("3")?.taken()?,
                    "1" => return fail(format!("{count} packets"), "the end of the session"),
                    packet => packets.push(packet.to_owned()),
                }
            }
        }
        Ok(packets.join("\u{1e}"))
    }

    /// What is posted has to come back like this.
    pub(crate) fn echoes(&self, payload: &str, expected: &str) -> Verdict {
        self.server.needs_echo()?;
        self.post(payload)?.taken()?;
        self.brings(expected)
    }

    /// These packets have to come.
    pub(crate) fn brings(&self, expected: &str) -> Verdict {
        let received = self.receive(expected.split('\u{1e}').count())?;
        if received == expected {
            return Ok(());
        }
        fail(quoted(expected.as_bytes()), quoted(received.as_bytes()))
    }

    /// The session has to go on.
    pub(crate) fn lives(&self) -> Verdict {
        if self.server.echoes() {
            self.echoes("4still there?", "4still there?")
        } else {
            self.post("3")?.taken()
        }
    }

    /// The session has to be over.
    pub(crate) fn is_gone(&self) -> Verdict {
        let response = self.get()?;
        if response.status == 200 {
            return fail("a session that is over", format!("a GET: {}", response.words()));
        }
        response.refused(1)
    }

    /// The POST has to be refused for its body, and the session to be over.
    pub(crate) fn ends_at(&self, body: impl AsRef<[u8]>) -> Verdict {
        let response = self.post(body)?;
        response.status(&[400])?;
        self.is_gone()
    }

    /// A WebSocket that may take the session over.
    pub(crate) fn websocket(&self) -> Verdict<Socket> {
        self.server.needs_upgrades()?;
        self.server.websocket(&self.upgrade_query(), &[])
    }

    /// A WebSocket that has probed.
    pub(crate) fn probe(&self) -> Verdict<Socket> {
        let mut socket = self.websocket()?;
        socket.text("2probe");
        socket.brings("3probe")?;
        Ok(socket)
    }

    /// The WebSocket that has taken the session over.
    pub(crate) fn upgrade(&self) -> Verdict<Socket> {
        let mut socket = self.probe()?;
        socket.text("5");
        Ok(socket)
    }

    /// A WebSocket that may take the session over, and says this, has to be closed; the session polls
    /// on.
    pub(crate) fn dismisses(&self, bytes: impl AsRef<[u8]>) -> Verdict {
        let mut socket = self.websocket()?;
        socket.write(bytes);
        socket.ends()?;
        self.lives()
    }
}
