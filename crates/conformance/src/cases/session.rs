//! Requests of a session that do not fit it: they are refused, and it goes on.

use super::super::case::Case;
use super::super::finding::{Verdict, ensure, equal};
use super::super::server::Server;

pub(super) static CASES: &[Case] = &[
    Case::new("session/put", "PUT is refused, and the session goes on", METHODS, |server| {
        method(server, "PUT")
    }),
    Case::new("session/delete", "DELETE is refused, and the session goes on", METHODS, |server| {
        method(server, "DELETE")
    }),
    Case::new("session/patch", "PATCH is refused, and the session goes on", METHODS, |server| {
        method(server, "PATCH")
    }),
    Case::new("session/head", "HEAD is refused, and the session goes on", METHODS, |server| {
        method(server, "HEAD")
    }),
    Case::new(
        "session/options",
        "OPTIONS is refused or a preflight, and the session goes on",
        METHODS,
        |server| {
            let session = server.open()?;
            let response = server.exchange(&session.request("OPTIONS"))?;
            response.status(&[200, 204, 400, 405, 501])?;
            session.lives()
        },
    ),
    Case::new(
        "session/allow",
        "who is told 405 is told which methods are allowed",
        "RFC 9110, § 15.5.6",
        |server| {
            let session = server.open()?;
            let response = server.exchange(&session.request("PUT"))?;
            if response.status != 405 {
                return Ok(());
            }
            let allow = response.header("allow").unwrap_or("");
            ensure(allow.contains("GET") && allow.contains("POST"), "Allow: GET, POST", || {
                allow.to_owned()
            })
        },
    ),
    Case::new(
        "session/websocket-without-upgrade",
        "a plain GET for a WebSocket of a session is refused, and takes no packets away",
        "EIO § WebSocket",
        |server| {
            let session = server.open()?;
            server.needs_echo()?;
            session.post("4kept")?.taken()?;
            server.refuses("GET", &session.upgrade_query(), 3)?;
            session.brings("4kept")
        },
    ),
    Case::new(
        "session/version-3",
        "a session that began with version 4 does not go on with 3",
        "EIO § Query parameters",
        |server| fits_not(server, "EIO=3&transport=polling", 3),
    ),
    Case::new(
        "session/no-version",
        "every request of a session names the version",
        "EIO § Query parameters",
        |server| fits_not(server, "transport=polling", 3),
    ),
    Case::new(
        "session/unknown-transport",
        "an unknown transport is refused, and the session goes on",
        "EIO § Query parameters",
        |server| fits_not(server, "EIO=4&transport=tobi", 0),
    ),
    Case::new(
        "session/upgrade-to-polling",
        "a request that is for polling and for a WebSocket is refused",
        "EIO § WebSocket",
        |server| {
            let session = server.open()?;
            let request = server.upgrade_request(&session.query());
            server.exchange(&request)?.upgrade_refused(&[400])?;
            session.lives()
        },
    ),
    Case::new(
        "session/post-over-websocket",
        "a POST to a session on WebSocket is refused",
        "EIO § WebSocket",
        |server| {
            let (mut socket, sid) = server.open_websocket()?;
            let request = server.request("POST", &format!("EIO=4&transport=polling&sid={sid}"));
            server.exchange(&request.body("4hello"))?.refused(3)?;
            server.needs_echo()?;
            socket.echoes("4alone")
        },
    ),
    Case::new(
        "session/get-over-websocket",
        "a GET to a session on WebSocket is refused",
        "EIO § WebSocket",
        |server| {
            let (mut socket, sid) = server.open_websocket()?;
            server.refuses("GET", &format!("EIO=4&transport=polling&sid={sid}"), 3)?;
            server.needs_echo()?;
            socket.echoes("4alone")
        },
    ),
    Case::new(
        "session/second-websocket",
        "a second WebSocket for a session on WebSocket is closed, and the first goes on",
        "EIO § WebSocket",
        |server| {
            let (mut socket, sid) = server.open_websocket()?;
            let mut wire = server.connect()?;
            wire.send(&server.upgrade_request(&format!("EIO=4&transport=websocket&sid={sid}")));
            if wire.response()?.status == 101 {
                super::super::socket::Socket::new(wire).ends()?;
            }
            server.needs_echo()?;
            socket.echoes("4alone")
        },
    ),
    Case::new("session/apart", "a session never gets what is another's", "practice", |server| {
        server.needs_echo()?;
        let (one, other) = (server.open()?, server.open()?);
        one.post("4one")?.taken()?;
        other.post("4other")?.taken()?;
        one.brings("4one")?;
        other.brings("4other")
    }),
    Case::new(
        "session/crowd",
        "a hundred sessions at once each get their own",
        "practice",
        |server| {
            server.needs_echo()?;
            let mut sockets = vec![];
            for _ in 0..100 {
                sockets.push(server.open_websocket()?.0);
            }
            for (number, socket) in sockets.iter_mut().enumerate() {
                socket.text(&format!("4{number}"));
            }
            for (number, socket) in sockets.iter_mut().enumerate() {
                socket.brings(&format!("4{number}"))?;
            }
            Ok(())
        },
    ),
    Case::new(
        "session/connection-close",
        "a connection may end after each request, and the session goes on",
        "RFC 9112, § 9.6",
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            wire.send(&session.post_request("4x").header("Connection", "close"));
            wire.response()?.taken()?;
            wire.ends()?;
            session.post("3")?.taken()
        },
    ),
    Case::new(
        "session/one-connection",
        "all requests of a session may share a connection",
        "RFC 9112, § 9.3",
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut wire = server.connect()?;
            for number in 0..5 {
                let packet = format!("4{number}");
                wire.send(&session.post_request(&packet));
                wire.response()?.taken()?;
                wire.send(&session.request("GET"));
                wire.response()?.brings(&packet)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "session/answer-to-get",
        "packets are plain text in UTF-8, and no cache keeps them",
        "EIO § Headers; Node",
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            session.post("4x")?.taken()?;
            let response = session.get()?;
            response.brings("4x")?;
            let kind = response.header("content-type").unwrap_or("none").to_lowercase();
            equal("Content-Type", &*kind.replace("; ", ";"), "text/plain;charset=utf-8")?;
            equal("Cache-Control", response.header("cache-control"), Some("no-store"))
        },
    ),
    Case::new(
        "session/answer-to-post",
        "the answer to a POST is ok, and no cache keeps it",
        "EIO § Sending data; Node",
        |server| {
            let response = server.open()?.post("4x")?;
            response.brings("ok")?;
            equal("Content-Type", response.header("content-type"), Some("text/html"))?;
            equal("Cache-Control", response.header("cache-control"), Some("no-store"))
        },
    ),
];

const METHODS: &str = "RFC 9110, § 15.5.6";

fn method(server: &Server, method: &str) -> Verdict {
    let session = server.open()?;
    server.exchange(&session.request(method))?.status(&[400, 405, 501])?;
    session.lives()
}

fn fits_not(server: &Server, query: &str, code: u8) -> Verdict {
    let session = server.open()?;
    server.refuses("GET", &format!("{query}&sid={}", session.sid), code)?;
    session.lives()
}
