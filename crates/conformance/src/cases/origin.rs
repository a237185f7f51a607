//! Pages of other origins.

use super::super::case::Case;
use super::super::finding::Verdict;
use super::super::request::Request;
use super::super::server::{Server, skip};

pub(super) static CASES: &[Case] = &[
    Case::new("origin/same", "a page of the server's own origin is let in", ORIGIN, |server| {
        let own = server.target.own_origin();
        let polling = server.request("GET", POLLING).header("Origin", &own);
        server.exchange(&polling)?.status(&[200])?;
        let websocket = server.upgrade_request(WEBSOCKET).header("Origin", &own);
        server.exchange(&websocket)?.switches()
    }),
    Case::new(
        "origin/other-polling",
        "a page of another origin is not let in over polling",
        ORIGIN,
        |server| polling(server, "https://evil.example"),
    ),
    Case::new(
        "origin/other-websocket",
        "a page of another origin is not let in over WebSocket",
        ORIGIN,
        |server| {
            needs_closed_doors(server)?;
            let request =
                server.upgrade_request(WEBSOCKET).header("Origin", "https://evil.example");
            server.exchange(&request)?.upgrade_refused(&[400, 403])
        },
    ),
    Case::new(
        "origin/other-upgrade",
        "a page of another origin cannot take a session over",
        ORIGIN,
        |server| {
            needs_closed_doors(server)?;
            server.needs_upgrades()?;
            let session = server.open()?;
            let request = server.upgrade_request(&session.upgrade_query());
            server
                .exchange(&request.header("Origin", "https://evil.example"))?
                .upgrade_refused(&[400, 403])?;
            session.lives()
        },
    ),
    Case::new(
        "origin/other-post",
        "a page of another origin cannot send into a session",
        ORIGIN,
        |server| {
            needs_closed_doors(server)?;
            let session = server.open()?;
            let request = session.post_request("4x").header("Origin", "https://evil.example");
            server.exchange(&request)?.status(&[400, 403])?;
            session.lives()
        },
    ),
    Case::new("origin/null", "a page without an origin is another one", ORIGIN, |server| {
        polling(server, "null")
    }),
    Case::new("origin/other-port", "another port is another origin", "RFC 6454, § 4", |server| {
        polling(server, &format!("{}://{}:1", server.target.scheme(), server.target.host))
    }),
    Case::new(
        "origin/lookalike",
        "a name that begins with the server's is another one",
        ORIGIN,
        |server| {
            polling(
                server,
                &format!("{}://{}.evil.example", server.target.scheme(), server.target.host),
            )
        },
    ),
    Case::new("origin/two", "two origins are nobody's", "RFC 6454, § 7.3", |server| {
        needs_closed_doors(server)?;
        let own = server.target.own_origin();
        let request = server.request("GET", POLLING).header("Origin", own);
        refused(server, &request.header("Origin", "https://evil.example"))
    }),
    Case::new(
        "origin/control-characters",
        "an origin with control characters is refused",
        "RFC 9110, § 5.5",
        |server| {
            let request = server.request("GET", POLLING).header("Origin", "http://a\u{1}b");
            match server.exchange_bytes(request.to_bytes())? {
                Some(response) => response.status(&[400, 403]),
                None => Ok(()),
            }
        },
    ),
];

const POLLING: &str = "EIO=4&transport=polling";
const WEBSOCKET: &str = "EIO=4&transport=websocket";
const ORIGIN: &str = "OWASP ASVS, cross-site WebSocket hijacking; RFC 6455, § 10.2";

fn polling(server: &Server, origin: &str) -> Verdict {
    needs_closed_doors(server)?;
    refused(server, &server.request("GET", POLLING).header("Origin", origin))
}

fn refused(server: &Server, request: &Request) -> Verdict {
    server.exchange(request)?.status(&[400, 403])
}

/// Who lets pages of every origin in does so on purpose, and tells browsers.
fn needs_closed_doors(server: &Server) -> Verdict {
    let request = server.request("GET", POLLING).header("Origin", "https://evil.example");
    match server.exchange(&request)?.header("access-control-allow-origin") {
        Some("*" | "https://evil.example") => skip("the server lets pages of every origin in"),
        _ => Ok(()),
    }
}
