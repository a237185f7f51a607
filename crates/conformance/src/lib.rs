//! Is that server of Engine.IO v4, or of repod, right? Cases that speak with a server as bytes, over HTTP,
//! WebSocket and TCP, and compare what comes with what the protocol, the RFCs, advisories and good practice
//! ask for.
//!
//! Nothing of heartwire is used: sockets, HTTP, WebSocket frames and msgpack are this crate's own, so that
//! a mistake that our client and our server share is found too. Whether the server echoes messages is
//! found out, and what it offers is read from its handshake; cases that need what is not there are skipped.
//!
//! ```no_run
//! use conformance::Protocol;
//!
//! let target = "http://localhost:5000".parse()?;
//! let options = conformance::Options::default();
//! let cases = conformance::cases(Protocol::EngineIo);
//! let reports = conformance::check(&target, &cases, &options, |report| {
//!     println!("{}: {:?}", report.case.id, report.outcome);
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod finding;

mod trust;
pub use trust::{InvalidTrust, Trust};

mod target;
pub use target::{InvalidTarget, Protocol, Target};

mod wire;

mod request;

mod response;

mod frame;

mod server;

mod socket;

mod polling;

mod message;

mod channel;

mod repod;

mod case;
pub use case::Case;

mod cases;
pub use cases::{all as every_case, of as cases};

mod deviations;
pub use deviations::{Deviation, ENGINE_IO, REPODNET};

mod runner;
pub use runner::{NotChecked, Options, Outcome, Report, check};
