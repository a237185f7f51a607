//! Why a request is refused, and what the peer is told: one table.
//!
//! Sources: Engine.IO protocol v4, § HTTP long-polling; engine.io (Node), `server.ts`, for the codes.

use std::fmt;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// A handshake by another method than GET.
    BadHandshakeMethod,
    /// Parameters, method and session do not fit together.
    BadRequest,
    /// A second GET or POST while one is under way. It ends the session.
    ConcurrentRequest,
    /// The application does not let the client in.
    Forbidden,
    /// The application could not decide.
    InternalError,
    /// HTTP that breaks its own rules. Nothing else on the connection can be trusted.
    MalformedRequest,
    /// Another method than GET and POST for a session, or than GET for a WebSocket.
    MethodNotAllowed,
    /// Another path than the server's.
    NotFound,
    /// A body that is no payload. It ends the session.
    ParseError,
    /// A body that is longer than accepted. It ends the session.
    PayloadTooLarge,
    /// A body that did not arrive in time. It ends the session.
    RequestTimeout,
    /// The server is stopping, or full, or the application did not decide in time.
    ServiceUnavailable,
    /// The client's address has as many connections as it may have.
    TooManyConnections,
    /// The `transport` is missing, unknown or switched off.
    UnknownTransport,
    /// The `sid` is not a session's.
    UnknownSession,
    /// A compressed body. It ends the session.
    UnsupportedEncoding,
    /// A body that is declared to be binary, which protocol v4 has no use for. It ends the session.
    UnsupportedMediaType,
    /// A body in another transfer coding than chunks.
    UnsupportedTransferCoding,
    /// The `EIO` is missing or not 4.
    UnsupportedVersion,
    /// A request for a WebSocket whose headers break RFC 6455.
    WebSocketHandshake(crate::websocket::handshake::HandshakeError),
}

/// What the peer is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The number in the JSON body; without one, the body is empty.
    pub code: Option<u8>,
    /// The words in the JSON body, and for the log.
    pub message: &'static str,
    /// Whether the session of the request ends.
    pub ends_session: bool,
}

impl Refusal {
    /// Every refusal; of those of the WebSocket handshake, one.
    pub const ALL: [Self; 20] = [
        Self::BadHandshakeMethod,
        Self::BadRequest,
        Self::ConcurrentRequest,
        Self::Forbidden,
        Self::InternalError,
        Self::MalformedRequest,
        Self::MethodNotAllowed,
        Self::NotFound,
        Self::ParseError,
        Self::PayloadTooLarge,
        Self::RequestTimeout,
        Self::ServiceUnavailable,
        Self::TooManyConnections,
        Self::UnknownTransport,
        Self::UnknownSession,
        Self::UnsupportedEncoding,
        Self::UnsupportedMediaType,
        Self::UnsupportedTransferCoding,
        Self::UnsupportedVersion,
        Self::WebSocketHandshake(crate::websocket::handshake::HandshakeError::InvalidKey),
    ];

    /// The refusal in words, stable, for counting.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadHandshakeMethod => "bad handshake method",
            Self::BadRequest => "bad request",
            Self::ConcurrentRequest => "concurrent request",
            Self::Forbidden => "forbidden",
            Self::InternalError => "internal error",
            Self::MalformedRequest => "malformed request",
            Self::MethodNotAllowed => "method not allowed",
            Self::NotFound => "not found",
            Self::ParseError => "parse error",
            Self::PayloadTooLarge => "payload too large",
            Self::RequestTimeout => "request timeout",
            Self::ServiceUnavailable => "service unavailable",
            Self::TooManyConnections => "too many connections",
            Self::UnknownTransport => "unknown transport",
            Self::UnknownSession => "unknown session",
            Self::UnsupportedEncoding => "unsupported encoding",
            Self::UnsupportedMediaType => "unsupported media type",
            Self::UnsupportedTransferCoding => "unsupported transfer coding",
            Self::UnsupportedVersion => "unsupported version",
            Self::WebSocketHandshake(_) => "websocket handshake",
        }
    }

    /// What the peer is told.
    pub fn answer(self) -> Answer {
        use crate::websocket::handshake::HandshakeError;
        let coded = |status, code, message| Answer {
            status,
            code: Some(code),
            message,
            ends_session: false,
        };
        let plain = |status, message| Answer { status, code: None, message, ends_session: false };
        let ending = |answer: Answer| Answer { ends_session: true, ..answer };
        match self {
            Self::UnknownTransport => coded(400, 0, "Transport unknown"),
            Self::UnknownSession => coded(400, 1, "Session ID unknown"),
            Self::BadHandshakeMethod => coded(400, 2, "Bad handshake method"),
            Self::BadRequest => coded(400, 3, "Bad request"),
            Self::Forbidden => coded(403, 4, "Forbidden"),
            Self::UnsupportedVersion => coded(400, 5, "Unsupported protocol version"),
            Self::ParseError => ending(coded(400, 3, "Bad request")),
            Self::ConcurrentRequest => ending(plain(400, "Concurrent request")),
            Self::UnsupportedMediaType => ending(plain(400, "Unsupported media type")),
            Self::UnsupportedEncoding => ending(plain(415, "Unsupported content encoding")),
            Self::PayloadTooLarge => ending(plain(413, "Payload too large")),
            Self::RequestTimeout => ending(plain(408, "Request timeout")),
            Self::MalformedRequest => plain(400, "Malformed request"),
            Self::MethodNotAllowed => plain(405, "Method not allowed"),
            Self::NotFound => plain(404, "Not found"),
            Self::TooManyConnections => plain(429, "Too many connections"),
            Self::UnsupportedTransferCoding => plain(501, "Unsupported transfer coding"),
            Self::InternalError => plain(500, "Internal server error"),
            Self::ServiceUnavailable => plain(503, "Service unavailable"),
            Self::WebSocketHandshake(error) => match error {
                HandshakeError::UnsupportedVersion => {
                    plain(426, "Missing or invalid Sec-WebSocket-Version header")
                }
                HandshakeError::InvalidKey => {
                    plain(400, "Missing or invalid Sec-WebSocket-Key header")
                }
                HandshakeError::InvalidProtocol => {
                    plain(400, "Invalid Sec-WebSocket-Protocol header")
                }
                HandshakeError::InvalidUpgrade => plain(400, "Invalid Upgrade header"),
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.answer().message)
    }
}

impl std::error::Error for Refusal {}
