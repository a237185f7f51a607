//! What a request wants: parameters against a plain reading of `application/x-www-form-urlencoded`, and
//! the order of the checks in the Node server's `verify`.

use std::borrow::Cow;

use heartwire_proto::engineio::{Action, Query, Refusal, Request, Route, SessionId, Transport};

use crate::memory;

/// A byte with method and headers, then the query.
pub(super) fn target(data: &[u8]) {
    let Some((&facts, query)) = data.split_first() else { return };
    let Ok(query) = str::from_utf8(query) else { return };
    let method = METHODS[usize::from(facts) % METHODS.len()];
    let upgrade = facts & 0x10 != 0;
    let current = if facts & 0x20 != 0 { Transport::WebSocket } else { Transport::Polling };
    let transports = match facts >> 6 {
        0 | 1 => &Transport::ALL[..],
        2 => &Transport::ALL[..1],
        _ => &Transport::ALL[1..],
    };

    let (parsed, taken) = memory::count(|| Query::parse(query));
    // What is no UTF-8 becomes three bytes each.
    assert!(taken.total <= 16 * query.len() + 64, "{taken:?} for {} bytes", query.len());
    let last = |name| last_of(query, name);
    assert_eq!(parsed.eio.as_deref(), last("EIO").as_deref());
    assert_eq!(parsed.transport.as_deref(), last("transport").as_deref());
    let sid = last("sid").filter(|sid| !sid.is_empty());
    assert_eq!(parsed.sid.as_deref(), sid.as_deref());
    if let Some(Ok(id)) = sid.as_deref().map(SessionId::new) {
        assert!(id.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
        assert!(format!("{id:?}").len() <= "SessionId(123456…)".len(), "{id:?} tells too much");
    }

    let named = last("transport").and_then(|name| match &*name {
        "polling" => Some(Transport::Polling),
        "websocket" => Some(Transport::WebSocket),
        _ => None,
    });
    let named = named.filter(|transport| transports.contains(transport));
    let versioned = last("EIO").as_deref() == Some("4");
    let route = Route::of(&Request { method, query, upgrade }, transports);
    let Some(named) = named else {
        return assert_eq!(route, Err(Refusal::UnknownTransport));
    };
    match (sid, route) {
        (Some(sid), Ok(Route::Session(request))) => {
            assert_eq!(request.sid, sid);
            let fits = versioned
                && if upgrade {
                    named == Transport::WebSocket
                } else {
                    named == Transport::Polling && current == Transport::Polling
                };
            let expected = match (fits, upgrade, method) {
                (false, _, _) => Err(Refusal::BadRequest),
                (true, true, "GET") => Ok(Action::Upgrade),
                (true, false, "GET") => Ok(Action::Poll),
                (true, false, "POST") => Ok(Action::Post),
                (true, _, _) => Err(Refusal::MethodNotAllowed),
            };
            assert_eq!(request.action(current), expected);
        }
        (None, route) => {
            let expected = if method != "GET" {
                Err(if upgrade { Refusal::MethodNotAllowed } else { Refusal::BadHandshakeMethod })
            } else if upgrade != (named == Transport::WebSocket) {
                Err(Refusal::BadRequest)
            } else if !versioned {
                Err(Refusal::UnsupportedVersion)
            } else {
                Ok(Route::Open(named))
            };
            assert_eq!(route, expected);
        }
        (Some(sid), other) => panic!("{other:?} for the session {sid:?}"),
    }
}

const METHODS: [&str; 8] = ["GET", "POST", "GET", "PUT", "HEAD", "OPTIONS", "get", ""];

/// The last value of a parameter.
fn last_of(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.rev().find(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value).into())
}

fn decoded(text: &str) -> Cow<'_, str> {
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let digits =
            rest.first_chunk::<2>().filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        bytes.push(match (first, digits) {
            (b'+', _) => b' ',
            (b'%', Some(digits)) => {
                rest = &rest[2..];
                u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap()
            }
            (other, _) => other,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
