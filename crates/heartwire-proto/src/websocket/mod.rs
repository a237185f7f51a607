//! WebSocket (RFC 6455): bytes to frames to messages, for both roles, compressed (RFC 7692) or not.
//!
//! ```text
//! bytes ──► Decoder ──► Event (text, binary, ping, pong, close)
//! bytes ◄── Encoder ◄── text, binary
//! bytes ◄── frame::encode ◄── ping, pong, close
//! ```
//!
//! The codec owns no buffer while a connection is idle: whole frames are decoded where they lie, in
//! the caller's buffer, and only an incomplete message is kept. The files stand from bottom to top:
//! each uses only those above it.

pub mod mask;

mod utf8;

mod close;
pub use close::{CloseCode, CloseFrame};

mod error;
pub use error::ProtocolError;

pub mod frame;
pub use frame::{FrameHeader, Opcode};

#[cfg(feature = "deflate")]
mod extension;
#[cfg(feature = "deflate")]
pub use extension::{InvalidExtensions, PerMessageDeflate};

#[cfg(feature = "deflate")]
mod compression;
#[cfg(not(feature = "deflate"))]
mod uncompressed;
#[cfg(not(feature = "deflate"))]
use uncompressed as compression;
#[cfg(not(feature = "deflate"))]
pub use uncompressed::{InvalidExtensions, PerMessageDeflate};

pub use compression::{CompressionPool, Negotiated};

mod encoder;
pub use encoder::{Encoder, Sharing};

mod decoder;
pub use decoder::{Decoder, Event, Role};

pub mod handshake;
