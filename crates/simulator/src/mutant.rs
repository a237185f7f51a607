//! Mistakes that other implementations have made, put back, to see whether the simulator notices.

/// A mistake that another implementation has made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// A payload of more than 16 packets is taken and not delivered.
    DropsLargeBatch,
    /// A payload with a bad packet in it is taken and not delivered, and the session goes on.
    SwallowsBadBatch,
    /// Each message has a thread of its own: some overtake others.
    Overtakes,
    /// A lost answer to a GET is nobody's business.
    ForgetsLostPoll,
    /// An answer to a GET that is gone counts as sent.
    ConfirmsLostSend,
    /// A second GET is served beside the first.
    ServesTwoPolls,
    /// The clock of the wall is read, and it jumps.
    ReadsWallClock,
    /// A frame that cannot be read ends the reading, but not the session.
    DiesSilently,
    /// The upgrade forgets that a pong is awaited, and never pings again.
    ForgetsHeartbeat,
    /// A POST that arrives after the upgrade is answered `ok` and dropped.
    DropsLatePost,
    /// What waits when a session ends is thrown away, and nobody told.
    DiscardsQueue,
    /// A message whose name is that of an event of the connection is taken for one.
    BelievesPeer,
    /// A handler that fails ends the handling, but not the connection.
    StopsAfterFault,
    /// A connection whose writing fails is never reported as ended.
    KeepsZombie,
}

impl Mutant {
    /// Those of Engine.IO.
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
    pub const REPOD: [Self; 3] = [Self::BelievesPeer, Self::StopsAfterFault, Self::KeepsZombie];
}
