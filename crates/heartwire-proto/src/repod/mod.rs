//! repod: a length and a msgpack map, over TCP.
//!
//! ```text
//! bytes ──► FrameDecoder ──► payload ──► Message (checked once, read in place)
//! bytes ◄── Frame ◄── encode ◄── any serde value that is a map
//!                │
//!                └──► Session: greeting, limits, close with flush
//! ```
//!
//! repod has no written specification; the source of everything here is the behaviour of repodnet 0.1.2
//! on the wire. The files stand from bottom to top: each uses only those above it.

mod disconnect;
pub use disconnect::DisconnectReason;

mod head;

mod value;
pub use value::{Array, DecodeError, Ext, MAX_DEPTH, Map, Timestamp, Value};

mod token;
pub use token::{Token, Tokens};

mod encode;
pub use encode::{EncodeError, Frame};

mod deserialize;
pub use deserialize::ParseError;

mod message;
pub use message::{Message, MessageRef};

mod frame;
pub use frame::{FrameDecoder, FrameTooLong};

mod session;
pub use session::{Config, GREETING, Output, Role, Session, SocketEnd};
