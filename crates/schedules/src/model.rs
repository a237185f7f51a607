//! Every model, by name.

use heartwire_proto::shared::Ending;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use crate::engineio::server::{closes_beside_a_silent_probe, upgrades, upgrades_and_closes};
use crate::receiving::{ends, receives};
use crate::sending::{closes_while_sending, sends, sends_directly, waits};

/// A few threads, and what must hold of them.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    threads: fn(),
}

/// Every model.
pub const MODELS: [Model; 10] = [
    Model { name: "sends", threads: sends },
    Model { name: "sends-directly", threads: sends_directly },
    Model { name: "waits", threads: waits },
    Model { name: "flushes", threads: || closes_while_sending(Ending::Flush) },
    Model { name: "discards", threads: || closes_while_sending(Ending::Discard) },
    Model { name: "receives", threads: receives },
    Model { name: "ends", threads: ends },
    Model { name: "upgrades", threads: upgrades },
    Model { name: "upgrades-and-closes", threads: upgrades_and_closes },
    Model { name: "closes-beside-a-silent-probe", threads: closes_beside_a_silent_probe },
];

impl Model {
    /// Runs it in `count` orders: half of them by chance, half with few changes of the thread at the worst
    /// moments. `seed` decides which.
    ///
    /// # Panics
    ///
    /// Something does not hold, or threads wait for each other for ever: the message tells the order.
    pub fn run(&self, seed: u64, count: usize) {
        let (threads, config) = (self.threads, config());
        let random = RandomScheduler::new_from_seed(seed, count / 2);
        Runner::new(random, config.clone()).run(threads);
        let few_changes = PctScheduler::new_from_seed(seed, CHANGES, count - count / 2);
        Runner::new(few_changes, config).run(threads);
    }

    /// Runs it in the order that a failure has told.
    ///
    /// # Panics
    ///
    /// As it did.
    pub fn replay(&self, order: &str) {
        shuttle::replay(self.threads, order);
    }
}

/// It need not say that it tries no weak orders of memory: the head of this crate does.
fn config() -> Config {
    let mut config = Config::new();
    config.silence_warnings = true;
    config
}

/// Moments at which the thread changes: most mistakes need two or three.
const CHANGES: usize = 3;
