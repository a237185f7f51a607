//! Answers, and what they should be.

use serde_json::{Value, json};

use super::finding::{Verdict, ensure, fail, quoted};
use super::request::ACCEPT;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Reads the first line and the headers.
    pub(crate) fn of_head(head: &[u8]) -> Verdict<Self> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.trim_end().split("\r\n");
        let first = lines.next().unwrap_or("");
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (true, Some(status)) = (first.starts_with("HTTP/1."), status) else {
            return fail("an HTTP answer", quoted(head));
        };
        let mut headers = vec![];
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                return fail("headers as name: value", quoted(line.as_bytes()));
            };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Self { status, headers, body: vec![] })
    }

    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| &**value)
    }

    /// Whether an answer of this status has a body (RFC 9112, § 6.3).
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    /// Whether the server says that it closes the connection.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|options| options.eq_ignore_ascii_case("close"))
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        if self.body.is_empty() {
            format!("{} without a body", self.status)
        } else {
            format!("{} with {}", self.status, quoted(&self.body))
        }
    }

    /// The status has to be one of these.
    pub(crate) fn status(&self, allowed: &[u16]) -> Verdict {
        if allowed.contains(&self.status) {
            return Ok(());
        }
        let allowed: Vec<_> = allowed.iter().map(u16::to_string).collect();
        fail(format!("status {}", allowed.join(" or ")), self.words())
    }

    /// The request has to be refused. Where the server says why with a code of the table, it has to be
    /// this one; whether it does is a matter of points of its own.
    pub(crate) fn refused(&self, code: u8) -> Verdict {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        match body {
            Some(body) if body.get("code").is_some() => self.refused_in_words(code),
            _ => self.status(&[if code == 4 { 403 } else { 400 }]),
        }
    }

    /// The request has to be refused, in the words of the table of errors.
    pub(crate) fn refused_in_words(&self, code: u8) -> Verdict {
        let message = MESSAGES[usize::from(code)];
        let status = if code == 4 { 403 } else { 400 };
        let expected = json!({"code": code, "message": message});
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        if self.status != status || body != Some(expected.clone()) {
            return fail(format!("{status} with {expected}"), self.words());
        }
        let kind = self.header("content-type").unwrap_or("none");
        ensure(kind.starts_with("application/json"), "Content-Type: application/json", || {
            kind.to_owned()
        })
    }

    /// Whether it is a refusal, and where it has a code, one of the table.
    pub(crate) fn is_of_the_table(&self) -> bool {
        matches!(self.status, 400 | 403)
            && (0..MESSAGES.len()).any(|code| self.refused(code as u8).is_ok())
    }

    /// A request for a WebSocket has to be refused before anything is upgraded.
    pub(crate) fn upgrade_refused(&self, allowed: &[u16]) -> Verdict {
        self.status(allowed)
    }

    /// The packets that a GET brings.
    pub(crate) fn packets(&self) -> Verdict<&str> {
        self.status(&[200])?;
        match std::str::from_utf8(&self.body) {
            Ok(text) => Ok(text),
            Err(_) => fail("a payload in UTF-8", quoted(&self.body)),
        }
    }

    /// A GET has to bring exactly this.
    pub(crate) fn brings(&self, payload: &str) -> Verdict {
        if self.status == 200 && self.body == payload.as_bytes() {
            return Ok(());
        }
        fail(format!("200 with {}", quoted(payload.as_bytes())), self.words())
    }

    /// A POST has to be accepted.
    ///
    /// In which letters it says so is a matter of a point of its own.
    pub(crate) fn taken(&self) -> Verdict {
        if self.status == 200 && self.body.eq_ignore_ascii_case(b"ok") {
            return Ok(());
        }
        self.brings("ok")
    }

    /// The server has to go over to WebSocket, and to prove that it has read the request (RFC 6455,
    /// § 4.2.2).
    pub(crate) fn switches(&self) -> Verdict {
        self.status(&[101])?;
        let has = |name, value: &str| {
            self.header(name).is_some_and(|header| header.eq_ignore_ascii_case(value))
        };
        ensure(has("upgrade", "websocket"), "Upgrade: websocket", || {
            format!("{:?}", self.header("upgrade"))
        })?;
        ensure(has("connection", "upgrade"), "Connection: Upgrade", || {
            format!("{:?}", self.header("connection"))
        })?;
        let accept = self.header("sec-websocket-accept");
        ensure(accept == Some(ACCEPT), &format!("Sec-WebSocket-Accept: {ACCEPT}"), || {
            format!("{accept:?}")
        })
    }
}

/// What the codes of refusals mean (Node server, `server.ts`).
const MESSAGES: [&str; 6] = [
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
];
