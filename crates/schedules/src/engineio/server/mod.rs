//! As `engineio::server` in heartwire: where a session lives, and how it moves.

mod socket {
    use heartwire_proto::engineio::server::ServerSession;

    use super::super::outgoing::Outgoing;

    /// A session on a WebSocket that takes everything at once.
    pub(super) struct Socket {
        pub(super) session: ServerSession<Outgoing>,
    }
}

#[path = "../../../../heartwire/src/engineio/server/home.rs"]
#[expect(dead_code, reason = "not everything is modelled")]
mod home;

mod upgrade;
pub(crate) use upgrade::{closes_beside_a_silent_probe, upgrades, upgrades_and_closes};
