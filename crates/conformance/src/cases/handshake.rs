//! How a session begins.

use std::collections::HashSet;

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, equal, fail, quoted};
use super::super::server::{Server, handshake, sid};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "handshake/polling",
        "a handshake over polling is answered with an open packet of exactly its five keys",
        "EIO § Handshake",
        |server| {
            let response = server.get("EIO=4&transport=polling")?;
            let handshake = handshake(response.packets()?)?;
            let keys: Option<HashSet<_>> =
                handshake.as_object().map(|object| object.keys().map(String::as_str).collect());
            let expected = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"];
            equal("the keys", keys, Some(HashSet::from(expected)))?;
            let numbers = ["pingInterval", "pingTimeout", "maxPayload"];
            let numeric =
                numbers.iter().all(|name| handshake[*name].as_u64().is_some_and(|n| n > 0));
            ensure(numeric, "three numbers above zero", || handshake.to_string())?;
            let names = handshake["upgrades"].as_array();
            let known = names.is_some_and(|names| {
                names.iter().all(|name| name == "websocket" || name == "webtransport")
            });
            ensure(known, "upgrades to transports of the protocol", || handshake.to_string())
        },
    ),
    Case::new(
        "handshake/content-type",
        "a handshake over polling is plain text in UTF-8",
        "EIO § Headers; Node",
        |server| {
            let response = server.get("EIO=4&transport=polling")?;
            let kind = response.header("content-type").unwrap_or("none").to_lowercase();
            equal("Content-Type", &*kind.replace("; ", ";"), "text/plain;charset=utf-8")
        },
    ),
    Case::new(
        "handshake/no-store",
        "no cache keeps a handshake",
        "RFC 9111, § 5.2.2.5; Node",
        |server| {
            let response = server.get("EIO=4&transport=polling")?;
            equal("Cache-Control", response.header("cache-control"), Some("no-store"))
        },
    ),
    Case::new(
        "handshake/ids-differ",
        "every session has an id of its own",
        "EIO § Handshake",
        |server| {
            let mut seen = HashSet::new();
            for _ in 0..50 {
                let sid = server.open()?.sid;
                ensure(seen.insert(sid.clone()), "an id that is new", || format!("{sid} again"))?;
            }
            Ok(())
        },
    ),
    Case::new(
        "handshake/id-entropy",
        "an id is long enough not to be guessed: at least 96 bits in base64",
        "OWASP ASVS, § Session Management; Node",
        |server| {
            let sid = server.open()?.sid;
            ensure(sid.len() >= 16, "at least 16 characters", || sid.clone())
        },
    ),
    Case::new(
        "handshake/id-survives-addresses",
        "an id has only characters that an address carries unchanged",
        "RFC 3986, § 2.3",
        |server| {
            let sid = server.open()?.sid;
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            ensure(sid.bytes().all(unreserved), "letters, digits and -._~", || sid.clone())
        },
    ),
    Case::new(
        "handshake/websocket",
        "a session over WebSocket begins with an open packet that offers no upgrades",
        "EIO § Handshake",
        |server| {
            let mut socket = server.websocket("EIO=4&transport=websocket", &[])?;
            let handshake = socket.handshake()?;
            sid(&handshake)?;
            equal("upgrades", handshake["upgrades"].to_string(), "[]".to_owned())
        },
    ),
    Case::new(
        "handshake/same-numbers",
        "both transports announce the same intervals and limits",
        "EIO § Handshake",
        |server| {
            let mut socket = server.websocket("EIO=4&transport=websocket", &[])?;
            let handshake = socket.handshake()?;
            let number = |name: &str| handshake[name].as_u64().map(u128::from);
            equal("pingInterval", number("pingInterval"), Some(server.ping_interval.as_millis()))?;
            equal("pingTimeout", number("pingTimeout"), Some(server.ping_timeout.as_millis()))?;
            equal("maxPayload", number("maxPayload"), Some(server.max_payload as u128))
        },
    ),
    Case::new(
        "handshake/no-echo-of-it",
        "the first GET does not bring the handshake again",
        "EIO § Handshake",
        |server| server.open()?.echoes("4first", "4first"),
    ),
    Case::new("handshake/empty-sid", "an empty sid is none", "Node", |server| {
        opens(server, "EIO=4&transport=polling&sid=")
    }),
    Case::new(
        "handshake/encoded-parameters",
        "parameters may be percent-encoded",
        "RFC 3986, § 2.4",
        |server| opens(server, "E%49O=%34&tran%73port=%70olling"),
    ),
    Case::new(
        "handshake/order-of-parameters",
        "the order of parameters does not matter",
        "EIO § Query parameters",
        |server| opens(server, "transport=polling&EIO=4"),
    ),
    Case::new(
        "handshake/other-parameters",
        "parameters of the application and of clients do not disturb",
        "EIO § Query parameters; Node",
        |server| opens(server, "a=b&EIO=4&&t=Ox1.0&transport=polling&b64=1&=&x"),
    ),
    Case::new(
        "handshake/last-parameter-counts",
        "of a repeated parameter, the last counts",
        "Node",
        |server| opens(server, "EIO=3&EIO=4&transport=tobi&transport=polling&sid=x&sid="),
    ),
    Case::new(
        "handshake/http-1-0",
        "a client of HTTP/1.0 is served, and let go",
        "RFC 9112, § 9.3",
        |server| {
            let mut wire = server.connect()?;
            wire.send(&server.request("GET", "EIO=4&transport=polling").version("HTTP/1.0"));
            handshake(wire.response()?.packets()?)?;
            wire.ends()
        },
    ),
    Case::new(
        "handshake/with-a-body",
        "the body of a GET is read and ignored",
        "RFC 9110, § 9.3.1",
        |server| {
            let mut wire = server.connect()?;
            let request = server.request("GET", "EIO=4&transport=polling");
            wire.send(&request.clone().body("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
            handshake(wire.response()?.packets()?)?;
            // What follows is a request of its own again, unless the server has had enough.
            wire.send(&request);
            match wire.answer_or_end()? {
                Some(response) => handshake(response.packets()?).map(drop),
                None => Ok(()),
            }
        },
    ),
    Case::new(
        "handshake/head",
        "a HEAD is refused without a body, and without a session",
        "RFC 9110, § 9.3.2; Node",
        |server| {
            let mut wire = server.connect()?;
            wire.send(
                &server.request("HEAD", "EIO=4&transport=polling").header("Connection", "close"),
            );
            let response = wire.response_to_head()?;
            response.status(&[400, 405])?;
            match wire.answer_or_end() {
                Ok(None) => Ok(()),
                other => fail("no body", format!("{other:?}")),
            }
        },
    ),
    Case::new(
        "handshake/chosen-id",
        "a client cannot choose its id",
        "OWASP, Session fixation",
        |server| {
            for _ in 0..2 {
                server.refuses("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", 1)?;
            }
            Ok(())
        },
    ),
];

fn opens(server: &Server, query: &str) -> Verdict {
    let response = server.get(query)?;
    let handshake = handshake(response.packets()?)?;
    let sid = sid(&handshake)?;
    ensure(!sid.is_empty() && sid != "x", "an id of its own", || quoted(sid.as_bytes()))
}
