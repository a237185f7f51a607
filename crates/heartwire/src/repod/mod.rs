//! repod: a length and a msgpack map, over TCP. Servers and clients.
//!
//! A **message** is a map with the key `action`: a struct of yours, a [`serde_json::json!`] object, anything
//! that serde makes a map of. Its **action** says what it is about. Who receives a [`Message`] reads values
//! where they lie ([`Message::get`]) or has it made into a type ([`Message::parse`]). A well-formed frame that
//! is no message is ignored and counted ([`Statistics::ignored`]); a malformed one ends the connection.
//!
//! Programs without an async runtime find the client in [`blocking::repod`](crate::blocking::repod).
//!
//! # Server
//!
//! A server sees each client as a [`Channel`]. It greets with a message of the action `connected`, as every
//! repod server does. What it does with messages is said in one of three ways: callbacks by action
//! ([`Actions`]), one [`Handler`] for everything, or a future for each channel
//! ([`Server::on_connection`]).
//!
//! ```no_run
//! use heartwire::repod::{Actions, Server};
//! use serde_json::json;
//!
//! # async fn run() -> std::io::Result<()> {
//! let server = Server::new();
//! let everybody = server.clone();
//! server.set_handler(
//!     Actions::new()
//!         .on_connect(|channel| {
//!             let _ = channel.try_send(&json!({"action": "welcome"}));
//!         })
//!         .on("chat", move |_, message| {
//!             for slow in everybody.send_frame_to_all(&message.to_frame()) {
//!                 slow.kick("too slow");
//!             }
//!         }),
//! );
//! server.listen("0.0.0.0:5071").await
//! # }
//! ```
//!
//! Callbacks of one channel run one after the other, in the order of its messages; those of several channels
//! run at the same time. One that panics is reported, and the channel goes on.
//! [`Server::send_to_all`] encodes a message once for everybody.
//!
//! # Client
//!
//! A [`Client`] is told [events](client::Event): connected, messages, disconnected. It connects
//! with [`connect`](ClientBuilder::connect), which waits for the connection, or
//! [`start`](ClientBuilder::start), which does not: messages wait for it then.
//!
//! ```no_run
//! use heartwire::repod::{Client, client::Event};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(tag = "action", rename_all = "lowercase")]
//! enum Play {
//!     Move { x: i64, y: i64 },
//!     Leave,
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("localhost", 5071).await?;
//! client.send(&Play::Move { x: 10, y: 20 }).await?;
//! while let Some(event) = client.next().await {
//!     match event {
//!         Event::Message(message) => match message.parse() {
//!             Ok(Play::Move { x, y }) => println!("moved to {x}, {y}"),
//!             Ok(Play::Leave) => client.close(),
//!             Err(_) => println!("{message:?}"),
//!         },
//!         Event::Disconnected(disconnected) => println!("{disconnected}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Whatever a server sends is a message, and never one of the other events: no name of an action is reserved.
//!
//! # What becomes of messages
//!
//! What a `send` has accepted is delivered once and in order, or counted: in [`Disconnected::unsent`] when a
//! connection ends, in [`Event::GaveUp`](client::Event::GaveUp) when none comes. Where a
//! connection breaks, what the peer's system had not confirmed counts as unsent, if the system tells (Linux
//! does). What it had confirmed and the peer did not read is out of sight: repod has no receipts.
//!
//! Queues are bounded in both directions. A full send queue is an error of `try_send`
//! ([`SendError::Full`]), a wait of `send`, and if the server wants it, the end of the connection
//! ([`SlowPeerPolicy`]). A full receive queue stops the reading, so that the peer is slowed down by its own
//! connection.
//!
//! # Reconnection
//!
//! Off by default; [`ClientBuilder::reconnect`] turns it on. Messages that wait are sent over the next
//! connection, those whose fate is unknown are counted and not sent again.
//!
//! ```no_run
//! use heartwire::Backoff;
//! use heartwire::repod::Client;
//!
//! # async fn run() {
//! let client = Client::builder("localhost", 5071)
//!     .reconnect(Backoff::new().max_attempts(10))
//!     .start();
//! # }
//! ```
//!
//! # Limits and liveness
//!
//! A server can bound the connections it lets in, the messages a client may send in a second, and the length
//! of a message; both ends bound how long a message may take to arrive and how long a peer may take nothing
//! ([`ServerBuilder`], [`ClientBuilder`]). [`Disconnected`] says which limit it was.
//!
//! repod has no heartbeat. The kernel finds out instead: it asks silent peers whether they are there
//! (keep-alive), gives up those that confirm nothing, and has measured the
//! [round trip time](Client::round_trip). The peer need not know of any of it.
//!
//! # TLS
//!
//! repod itself knows none, but both ends here do, with the feature `tls`: `Server::serve_tls` and
//! `ClientBuilder::tls`. A client of the original can be served through a proxy that takes TLS off.
//!
//! # The end
//!
//! [`Client::disconnect`], [`Channel::close`] and [`Server::close`] send what waits first, for the
//! [linger](ClientBuilder::linger) time at most, so a peer that does not read delays nobody for long. `close_now`
//! does not. [`Channel::kick`] says why, in this side's records. When the last handle of a client is dropped, it
//! is closed in the background.
//!
//! # How it is made
//!
//! ```text
//! client ──► run (connect, hold, connect again) ──┐
//!                                                 ├──► driver (the hot path of both ends)
//! server ──► listener ──► task (one a channel) ───┘
//! ```

pub use heartwire_proto::repod::{
    Array, DecodeError, DisconnectReason, EncodeError, Ext, Frame, Map, Message, MessageRef,
    ParseError, Timestamp, Value,
};
pub use heartwire_sys::RoundTrip;

pub use crate::callback::HandlerResult;

mod disconnected;
pub use disconnected::{Disconnected, SendError};

mod traffic;
pub use traffic::Statistics;

mod liveness;

mod driver;

mod server;
pub use server::{
    Actions, Channel, ChannelId, Context, Handler, Server, ServerBuilder, SlowPeerPolicy,
};

pub mod client;
pub use client::{Client, ClientBuilder};

/// The port that repod uses where none is given.
pub const DEFAULT_PORT: u16 = 5071;
