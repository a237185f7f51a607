//! The request that becomes a WebSocket.

use bytes::Bytes;
use heartwire_proto::engineio::{SessionId, Transport};
use heartwire_proto::websocket::{Negotiated, PerMessageDeflate, Role, handshake};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Empty;

use super::super::header::joined;
use super::address;
use super::dial::Purpose;
use super::exchange::{Exchanged, exchange};
use super::failure::RequestError;
use super::http::{Draft, Http, MAX_KEPT_BYTES, refused};
use crate::codec::Codec;
use crate::link::Link;
use crate::stream::Stream;

/// A WebSocket that is open.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) codec: Codec,
    /// What arrived together with the answer.
    pub(super) early: Bytes,
    /// The subprotocol that the server has chosen.
    pub(super) protocol: Option<String>,
}

impl Http {
    /// Opens a WebSocket; without a session, for one.
    pub(super) async fn websocket(&self, sid: Option<&SessionId>) -> Result<Opened, RequestError> {
        self.within(self.websocket_timeout, self.open(sid)).await
    }

    /// Opens a WebSocket that belongs to no session.
    #[cfg(test)]
    pub(super) async fn websocket_at(&self, url: &str) -> Result<Opened, RequestError> {
        let uri: Uri = url.replacen("ws://", "http://", 1).parse().expect("it is a URL");
        let key = handshake::key(rand::random());
        let line = self.agent.dialer.dial(&uri, Purpose::Socket).await;
        let line = line.map_err(RequestError::Dial)?;
        let request = self.upgrade_request(&uri, HeaderMap::new(), &key);
        match exchange(line.stream, request, 0).await.map_err(RequestError::Http)? {
            Exchanged::Switched { head, stream, early } => {
                self.conclude(&head.headers, &key, stream, early)
            }
            Exchanged::Answered { head, body } => Err(refused(head.status, body)),
        }
    }

    async fn open(&self, sid: Option<&SessionId>) -> Result<Opened, RequestError> {
        let mut redirects = 0;
        loop {
            let Draft { url, headers } = self.draft(Transport::WebSocket, sid);
            let uri = address::uri(&url).expect("it was checked with the address");
            let key = handshake::key(rand::random());
            let request = self.upgrade_request(&uri, headers, &key);
            let line = self.agent.dialer.dial(&uri, Purpose::Socket).await;
            let line = line.map_err(RequestError::Dial)?;
            let answer = exchange(line.stream, request, MAX_KEPT_BYTES).await;
            match answer.map_err(RequestError::Http)? {
                Exchanged::Switched { head, stream, early } => {
                    self.take_cookies(&url, &head.headers);
                    return self.conclude(&head.headers, &key, stream, early);
                }
                Exchanged::Answered { head, body } => {
                    self.take_cookies(&url, &head.headers);
                    let get = Method::GET;
                    if self.follow(&get, &url, head.status, &head.headers, &mut redirects)? {
                        continue;
                    }
                    if head.status.is_success() {
                        let why = format!("{}, expected 101", head.status);
                        return Err(RequestError::NotSwitched(why));
                    }
                    return Err(refused(head.status, body));
                }
            }
        }
    }

    /// The opening handshake of a client (RFC 6455, § 4.1).
    fn upgrade_request(
        &self,
        uri: &Uri,
        mut headers: HeaderMap,
        key: &str,
    ) -> Request<Empty<Bytes>> {
        let value = |text: &str| HeaderValue::try_from(text).expect("it has no control characters");
        if let Some(authority) = uri.authority() {
            headers.entry(header::HOST).or_insert_with(|| value(authority.as_str()));
        }
        headers.insert(header::CONNECTION, value("Upgrade"));
        headers.insert(header::UPGRADE, value("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, value("13"));
        headers.insert(header::SEC_WEBSOCKET_KEY, value(key));
        if !self.protocols.is_empty() {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value(&self.protocols.join(", ")));
        }
        if let Some(deflate) = &self.per_message_deflate {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, value(&deflate.offer()));
        }
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = match uri.path_and_query() {
            Some(path) => Uri::from(path.clone()),
            None => Uri::from_static("/"),
        };
        *request.headers_mut() = headers;
        request
    }

    /// The WebSocket that an answer opens.
    fn conclude(
        &self,
        answer: &HeaderMap,
        key: &str,
        stream: Stream,
        early: Bytes,
    ) -> Result<Opened, RequestError> {
        let agreed = agreed(answer, key, &self.protocols, self.per_message_deflate.as_ref());
        let (protocol, negotiated) = agreed.map_err(RequestError::NotSwitched)?;
        let codec = Codec::new(Role::Client, self.max_message, negotiated);
        Ok(Opened { link: Link::new(stream), codec, early, protocol })
    }
}

/// What the server has agreed to, if it may (RFC 6455, § 4.1): the subprotocol, and compression.
fn agreed(
    answer: &HeaderMap,
    key: &str,
    protocols: &[String],
    deflate: Option<&PerMessageDeflate>,
) -> Result<(Option<String>, Option<Negotiated>), String> {
    let text = |name| joined(answer, &name);
    let (upgrade, connection) = (text(header::UPGRADE), text(header::CONNECTION));
    let accept = text(header::SEC_WEBSOCKET_ACCEPT);
    let opening = handshake::Response {
        accept: accept.as_deref(),
        connection: connection.as_deref(),
        upgrade: upgrade.as_deref(),
    };
    if !opening.opens(key) {
        return Err(format!(
            "upgrade to {:?}, connection {:?}, proof {:?}; expected websocket, upgrade, {:?}",
            upgrade.unwrap_or_default(),
            connection.unwrap_or_default(),
            accept.unwrap_or_default(),
            handshake::accept(key)
        ));
    }
    let extensions = text(header::SEC_WEBSOCKET_EXTENSIONS).unwrap_or_default();
    let unexpected = || format!("it uses the extension {extensions:?}, which was not offered");
    let negotiated = match deflate {
        Some(deflate) => deflate.conclude(&extensions).map_err(|_| unexpected())?,
        None if extensions.is_empty() => None,
        None => return Err(unexpected()),
    };
    let protocol = text(header::SEC_WEBSOCKET_PROTOCOL).map(|protocol| protocol.trim().to_owned());
    match protocol {
        Some(protocol) if !protocols.contains(&protocol) => {
            Err(format!("it speaks {protocol:?}, expected one of {protocols:?} or none"))
        }
        protocol => Ok((protocol, negotiated)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    /// RFC 6455, § 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    #[test]
    fn what_servers_may_agree_to() {
        check(&[], Ok(None));
        check(&[("sec-websocket-protocol", "chat")], Ok(Some("chat")));
        check(&[("sec-websocket-protocol", "other")], Err("speaks \"other\""));
        check(&[("sec-websocket-protocol", "Chat")], Err("expected one of"));
        check(&[("sec-websocket-extensions", "permessage-deflate")], Err("not offered"));
        check(&[("upgrade", "h2c")], Err("upgrade to \"h2c\""));
        check(&[("connection", "close")], Err("connection \"close\""));
        check(&[("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")], Err("proof"));
    }

    #[track_caller]
    fn check(changes: &[(&'static str, &'static str)], expected: Result<Option<&str>, &str>) {
        let mut answer = HeaderMap::new();
        let good = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", ACCEPT),
        ];
        for (name, value) in good.iter().chain(changes) {
            answer.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let protocols = ["chat".to_owned(), "superchat".to_owned()];
        match (agreed(&answer, KEY, &protocols, None), expected) {
            (Ok((protocol, None)), Ok(expected)) => assert_eq!(protocol.as_deref(), expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (Ok(_), expected) => panic!("expected {expected:?}"),
            (Err(error), expected) => panic!("{error}, expected {expected:?}"),
        }
    }
}
