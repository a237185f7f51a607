//! What a peer can do wrong on a WebSocket, and the close code that tells it so.

use std::fmt;

use super::close::CloseCode;

/// The peer broke the rules of RFC 6455 or RFC 7692. The connection cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A close frame whose payload is one byte long.
    CloseTruncated,
    /// A close code that may not be sent.
    CloseCodeInvalid(u16),
    /// A control frame with more than 125 bytes of payload.
    ControlTooLong(u64),
    /// A control frame that is not the last of its message.
    FragmentedControl,
    /// A message that inflates to more than this side accepts.
    InflatedTooLong {
        /// Bytes accepted.
        max: usize,
    },
    /// A compressed message that cannot be inflated.
    InvalidCompression,
    /// Bytes that are not UTF-8 in a text message or a close reason.
    InvalidUtf8,
    /// A payload length in more bytes than it needs, or above 2^63 - 1.
    LengthNotMinimal(u64),
    /// A frame from a server that is masked.
    MaskedFrame,
    /// A message that is longer than this side accepts.
    MessageTooLong {
        /// Bytes announced so far.
        length: u64,
        /// Bytes accepted.
        max: usize,
    },
    /// A reserved bit that no extension has given a meaning.
    ReservedBits(u8),
    /// A new data frame before the message that was begun has ended.
    UnfinishedMessage,
    /// A continuation frame without a message to continue.
    UnexpectedContinuation,
    /// An opcode that RFC 6455 reserves.
    UnknownOpcode(u8),
    /// A frame from a client that is not masked.
    UnmaskedFrame,
}

impl ProtocolError {
    /// What the peer is told in the close frame.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidCompression | Self::InvalidUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::InflatedTooLong { .. } | Self::MessageTooLong { .. } => {
                CloseCode::MESSAGE_TOO_BIG
            }
            Self::CloseTruncated
            | Self::CloseCodeInvalid(_)
            | Self::ControlTooLong(_)
            | Self::FragmentedControl
            | Self::LengthNotMinimal(_)
            | Self::MaskedFrame
            | Self::ReservedBits(_)
            | Self::UnfinishedMessage
            | Self::UnexpectedContinuation
            | Self::UnknownOpcode(_)
            | Self::UnmaskedFrame => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CloseTruncated => f.write_str("close frame of one byte, a code takes two"),
            Self::CloseCodeInvalid(code) => write!(f, "close code {code} may not be sent"),
            Self::ControlTooLong(length) => {
                write!(f, "control frame of {length} bytes, at most 125 allowed")
            }
            Self::FragmentedControl => f.write_str("control frame in fragments"),
            Self::InflatedTooLong { max } => {
                write!(f, "message that inflates to more than {max} bytes")
            }
            Self::InvalidCompression => f.write_str("message that cannot be inflated"),
            Self::InvalidUtf8 => f.write_str("text that is not UTF-8"),
            Self::LengthNotMinimal(length) => {
                write!(f, "payload length {length} is not in its shortest form")
            }
            Self::MaskedFrame => f.write_str("masked frame from a server"),
            Self::MessageTooLong { length, max } => {
                write!(f, "message of {length} bytes, at most {max} accepted")
            }
            Self::ReservedBits(bits) => write!(f, "reserved bits {bits:03b} are set"),
            Self::UnfinishedMessage => f.write_str("new message before the last one has ended"),
            Self::UnexpectedContinuation => f.write_str("continuation of no message"),
            Self::UnknownOpcode(opcode) => write!(f, "unknown opcode {opcode:#x}"),
            Self::UnmaskedFrame => f.write_str("unmasked frame from a client"),
        }
    }
}

impl std::error::Error for ProtocolError {}
