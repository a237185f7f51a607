//! The opening handshake: what an HTTP request must say to become a WebSocket, and the proof that
//! the server has read it.
//!
//! Source: RFC 6455, § 4.

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a server needs to know of an HTTP request that asks for a WebSocket. A header that the
/// request repeats is given with its values joined by `", "` (RFC 9110, § 5.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The `Connection` header.
    pub connection: Option<&'a str>,
    /// The `Sec-WebSocket-Key` header.
    pub key: Option<&'a str>,
    /// The `Sec-WebSocket-Protocol` header.
    pub protocols: Option<&'a str>,
    /// The `Upgrade` header.
    pub upgrade: Option<&'a str>,
    /// The `Sec-WebSocket-Version` header.
    pub version: Option<&'a str>,
}

impl Request<'_> {
    /// Whether the request wants to leave HTTP for a WebSocket: `Connection` names `upgrade`, and
    /// there is an `Upgrade` header.
    pub fn wants_upgrade(&self) -> bool {
        self.upgrade.is_some() && self.connection.is_some_and(|list| has_token(list, "upgrade"))
    }

    /// Checks the headers and returns the value of `Sec-WebSocket-Accept` to answer with.
    ///
    /// # Errors
    ///
    /// The first rule of RFC 6455, § 4.2.1, that the request breaks.
    pub fn accept(&self) -> Result<String, HandshakeError> {
        if !self.upgrade.is_some_and(|list| has_token(list, "websocket")) {
            return Err(HandshakeError::InvalidUpgrade);
        }
        if self.version.map(str::trim) != Some("13") {
            return Err(HandshakeError::UnsupportedVersion);
        }
        let key = self.key.map_or("", str::trim);
        if !STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == NONCE_BYTES) {
            return Err(HandshakeError::InvalidKey);
        }
        if self.protocols.is_some_and(|list| !are_protocols(list)) {
            return Err(HandshakeError::InvalidProtocol);
        }
        Ok(accept(key))
    }

    /// The first of the subprotocols that the client offers, where the request is
    /// [accepted](Self::accept).
    pub fn protocol(&self) -> Option<&'_ str> {
        self.protocols?.split(',').next().map(str::trim)
    }
}

/// What a client needs to know of the answer to its request. A header that the answer repeats is given
/// with its values joined by `", "`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    /// The `Sec-WebSocket-Accept` header.
    pub accept: Option<&'a str>,
    /// The `Connection` header.
    pub connection: Option<&'a str>,
    /// The `Upgrade` header.
    pub upgrade: Option<&'a str>,
}

impl Response<'_> {
    /// Whether an answer with status 101 opens the WebSocket that was asked for with `key` (RFC 6455,
    /// § 4.1).
    pub fn opens(&self, key: &str) -> bool {
        self.upgrade.is_some_and(|upgrade| upgrade.trim().eq_ignore_ascii_case("websocket"))
            && self.connection.is_some_and(|list| has_token(list, "upgrade"))
            && self.accept.is_some_and(|proof| proof.trim() == accept(key))
    }
}

/// The rule that a handshake request breaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HandshakeError {
    /// `Sec-WebSocket-Key` is missing or not 16 bytes in base64.
    InvalidKey,
    /// `Sec-WebSocket-Protocol` is not a list of tokens that differ.
    InvalidProtocol,
    /// `Upgrade` does not name `websocket`.
    InvalidUpgrade,
    /// `Sec-WebSocket-Version` is missing or not 13.
    UnsupportedVersion,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidKey => "Missing or invalid Sec-WebSocket-Key header",
            Self::InvalidProtocol => "Invalid Sec-WebSocket-Protocol header",
            Self::InvalidUpgrade => "Invalid Upgrade header",
            Self::UnsupportedVersion => "Missing or invalid Sec-WebSocket-Version header",
        })
    }
}

impl std::error::Error for HandshakeError {}

/// The value of `Sec-WebSocket-Key` for sixteen unpredictable bytes.
pub fn key(nonce: [u8; NONCE_BYTES]) -> String {
    STANDARD.encode(nonce)
}

/// The value of `Sec-WebSocket-Accept` that proves that `key` was read.
pub fn accept(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.digest().bytes())
}

/// Whether the comma-separated `list` has `token`, in any case.
fn has_token(list: &str, token: &str) -> bool {
    list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// Whether the comma-separated `list` has tokens (RFC 9110, § 5.6.2) and nothing else, each once. The time
/// that it takes grows with the length of the list alone.
fn are_protocols(list: &str) -> bool {
    let mut known = HashSet::new();
    list.split(',').all(|item| {
        let token = item.trim_matches([' ', '\t']);
        !token.is_empty() && token.bytes().all(is_token_byte) && known.insert(token)
    })
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Bytes of randomness in a handshake key.
pub const NONCE_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Request<'_> = Request {
        connection: Some("keep-alive, Upgrade"),
        key: Some("dGhlIHNhbXBsZSBub25jZQ=="),
        protocols: None,
        upgrade: Some("WebSocket"),
        version: Some("13"),
    };

    #[test]
    fn rfc_example() {
        // RFC 6455, § 1.3.
        assert!(GOOD.wants_upgrade());
        assert_eq!(GOOD.accept(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
        assert_eq!(key(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn bad_requests() {
        use HandshakeError as E;
        refused(Request { key: None, ..GOOD }, E::InvalidKey);
        refused(Request { key: Some("dGhlIHNhbXBsZQ=="), ..GOOD }, E::InvalidKey);
        refused(Request { key: Some("dGhlIHNhbXBsZSBub25jZQ"), ..GOOD }, E::InvalidKey);
        refused(Request { key: Some("!!hlIHNhbXBsZSBub25jZQ=="), ..GOOD }, E::InvalidKey);
        refused(Request { version: None, ..GOOD }, E::UnsupportedVersion);
        refused(Request { version: Some("12"), ..GOOD }, E::UnsupportedVersion);
        refused(Request { upgrade: Some("h2c"), ..GOOD }, E::InvalidUpgrade);
        assert!(!Request { connection: Some("keep-alive"), ..GOOD }.wants_upgrade());
        assert!(!Request { upgrade: None, ..GOOD }.wants_upgrade());
    }

    #[test]
    fn subprotocols() {
        for (list, first) in
            [("chat", "chat"), ("a, b", "a"), (" a\t,b ,c", "a"), ("v1.x~!", "v1.x~!")]
        {
            let request = Request { protocols: Some(list), ..GOOD };
            assert!(request.accept().is_ok(), "{list:?}");
            assert_eq!(request.protocol(), Some(first), "{list:?}");
        }
        // RFC 6455, § 4.1: "The elements that comprise this value MUST be non-empty strings […] and MUST all
        // be unique strings."
        for list in
            ["", " ", ",", "a,", ",a", "a,,b", "a b", "a,b,a", "é", "a\u{0}", "a;b", "\"a\""]
        {
            refused(Request { protocols: Some(list), ..GOOD }, HandshakeError::InvalidProtocol);
        }
        assert_eq!(GOOD.protocol(), None);
    }

    #[test]
    fn answers_that_open_a_websocket_and_others() {
        let good = Response {
            accept: Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            connection: Some("keep-alive, upgrade"),
            upgrade: Some("WebSocket"),
        };
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        assert!(good.opens(key));
        assert!(!good.opens("AAAAAAAAAAAAAAAAAAAAAA=="));
        assert!(!Response { accept: None, ..good }.opens(key));
        assert!(!Response { connection: Some("close"), ..good }.opens(key));
        assert!(!Response { connection: None, ..good }.opens(key));
        assert!(!Response { upgrade: Some("h2c"), ..good }.opens(key));
        assert!(!Response { upgrade: None, ..good }.opens(key));
    }

    #[track_caller]
    fn refused(request: Request<'_>, expected: HandshakeError) {
        assert_eq!(request.accept(), Err(expected));
    }
}
