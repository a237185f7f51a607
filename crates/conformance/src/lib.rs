//! Is that Engine.IO v4 server right? Cases that speak with a server over HTTP and WebSocket, as bytes,
//! and compare what comes with what the protocol, the RFCs and good practice ask for.
//!
//! Nothing of heartwire is used: sockets, HTTP and WebSocket frames are this crate's own, so that a
//! mistake that our client and our server share is found too. The server has to echo messages; what it
//! offers is read from its handshake.
//!
//! ```no_run
//! let target = "http://localhost:5000".parse()?;
//! let options = conformance::Options::default();
//! let reports = conformance::check(&target, &conformance::cases(), &options, |report| {
//!     println!("{}: {:?}", report.case.id, report.outcome);
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod finding;

mod trust;
pub use trust::{InvalidTrust, Trust};

mod target;
pub use target::{InvalidTarget, Target};

mod wire;

mod request;

mod response;

mod frame;

mod server;

mod socket;

mod polling;

mod case;
pub use case::Case;

mod cases;
pub use cases::all as cases;

mod deviations;
pub use deviations::{Deviation, ENGINE_IO};

mod runner;
pub use runner::{NotChecked, Options, Outcome, Report, check};
