//! What a request wants, by its method and query alone.
//!
//! The order of the checks is the Node server's (`server.ts`, `verify`): transport, session, then the
//! rest. So a request with two faults is told the same one.
//!
//! Source: Engine.IO protocol v4, § Request path and query parameters.

use std::borrow::Cow;

use super::refusal::Refusal;
use super::transport::Transport;

/// The facts of a request that decide what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, ….
    pub method: &'a str,
    /// Everything behind the `?`, still percent-encoded.
    pub query: &'a str,
    /// Whether the headers ask to leave HTTP for a WebSocket.
    pub upgrade: bool,
}

/// The query parameters that the protocol names. Of a repeated one, the last counts; of an empty
/// `sid`, none is there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query<'a> {
    /// The protocol's version.
    pub eio: Option<Cow<'a, str>>,
    /// The transport's name.
    pub transport: Option<Cow<'a, str>>,
    /// The session's id; a handshake has none.
    pub sid: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads the parameters.
    pub fn parse(query: &'a str) -> Self {
        let mut parameters = Self::default();
        // Clients encode nothing of what the protocol names.
        if query.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                parameters.set(&name, value);
            }
        } else {
            let mut rest = query;
            while !rest.is_empty() {
                let (pair, behind) = split(rest, b'&');
                let (name, value) = split(pair, b'=');
                parameters.set(name, value.into());
                rest = behind;
            }
        }
        parameters
    }

    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        match name {
            "EIO" => self.eio = Some(value),
            "transport" => self.transport = Some(value),
            "sid" => self.sid = Some(value).filter(|sid| !sid.is_empty()),
            _ => {}
        }
    }
}

/// What is before and behind the first `separator`, a character of ASCII.
fn split(text: &str, separator: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Where a request goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Route<'a> {
    /// It opens a session over this transport.
    Open(Transport),
    /// It belongs to a session.
    Session(SessionRequest<'a>),
}

impl<'a> Route<'a> {
    /// Decides where `request` goes, where the server offers `transports`.
    ///
    /// # Errors
    ///
    /// No session is needed to refuse it.
    pub fn of(request: &Request<'a>, transports: &[Transport]) -> Result<Self, Refusal> {
        let query = Query::parse(request.query);
        let transport = query
            .transport
            .and_then(|name| name.parse().ok())
            .filter(|transport| transports.contains(transport))
            .ok_or(Refusal::UnknownTransport)?;
        let supported_version = query.eio.as_deref() == Some(VERSION);
        if let Some(sid) = query.sid {
            let &Request { method, upgrade, .. } = request;
            return Ok(Self::Session(SessionRequest {
                sid,
                method,
                transport,
                upgrade,
                supported_version,
            }));
        }
        if request.method != "GET" {
            return Err(match request.upgrade {
                true => Refusal::MethodNotAllowed,
                false => Refusal::BadHandshakeMethod,
            });
        }
        if request.upgrade != (transport == Transport::WebSocket) {
            return Err(Refusal::BadRequest);
        }
        if !supported_version {
            return Err(Refusal::UnsupportedVersion);
        }
        Ok(Self::Open(transport))
    }
}

/// A request that belongs to a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionRequest<'a> {
    /// The session's id, as the client has written it.
    pub sid: Cow<'a, str>,
    method: &'a str,
    transport: Transport,
    upgrade: bool,
    supported_version: bool,
}

impl SessionRequest<'_> {
    /// What the request wants of its session, which is on the transport `current`.
    ///
    /// # Errors
    ///
    /// The request does not fit the session.
    pub fn action(&self, current: Transport) -> Result<Action, Refusal> {
        let fits = if self.upgrade {
            self.transport == Transport::WebSocket
        } else {
            self.transport == Transport::Polling && current == Transport::Polling
        };
        if !fits || !self.supported_version {
            return Err(Refusal::BadRequest);
        }
        match (self.upgrade, self.method) {
            (true, "GET") => Ok(Action::Upgrade),
            (false, "GET") => Ok(Action::Poll),
            (false, "POST") => Ok(Action::Post),
            _ => Err(Refusal::MethodNotAllowed),
        }
    }
}

/// What a request wants of its session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Packets, as soon as there are some.
    Poll,
    /// To deliver packets.
    Post,
    /// To go on over a WebSocket.
    Upgrade,
}

/// The value of `EIO`: the protocol's version.
pub const VERSION: &str = "4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes() {
        opens("EIO=4&transport=polling", false, Ok(Transport::Polling));
        opens("t=x&b64=1&transport=polling&EIO=4&sid=", false, Ok(Transport::Polling));
        opens("EIO=4&transport=%70olling", false, Ok(Transport::Polling));
        opens("EIO=4&transport=websocket", true, Ok(Transport::WebSocket));
        opens("EIO=4&transport=websocket", false, Err(Refusal::BadRequest));
        opens("EIO=4&transport=polling", true, Err(Refusal::BadRequest));
        for transport in ["", "tobi", "Polling", "webtransport", "constructor", "__proto__"] {
            let query = format!("EIO=4&transport={transport}");
            opens(&query, false, Err(Refusal::UnknownTransport));
        }
        opens("EIO=4", false, Err(Refusal::UnknownTransport));
        opens("", false, Err(Refusal::UnknownTransport));
        for version in ["", "3", "abc", "5", "04", "4%00"] {
            let query = format!("transport=polling&EIO={version}");
            opens(&query, false, Err(Refusal::UnsupportedVersion));
        }
        opens("transport=polling", false, Err(Refusal::UnsupportedVersion));
    }

    #[test]
    fn the_last_of_a_repeated_parameter_counts() {
        opens("EIO=4&EIO=3&transport=polling", false, Err(Refusal::UnsupportedVersion));
        opens("EIO=4&transport=polling&transport=tobi", false, Err(Refusal::UnknownTransport));
    }

    #[test]
    fn what_is_not_encoded_is_read_as_a_form() {
        let queries = [
            "",
            "&",
            "=",
            "&&=&",
            "EIO",
            "EIO=",
            "=4",
            "EIO=4=5&sid==",
            "sid=a&sid=&transport",
            "sid=ä&transport=\u{1e}&EIO=?/:@",
            "&EIO=4&&transport=polling&",
            "sid=&sid=b;EIO=3",
        ];
        for query in queries {
            let mut expected = Query::default();
            for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                expected.set(&name, value);
            }
            assert_eq!(Query::parse(query), expected, "{query:?}");
        }
    }

    #[test]
    fn only_get_opens_a_session() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
            let request = Request { method, query: "EIO=4&transport=polling", upgrade: false };
            assert_eq!(Route::of(&request, &Transport::ALL), Err(Refusal::BadHandshakeMethod));
            let request = Request { method, query: "EIO=4&transport=websocket", upgrade: true };
            assert_eq!(Route::of(&request, &Transport::ALL), Err(Refusal::MethodNotAllowed));
        }
    }

    #[test]
    fn transports_that_are_switched_off_are_unknown() {
        let request = Request { method: "GET", query: "EIO=4&transport=websocket", upgrade: true };
        assert_eq!(Route::of(&request, &[Transport::Polling]), Err(Refusal::UnknownTransport));
    }

    #[test]
    fn requests_of_a_session() {
        use Transport::{Polling, WebSocket};
        let bad = Err(Refusal::BadRequest);
        wants("GET", "transport=polling", false, Polling, Ok(Action::Poll));
        wants("POST", "transport=polling", false, Polling, Ok(Action::Post));
        wants("GET", "transport=websocket", true, Polling, Ok(Action::Upgrade));
        wants("GET", "transport=websocket", true, WebSocket, Ok(Action::Upgrade));
        wants("GET", "transport=websocket", false, Polling, bad);
        wants("GET", "transport=polling", true, Polling, bad);
        wants("GET", "transport=polling", false, WebSocket, bad);
        wants("POST", "transport=polling", false, WebSocket, bad);
        for method in ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"] {
            let expected = Err(Refusal::MethodNotAllowed);
            wants(method, "transport=polling", false, Polling, expected);
        }
        wants("POST", "transport=websocket", true, Polling, Err(Refusal::MethodNotAllowed));
    }

    #[test]
    fn every_request_of_a_session_names_the_version() {
        for query in ["sid=x&transport=polling", "EIO=3&sid=x&transport=polling"] {
            let request = Request { method: "GET", query, upgrade: false };
            let Ok(Route::Session(request)) = Route::of(&request, &Transport::ALL) else {
                panic!("{query} belongs to a session");
            };
            assert_eq!(request.action(Transport::Polling), Err(Refusal::BadRequest));
        }
    }

    #[track_caller]
    fn opens(query: &str, upgrade: bool, expected: Result<Transport, Refusal>) {
        let request = Request { method: "GET", query, upgrade };
        assert_eq!(Route::of(&request, &Transport::ALL), expected.map(Route::Open), "{query}");
    }

    #[track_caller]
    fn wants(
        method: &str,
        query: &str,
        upgrade: bool,
        current: Transport,
        expected: Result<Action, Refusal>,
    ) {
        let query = format!("EIO=4&sid=x&{query}");
        let request = Request { method, query: &query, upgrade };
        let Ok(Route::Session(request)) = Route::of(&request, &Transport::ALL) else {
            panic!("{query} belongs to a session");
        };
        assert_eq!(request.sid, "x");
        assert_eq!(request.action(current), expected, "{method} {query}");
    }
}
