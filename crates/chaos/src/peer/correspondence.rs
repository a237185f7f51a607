//! What both protocols' peers have in common: letters go out at a pace until nobody wants any more, and the run
//! says when that is.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::journal::{self, Entry};
use crate::letter::Letter;

/// What a run wants of a peer. It says so on the peer's standard input, a word a line.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Letters are sent.
    Talking,
    /// No more letters; what was sent arrives.
    Quiet,
    /// The peer ends, and says good-bye.
    Leaving,
}

impl Phase {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Talking => "talk",
            Self::Quiet => "quiet",
            Self::Leaving => "leave",
        }
    }
}

/// What the run wants, and how fast letters follow each other.
#[derive(Clone, Debug)]
pub(super) struct Correspondence {
    phase: watch::Receiver<Phase>,
    pace: Duration,
}

impl Correspondence {
    /// Begins to listen to the run.
    pub(super) fn new(pace: u64) -> Self {
        let (sender, phase) = watch::channel(Phase::Talking);
        // A thread of its own does not keep the process from its end.
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                let phase = [Phase::Talking, Phase::Quiet, Phase::Leaving];
                let phase = phase.into_iter().find(|phase| phase.name() == line);
                sender.send_replace(phase.expect("the run knows the words"));
            }
            // Nobody is there any more.
            std::process::exit(1);
        });
        Self { phase, pace: Duration::from_millis(pace) }
    }

    /// Waits until the run wants this or what comes after it.
    pub(super) async fn reached(&self, phase: Phase) {
        let mut watched = self.phase.clone();
        // It lives as long as the process.
        let _ = watched.wait_for(|current| *current >= phase).await;
    }

    /// Whether letters are sent.
    pub(super) fn is_talking(&self) -> bool {
        *self.phase.borrow() == Phase::Talking
    }

    /// Sends letters until `until` is ready, the run wants no more, or `send` says that nobody takes any.
    pub(super) async fn write_letters<F: Future<Output = bool>>(
        &self,
        from: &str,
        until: impl Future<Output = ()>,
        send: impl Fn(Letter) -> F,
    ) {
        let mut ticks = tokio::time::interval(self.pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0;
        let writing = async {
            loop {
                ticks.tick().await;
                // A letter that was not accepted when this future is dropped was not sent.
                if !send(Letter { from: from.to_owned(), id: count }).await {
                    break;
                }
                count += 1;
            }
        };
        tokio::select! {
            () = writing => {}
            () = until => {}
            () = self.reached(Phase::Quiet) => {}
        }
        journal::write(Entry::Accepted { from: from.to_owned(), count });
    }
}

/// Writes down what has come.
pub(super) fn deliver(session: &str, letter: Result<Letter, String>) {
    let session = session.to_owned();
    journal::write(match letter {
        Ok(Letter { from, id }) => Entry::Delivered { session, from, id },
        Err(message) => Entry::Corrupt { session, message },
    });
}
