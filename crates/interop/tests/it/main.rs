//! Clients and servers of ours against those of others: npm `engine.io` and `engine.io-client`, PyPI
//! `python-engineio` and `repodnet`. The games that they play are described in `peers/README.md`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod conformance;
mod engineio_clients;
mod engineio_servers;
mod game;
mod proxies;
mod repod_clients;
mod repod_examples;
mod repod_game;
mod repod_servers;
