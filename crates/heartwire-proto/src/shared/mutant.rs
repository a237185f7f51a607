//! Mistakes that other implementations have made, put back, to see whether the simulator notices.
//!
//! They exist where the crate is built with `--cfg mutants`, as `crates/mutants` does. Everywhere else the
//! answer to every question below is known when the crate is compiled, and nothing is left of them.

use std::time::{Duration, Instant};

/// A mistake that another implementation has made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(not(mutants), expect(unreachable_pub, reason = "simulators see it, where there is one"))]
pub enum Mutant {
    /// A payload of more than 16 packets is taken and not delivered.
    DropsLargeBatch,
    /// A payload with a bad packet in it is taken and not delivered, and the session goes on.
    SwallowsBadBatch,
    /// Messages overtake each other.
    Overtakes,
    /// A GET that has failed is sent once more, and what its answer carried is nobody's business.
    ForgetsLostPoll,
    /// A GET that is gone ends nothing: what was answered counts as sent.
    ConfirmsLostSend,
    /// A second GET is served beside the first.
    ServesTwoPolls,
    /// The clock of the wall is read, and it jumps.
    ReadsWallClock,
    /// A frame that cannot be read ends the reading, but not the session.
    DiesSilently,
    /// The upgrade forgets that a pong is awaited, and never pings again.
    ForgetsHeartbeat,
    /// A POST that arrives after the upgrade is taken and dropped.
    DropsLatePost,
    /// What waits when a session ends is thrown away, and nobody told.
    DiscardsQueue,
    /// A message whose action is that of an event of the connection is taken for one.
    BelievesPeer,
    /// A payload that cannot be handled ends the handling, but not the connection.
    StopsAfterFault,
    /// A connection that has failed is never reported as ended.
    KeepsZombie,
}

impl Mutant {
    /// Those of Engine.IO.
    #[cfg(mutants)]
    pub const ENGINEIO: [Self; 11] = [
        Self::DropsLargeBatch,
        Self::SwallowsBadBatch,
        Self::Overtakes,
        Self::ForgetsLostPoll,
        Self::ConfirmsLostSend,
        Self::ServesTwoPolls,
        Self::ReadsWallClock,
        Self::DiesSilently,
        Self::ForgetsHeartbeat,
        Self::DropsLatePost,
        Self::DiscardsQueue,
    ];

    /// Those of repod.
    #[cfg(mutants)]
    pub const REPOD: [Self; 3] = [Self::BelievesPeer, Self::StopsAfterFault, Self::KeepsZombie];

    /// Puts a mistake back, on this thread, until another is put back or none.
    #[cfg(mutants)]
    pub fn put_back(mutant: Option<Self>) {
        BACK.set((mutant, 0));
    }

    /// Whether the mistake is put back.
    #[cfg(mutants)]
    pub(crate) fn is_back(self) -> bool {
        BACK.get().0 == Some(self)
    }

    /// Whether the mistake is put back.
    #[cfg(not(mutants))]
    #[inline(always)]
    pub(crate) const fn is_back(self) -> bool {
        false
    }
}

/// What the clock of the wall shows at `now`: with the mistake put back, an hour more now and then.
#[inline(always)]
pub(crate) fn wall_clock(now: Instant) -> Instant {
    let jumps = Mutant::ReadsWallClock.is_back() && it_is_time();
    if jumps { now + Duration::from_secs(3600) } else { now }
}

#[cfg(mutants)]
fn it_is_time() -> bool {
    let (mutant, reads) = BACK.get();
    BACK.set((mutant, reads + 1));
    reads % 40 == 39
}

#[cfg(not(mutants))]
const fn it_is_time() -> bool {
    false
}

#[cfg(mutants)]
thread_local! {
    /// The mistake that is put back, and how often it has read the clock.
    static BACK: std::cell::Cell<(Option<Mutant>, u32)> = const { std::cell::Cell::new((None, 0)) };
}
