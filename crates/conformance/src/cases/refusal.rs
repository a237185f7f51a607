//! Requests that are refused: with which code, and in which words.

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, fail};
use super::super::request::Request;
use super::super::server::{Server, skip};
use super::super::wire::Wire;

pub(super) static CASES: &[Case] = &[
    Case::new("refusal/code-0", "who asks for no transport is told code 0", CODES, |server| {
        server.get("EIO=4&transport=tobi")?.refused_in_words(0)
    }),
    Case::new("refusal/code-1", "who names no session is told code 1", CODES, |server| {
        server.get("EIO=4&transport=polling&sid=test")?.refused_in_words(1)
    }),
    Case::new("refusal/code-2", "who opens by another method is told code 2", CODES, |server| {
        server.exchange(&server.request("POST", HANDSHAKE))?.refused_in_words(2)
    }),
    Case::new("refusal/code-3", "whose request is wrong is told code 3", CODES, |server| {
        server.get("EIO=4&transport=websocket")?.refused_in_words(3)
    }),
    Case::new("refusal/code-5", "who speaks another version is told code 5", CODES, |server| {
        server.get("EIO=3&transport=polling")?.refused_in_words(5)
    }),
    Case::new(
        "refusal/no-query",
        "a request without parameters is refused: transport unknown",
        MISSING,
        |server| server.refuses("GET", "", 0),
    ),
    Case::new(
        "refusal/no-transport",
        "a request without a transport is refused",
        MISSING,
        |server| server.refuses("GET", "EIO=4", 0),
    ),
    Case::new("refusal/empty-transport", "an empty transport is refused", MISSING, |server| {
        server.refuses("GET", "EIO=4&transport=", 0)
    }),
    Case::new("refusal/unknown-transport", "an unknown transport is refused", CODES, |server| {
        server.refuses("GET", "EIO=4&transport=tobi", 0)
    }),
    Case::new(
        "refusal/transport-in-capitals",
        "names of transports are in small letters",
        CODES,
        |server| server.refuses("GET", "EIO=4&transport=Polling", 0),
    ),
    Case::new(
        "refusal/transport-constructor",
        "a transport called constructor is refused",
        PROTOTYPES,
        |server| server.refuses("GET", "EIO=4&transport=constructor", 0),
    ),
    Case::new(
        "refusal/transport-proto",
        "a transport called __proto__ is refused",
        PROTOTYPES,
        |server| server.refuses("GET", "EIO=4&transport=__proto__", 0),
    ),
    Case::new(
        "refusal/webtransport-over-http",
        "WebTransport is refused where there is none",
        CODES,
        |server| server.refuses("GET", "EIO=4&transport=webtransport", 0),
    ),
    Case::new(
        "refusal/last-transport-counts",
        "of two transports, the last counts",
        CODES,
        |server| server.refuses("GET", "EIO=4&transport=polling&transport=tobi", 0),
    ),
    Case::new(
        "refusal/long-transport",
        "a transport of two thousand letters is refused",
        CODES,
        |server| server.refuses("GET", &format!("EIO=4&transport={}", "x".repeat(2000)), 0),
    ),
    Case::new(
        "refusal/websocket-without-upgrade",
        "a plain GET for a WebSocket is refused",
        "EIO § WebSocket; Node",
        |server| server.refuses("GET", "EIO=4&transport=websocket", 3),
    ),
    Case::new("refusal/no-version", "a request without a version is refused", MISSING, |server| {
        server.refuses("GET", "transport=polling", 5)
    }),
    Case::new("refusal/empty-version", "an empty version is refused", CODES, |server| {
        version(server, "")
    }),
    Case::new(
        "refusal/version-3",
        "version 3 is refused where it is switched off",
        CODES,
        |server| version(server, "3"),
    ),
    Case::new("refusal/version-5", "version 5 is refused", CODES, |server| version(server, "5")),
    Case::new("refusal/version-words", "a version that is no number is refused", CODES, |server| {
        version(server, "abc")
    }),
    Case::new("refusal/version-04", "04 is not 4", CODES, |server| version(server, "04")),
    Case::new("refusal/version-space", "4 and a space is not 4", CODES, |server| {
        version(server, "4%20")
    }),
    Case::new("refusal/version-nul", "4 and a NUL is not 4", CODES, |server| {
        version(server, "4%00")
    }),
    Case::new("refusal/last-version-counts", "of two versions, the last counts", CODES, |server| {
        version(server, "4&EIO=3")
    }),
    Case::new(
        "refusal/transport-before-version",
        "a request that is wrong twice is told about its transport",
        "Node",
        |server| server.refuses("GET", "EIO=3&transport=tobi", 0),
    ),
    Case::new("refusal/post", "a handshake by POST is refused", METHODS, |server| {
        method(server, "POST")
    }),
    Case::new("refusal/put", "a handshake by PUT is refused", METHODS, |server| {
        method(server, "PUT")
    }),
    Case::new("refusal/delete", "a handshake by DELETE is refused", METHODS, |server| {
        method(server, "DELETE")
    }),
    Case::new("refusal/patch", "a handshake by PATCH is refused", METHODS, |server| {
        method(server, "PATCH")
    }),
    Case::new(
        "refusal/unknown-method",
        "a handshake by a method of nobody's is refused",
        "RFC 9110, § 15.6.2; EIO § Handshake",
        |server| {
            let response = server.exchange(&server.request("BREW", HANDSHAKE))?;
            response.status(&[400, 405, 501])
        },
    ),
    Case::new("refusal/method-in-small-letters", "get is not GET", "RFC 9110, § 9.1", |server| {
        let answer = server.exchange_bytes(server.request("get", HANDSHAKE).to_bytes())?;
        answer.map_or(Ok(()), |response| response.status(&[400, 405, 501]))
    }),
    Case::new("refusal/options", "OPTIONS is refused where CORS is off", METHODS, |server| {
        let response = server.exchange(&server.request("OPTIONS", HANDSHAKE))?;
        if response.header("access-control-allow-methods").is_some() {
            return skip("the server answers preflight requests");
        }
        response.refused(2)
    }),
    Case::new("refusal/sid-unknown", "an unknown session is refused", UNKNOWN, |server| {
        sid(server, "test")
    }),
    Case::new("refusal/sid-proto", "a session called __proto__ is unknown", PROTOTYPES, |server| {
        sid(server, "__proto__")
    }),
    Case::new(
        "refusal/sid-constructor",
        "a session called constructor is unknown",
        PROTOTYPES,
        |server| sid(server, "constructor"),
    ),
    Case::new(
        "refusal/sid-to-string",
        "a session called toString is unknown",
        PROTOTYPES,
        |server| sid(server, "toString"),
    ),
    Case::new(
        "refusal/sid-bad-encoding",
        "a session with a broken percent-encoding is unknown",
        UNKNOWN,
        |server| sid(server, "%zz"),
    ),
    Case::new("refusal/sid-nul", "a session with a NUL is unknown", UNKNOWN, |server| {
        sid(server, "%00")
    }),
    Case::new(
        "refusal/sid-not-utf-8",
        "a session that is not UTF-8 is unknown",
        UNKNOWN,
        |server| sid(server, "%ff%fe"),
    ),
    Case::new(
        "refusal/sid-path",
        "a session that looks like a path is unknown",
        UNKNOWN,
        |server| sid(server, "..%2f..%2fetc%2fpasswd"),
    ),
    Case::new(
        "refusal/sid-long",
        "a session of four thousand letters is unknown",
        UNKNOWN,
        |server| sid(server, &"A".repeat(4000)),
    ),
    Case::new(
        "refusal/sid-with-line-ends",
        "line ends in a parameter do not become headers of the answer",
        "CWE-113",
        |server| {
            let query = "EIO=4&transport=polling&sid=x%0d%0aX-Injected:%20yes%0d%0a";
            let response = server.get(query)?;
            response.refused(1)?;
            let injected = response.header("x-injected");
            ensure(injected.is_none(), "no header from a parameter", || "X-Injected".to_owned())
        },
    ),
    Case::new(
        "refusal/sid-not-told",
        "an id that is refused is not repeated in the answer",
        "practice",
        |server| {
            let response = server.get("EIO=4&transport=polling&sid=secretsecretsecret")?;
            let told = String::from_utf8_lossy(&response.body).contains("secretsecret");
            ensure(!told, "an answer without the id", || response.words())
        },
    ),
    Case::new(
        "refusal/post-to-unknown",
        "a POST to an unknown session is refused",
        UNKNOWN,
        |server| {
            let request = server.request("POST", "EIO=4&transport=polling&sid=test").body("4hello");
            server.exchange(&request)?.refused(1)
        },
    ),
    Case::new("refusal/cut-id", "an id without its last letter is unknown", UNKNOWN, |server| {
        let session = server.open()?;
        let (start, _) = session.sid.split_at(session.sid.len() - 1);
        sid(server, start)?;
        session.lives()
    }),
    Case::new("refusal/longer-id", "an id with a letter more is unknown", UNKNOWN, |server| {
        let session = server.open()?;
        sid(server, &format!("{}A", session.sid))?;
        session.lives()
    }),
    Case::new(
        "refusal/id-in-other-letters",
        "small and capital letters differ in ids",
        UNKNOWN,
        |server| {
            let session = server.open()?;
            let other: String = session
                .sid
                .chars()
                .map(|char| {
                    if char.is_ascii_lowercase() {
                        char.to_ascii_uppercase()
                    } else {
                        char.to_ascii_lowercase()
                    }
                })
                .collect();
            if other == session.sid {
                return skip("the id has no letters");
            }
            sid(server, &other)?;
            session.lives()
        },
    ),
    Case::new("refusal/other-path", "another path is not found", "RFC 9110, § 15.5.5", |server| {
        path(server, "/nowhere/at/all/")
    }),
    Case::new(
        "refusal/path-without-slash",
        "the path without its last slash is not found",
        "EIO § Request path; Node",
        |server| match server.target.path.trim_end_matches('/') {
            "" => skip("the endpoint is at the root"),
            shorter => path(server, shorter),
        },
    ),
    Case::new(
        "refusal/path-below",
        "a path below the endpoint is not found",
        "EIO § Request path",
        |server| path(server, &format!("{}foo/bar/", server.target.path)),
    ),
    Case::new(
        "refusal/keeps-the-connection",
        "a refused request does not spoil the next one",
        "RFC 9112, § 9.3",
        |server| {
            let mut wire = server.connect()?;
            wire.send(&server.request("GET", "EIO=4&transport=tobi"));
            let response = wire.response()?;
            response.refused(0)?;
            if response.closes() {
                return wire.ends();
            }
            wire.send(&server.request("GET", HANDSHAKE));
            wire.response()?.status(&[200])
        },
    ),
    Case::new(
        "refusal/cross-product",
        "whatever parameters a request has, and whatever it asks for, its answer is one of the table",
        "CVE-2023-31125; Node",
        |server| {
            let versions =
                ["", "EIO=4", "EIO=", "EIO=3", "EIO=__proto__", "EIO=4&EIO=5", "EIO[]=4"];
            let transports = [
                "",
                "transport=polling",
                "transport=websocket",
                "transport=webtransport",
                "transport=constructor",
                "transport[]=polling",
                "transport=%00",
                "transport=%",
            ];
            let sessions = ["", "sid=", "sid=__proto__", "sid=%zz", "sid=a&sid=b", "sid[]=x"];
            let others = ["", "j=0", "t=%ff&b64=1", "&&=&=x"];
            for (version, transport) in product(&versions, &transports) {
                let mut wire = server.connect()?;
                for (session, other) in product(&sessions, &others) {
                    let query = [version, transport, session, other].join("&");
                    for method in ["GET", "POST"] {
                        let request = server.request(method, &query);
                        wire = told(server, wire, &request.body(""), &query)?;
                    }
                    let request = server.upgrade_request(&query);
                    told(server, server.connect()?, &request, &query)?;
                }
            }
            server.lives()
        },
    ),
    Case::new(
        "refusal/all-end",
        "a thousand refusals leave the server as it was",
        "practice",
        |server| {
            for round in 0..20 {
                let mut wire = server.connect()?;
                for _ in 0..50 {
                    wire.send(&server.request("GET", "EIO=4&transport=tobi"));
                    let Some(response) = wire.answer_or_end()? else {
                        return fail(
                            "an answer to each request",
                            format!("the end in round {round}"),
                        );
                    };
                    response.refused(0)?;
                    if response.closes() {
                        break;
                    }
                }
            }
            server.lives()
        },
    ),
];

/// Each of `these` with each of `those`.
fn product<'a>(these: &[&'a str], those: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    these.iter().flat_map(|one| those.iter().map(|other| (*one, *other))).collect()
}

/// The request has to be granted, or refused with a code of the table. Returns a connection for the next.
fn told(server: &Server, mut wire: Wire, request: &Request, query: &str) -> Verdict<Wire> {
    wire.send(request);
    let Some(response) = wire.answer_or_end()? else {
        return fail(format!("an answer to {query:?}"), "the end of the connection");
    };
    let known = match response.status {
        101 | 200 => true,
        400 | 403 => response.is_of_the_table(),
        status => matches!(status, 404 | 405 | 411 | 426),
    };
    ensure(known, &format!("an answer of the table to {query:?}"), || response.words())?;
    if response.closes() || response.status == 101 { server.connect() } else { Ok(wire) }
}

const HANDSHAKE: &str = "EIO=4&transport=polling";
const MISSING: &str = "EIO § Query parameters";
const CODES: &str = "EIO § Query parameters; Node for the code";
const PROTOTYPES: &str = "EIO § Query parameters; CVE-2023-31125, GHSA-gr94-w7qr-f4j3";
const METHODS: &str = "EIO § Handshake; Node for the code";
const UNKNOWN: &str = "EIO § Sending data, Receiving data";

fn version(server: &Server, version: &str) -> Verdict {
    server.refuses("GET", &format!("transport=polling&EIO={version}"), 5)
}

fn method(server: &Server, method: &str) -> Verdict {
    server.refuses(method, HANDSHAKE, 2)
}

fn sid(server: &Server, sid: &str) -> Verdict {
    server.refuses("GET", &format!("{HANDSHAKE}&sid={sid}"), 1)
}

fn path(server: &Server, path: &str) -> Verdict {
    let target = format!("{path}?{HANDSHAKE}");
    server.exchange(&Request::new("GET", target, server.target.authority()))?.status(&[404])
}
