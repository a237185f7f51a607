//! What a peer tells of itself: one JSON object a line, written before the peer goes on, so that a kill loses
//! none.

use std::io::Write;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A line of a journal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Line {
    /// When it was written: milliseconds of the clock that all processes of this machine share.
    pub at: u64,
    /// What has happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What has happened to a peer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// The server listens.
    Listening {
        /// Its port.
        port: u16,
    },
    /// A session is open.
    Connected {
        /// Its name; of a client that does not learn it, the name of the client's own.
        session: String,
        /// Who sends over it: the client, or as a server calls it, the session.
        by: String,
    },
    /// A message has come.
    Delivered {
        /// The session that it came over.
        session: String,
        /// Who has sent it: a client, or a server's session.
        from: String,
        /// Its number, counted from 0 by who has sent it.
        id: u64,
    },
    /// Something has come that nobody has sent, or that was changed on the way.
    Corrupt {
        /// The session that it came over.
        session: String,
        /// What has come.
        message: String,
    },
    /// A session has ended.
    Disconnected {
        /// Its name.
        session: String,
        /// Why, in the library's words.
        reason: String,
        /// Messages that may not have arrived, as this side says.
        unsent: usize,
        /// What there is to say besides.
        detail: Option<String>,
    },
    /// Somebody sends no more.
    Accepted {
        /// Who: a client, or a server's session.
        from: String,
        /// Messages that the library has accepted.
        count: u64,
    },
    /// The session goes on over a WebSocket.
    Upgraded {
        /// Its name.
        session: String,
    },
    /// A client has ended without a session: how many messages it did not send.
    GaveUp {
        /// The client.
        from: String,
        /// Messages that it had accepted and did not send.
        unsent: usize,
    },
    /// The peer has ended by itself.
    Ended {
        /// Sessions that a server still knows, which is none if it is right.
        sessions: usize,
    },
}

/// Writes a line of this process's journal.
///
/// # Panics
///
/// If nobody reads it any more: the run is over then.
pub fn write(entry: Entry) {
    let mut text = serde_json::to_string(&Line { at: now(), entry }).expect("a line is JSON");
    text.push('\n');
    std::io::stdout().lock().write_all(text.as_bytes()).expect("the run reads the journal");
}

/// The time: milliseconds of the clock that all processes of this machine share, and that nobody sets.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
