//! The answer that opens a WebSocket: what tungstenite takes we take, what we take is what RFC 6455,
//! § 4.1, and RFC 7692, § 7.1, allow, and both sides can live with what they agree on.

use std::io::Cursor;

use heartwire_proto::websocket::{
    CompressionPool, Decoder, Encoder, Event, Negotiated, Opcode, PerMessageDeflate, Role,
    handshake,
};
use tungstenite::http::Request;

use super::seen::OneWay;
use crate::memory;

/// A byte with what the client has offered, then the head of an answer.
pub(super) fn target(data: &[u8]) {
    let Some((&facts, head)) = data.split_first() else { return };
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut lines);
    let is_head = matches!(response.parse(head), Ok(httparse::Status::Complete(_)));
    let headers = if is_head { &response.headers[..] } else { &[] };
    let (upgrade, connection) = (joined(headers, "upgrade"), joined(headers, "connection"));
    let accept = joined(headers, "sec-websocket-accept");
    let answer = handshake::Response {
        accept: accept.as_deref(),
        connection: connection.as_deref(),
        upgrade: upgrade.as_deref(),
    };
    let (opens, taken) = memory::count(|| answer.opens(KEY));
    assert!(taken.peak <= 1024, "{taken:?}: a header is read where it lies");

    let has = |list: &Option<String>, token: &str| {
        list.as_deref().is_some_and(|list| {
            list.split(',').any(|item| item.trim().to_ascii_lowercase() == token)
        })
    };
    let expected = has(&upgrade, "websocket")
        && !upgrade.as_deref().is_some_and(|upgrade| upgrade.contains(','))
        && has(&connection, "upgrade")
        && accept.as_deref().map(str::trim) == Some(ACCEPT);
    assert_eq!(opens, expected, "{answer:?}");
    let is_repeated =
        |name: &str| headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name)).count() > 1;
    let once = !["upgrade", "connection", "sec-websocket-accept"].into_iter().any(is_repeated);
    if tungstenite_opens(head) && once {
        assert!(opens, "tungstenite takes {answer:?}");
    }

    if let Some(extensions) = joined(headers, "sec-websocket-extensions") {
        check_extensions(facts, &extensions);
    }
}

/// Both as a client that reads an answer and as a server that reads an offer.
fn check_extensions(facts: u8, extensions: &str) {
    let options = PerMessageDeflate::new()
        .threshold(0)
        .context_takeover(facts & 1 != 0)
        .window_bits(9 + (facts >> 1) % 7);
    let bound = 64 * extensions.len() + 1024;
    let (concluded, taken) = memory::count(|| options.conclude(extensions));
    assert!(taken.total <= bound, "{taken:?} for {} bytes", extensions.len());
    if let Ok(Some(negotiated)) = concluded {
        let answers = elements(extensions);
        assert_eq!(answers.len(), 1, "{extensions:?} is more than was offered");
        assert!(is_known(answers[0], false), "{extensions:?} is concluded");
        try_out(&negotiated);
    } else if let Ok(None) = concluded {
        assert_eq!(elements(extensions), [""; 0]);
    }
    let (accepted, taken) = memory::count(|| options.accept(extensions));
    assert!(taken.total <= bound, "{taken:?} for {} bytes", extensions.len());
    if let Ok(Some((negotiated, answer))) = accepted {
        let offers = elements(extensions);
        assert!(offers.iter().any(|offer| is_known(offer, true)), "{extensions:?} is accepted");
        assert!(is_known(&answer, false), "{answer:?}");
        assert!(matches!(options.conclude(&answer), Ok(Some(_))), "{answer:?} to {extensions:?}");
        try_out(&negotiated);
    }
}

/// Whether an element is permessage-deflate, each parameter once, and windows between 8 and 15.
fn is_known(element: &str, is_offer: bool) -> bool {
    let mut parts = element.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return false;
    }
    let parts: Vec<_> = parts
        .map(|part| match part.split_once('=') {
            None => (part, None),
            Some((name, value)) => (name.trim(), Some(value.trim().replace(['"', '\\'], ""))),
        })
        .collect();
    let names: Vec<_> = parts.iter().map(|(name, _)| name).collect();
    let once = |name| names.iter().filter(|other| **other == name).count() == 1;
    let bits = |value: &str| {
        value.parse::<u8>().is_ok_and(|bits| (8..=15).contains(&bits) && bits.to_string() == *value)
    };
    names.iter().all(|name| once(*name))
        && parts.iter().all(|(name, value)| match (*name, value.as_deref()) {
            ("server_no_context_takeover" | "client_no_context_takeover", value) => value.is_none(),
            ("client_max_window_bits", None) => is_offer,
            ("client_max_window_bits" | "server_max_window_bits", Some(value)) => bits(value),
            _ => false,
        })
}

/// The elements of a list that is well-formed; commas in quotes do not part them.
fn elements(list: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let is_comma = |character: char| {
        let was_escaped = escaped;
        escaped = quoted && !was_escaped && character == '\\';
        quoted ^= character == '"' && !was_escaped;
        character == ',' && !quoted
    };
    list.split(is_comma).map(str::trim).filter(|element| !element.is_empty()).collect()
}

/// Sends two messages with what was agreed on.
fn try_out(negotiated: &Negotiated) {
    let mut pool = CompressionPool::new();
    let mut encoder = Encoder::new(Some(negotiated));
    let mut bytes = vec![];
    for _ in 0..2 {
        encoder.encode(Opcode::Text, None, b"4", &[b'x'; 600], &mut pool, &mut bytes);
    }
    let agreed = PerMessageDeflate::new().context_takeover(true).conclude("permessage-deflate");
    let mut decoder = Decoder::new(Role::Client, 1000, agreed.unwrap().as_ref());
    let mut rest = &mut bytes[..];
    for _ in 0..2 {
        let (taken, event) = decoder.decode(rest, &mut pool).unwrap();
        assert!(matches!(event, Some(Event::Text(text)) if text.len() == 601));
        rest = &mut rest[taken..];
    }
    assert!(rest.is_empty());
}

/// The value of a header of all its lines (RFC 9110, § 5.3).
fn joined(headers: &[httparse::Header<'_>], name: &str) -> Option<String> {
    let lines = headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
    let values: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.value)).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn tungstenite_opens(head: &[u8]) -> bool {
    let request = Request::get("ws://h/")
        .header("Host", "h")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY);
    let stream = OneWay(Cursor::new(head.to_vec()));
    tungstenite::client::client(request.body(()).unwrap(), stream).is_ok()
}

/// RFC 6455, § 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
