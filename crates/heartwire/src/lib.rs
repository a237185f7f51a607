//! Realtime connections that stay up and lose nothing: two wire protocols, as client and as server, async
//! and blocking.
//!
//! | | server | client | client without an async runtime |
//! |---|---|---|---|
//! | **Engine.IO v4**, which Socket.IO runs on and every browser reaches | [`engineio::Server`] | [`engineio::Client`] | [`blocking::engineio`] |
//! | **repod**, length and msgpack over TCP, for small multiplayer games | [`repod::Server`] | [`repod::Client`] | [`blocking::repod`] |
//!
//! The manuals are the pages of [`engineio`] and [`repod`]; the page `migration` leads here from other
//! libraries.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `engineio-server` | yes | [`engineio::Server`], and hyper |
//! | `engineio-client` | yes | [`engineio::Client`], and hyper |
//! | `repod` | yes | [`repod`] |
//! | `blocking` | yes | [`blocking`], and one background thread for the process |
//! | `tls` | yes | [`tls`], and rustls |
//! | `http-compression` | yes | compressed answers to GETs |
//! | `deflate` | no | compressed WebSocket messages |
//! | `metrics` | no | numbers of an Engine.IO server for the `metrics` facade |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(docsrs, doc(auto_cfg(hide(feature = "__connections", feature = "__engineio"))))]
#![cfg_attr(
    not(all(
        feature = "engineio-server",
        feature = "engineio-client",
        feature = "repod",
        feature = "blocking"
    )),
    allow(
        dead_code,
        unreachable_pub,
        reason = "what one feature leaves out may leave parts of the rest unused"
    )
)]

#[cfg(feature = "blocking")]
mod background;

#[cfg(feature = "__connections")]
mod sync;

#[cfg(feature = "__connections")]
mod accept;
#[cfg(feature = "__connections")]
mod admission;
#[cfg(feature = "__connections")]
mod alarm;
#[cfg(feature = "__connections")]
mod callback;
#[cfg(feature = "__engineio")]
mod codec;
#[cfg(feature = "__connections")]
mod inbox;
#[cfg(feature = "__connections")]
mod lifecycle;
#[cfg(feature = "__connections")]
mod link;
#[cfg(feature = "__connections")]
mod mailbox;
#[cfg(feature = "__connections")]
mod outcome;
#[cfg(feature = "__connections")]
mod progress;
#[cfg(feature = "__connections")]
mod retry;
#[cfg(feature = "__connections")]
mod scratch;
#[cfg(feature = "__connections")]
mod stream;
#[cfg(feature = "__connections")]
mod tally;
#[cfg(feature = "__connections")]
mod transit;

#[cfg(all(test, feature = "__engineio"))]
mod echo;

#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "__engineio")]
pub mod engineio;

#[cfg(feature = "repod")]
pub mod repod;

#[cfg(feature = "blocking")]
pub mod blocking;

#[cfg(feature = "__connections")]
pub use accept::listen;
pub use heartwire_proto::shared::Backoff;

#[cfg(all(
    doc,
    feature = "engineio-server",
    feature = "engineio-client",
    feature = "http-compression",
    feature = "deflate",
    feature = "metrics",
    feature = "blocking",
    feature = "tls"
))]
pub mod migration {
    #![doc = include_str!("../docs/migration.md")]
    // What its links name.
    use crate::Backoff;
    use crate::engineio::client::*;
    use crate::engineio::*;
    use crate::tls::ClientTlsBuilder;
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
