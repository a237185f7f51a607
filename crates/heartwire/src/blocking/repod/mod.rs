//! A blocking repod client, and a listener that runs handlers on the caller's thread.
//!
//! What [messages, limits and the end of a connection](crate::repod) are is the same for all clients. Here
//! the network has a thread of its own, one for all clients of the process: it costs nothing while nothing
//! happens, and goes on while the program computes, draws or sleeps.
//!
//! # Start, send, close
//!
//! ```no_run
//! use heartwire::blocking::repod::Client;
//! use serde_json::json;
//!
//! let client = Client::new("localhost", 5071);
//! client.start_background();
//! client.send(&json!({"action": "login", "username": "alice"}))?;
//! client.send(&json!({"action": "chat", "text": "Hello world!"}))?;
//! client.close();
//! # Ok::<_, heartwire::repod::SendError>(())
//! ```
//!
//! Nothing has to be waited for: messages wait for the connection, and `close` sends them before it returns.
//! It takes no longer than the [linger](ClientBuilder::linger) time. End a program with it: a client that is
//! dropped is closed too, but in the background, and what still waits when the process ends is lost with it.
//!
//! [`send`](Client::send) returns the bytes that were queued, and 0 when there is no connection to wait for.
//! After the end, [`start_background`](Client::start_background) connects anew. With
//! [`ClientBuilder::reconnect`] the client does that by itself:
//!
//! ```no_run
//! use heartwire::Backoff;
//! use heartwire::blocking::repod::Client;
//!
//! let options = Client::builder("localhost", 5071).reconnect(Backoff::new());
//! let client = Client::with(options);
//! client.start_background();
//! ```
//!
//! # Receive
//!
//! There are three ways; choose one for each client.
//!
//! - **Take messages** when it suits: [`pump`](Client::pump) takes those that are there and waits for none,
//!   [`recv`](Client::recv) and [`messages`](Client::messages) wait. [`next`](Client::next) and its kin also
//!   tell what happens to the connection.
//! - **Handlers on a thread of their own**: [`on_message`](Client::on_message) and
//!   [`on_event`](Client::on_event), set before the client is started. They run one after the other, and may
//!   block.
//! - **Handlers on your own thread**, by action: a [`ConnectionListener`] runs them when the game's main loop
//!   pumps, so they can change the game's state without a lock.
//!
//! ```no_run
//! use heartwire::blocking::repod::Client;
//!
//! let client = Client::new("localhost", 5071);
//! client.start_background();
//! loop {
//!     for message in client.pump() {
//!         println!("{}: {message:?}", message.action());
//!     }
//!     // … draw …
//! #   break;
//! }
//! ```
//!
//! The client works inside an async runtime, too, for what that is worth: calls that wait block the thread.

mod client;
pub use client::{Client, ClientBuilder};

mod listener;
pub use listener::ConnectionListener;
