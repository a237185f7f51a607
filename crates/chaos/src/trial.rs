//! One run: a server, a client, the line between them and its trouble; then what the oracle says.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::journal;
use crate::link::{Link, Side};
use crate::oracle::{self, Law, Verdict};
use crate::peer::{Orders, Phase, Way};
use crate::program::{Program, wait_for};
use crate::scenario::{Length, Scenario, Trouble};

/// One run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trial {
    /// The kind of trouble.
    pub scenario: Scenario,
    /// How letters travel.
    pub way: Way,
    /// Whose packets suffer.
    pub side: Side,
    /// How much trouble.
    pub length: Length,
    /// What decides about single packets.
    pub seed: u64,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the oracle says.
    pub verdict: Verdict,
    /// The longest time from the end of a trouble until letters came in both directions again.
    pub recovery: Duration,
    /// Packets of both sides that arrived, were lost, and were made resets.
    pub packets: [u64; 3],
}

impl Trial {
    /// All eighty.
    pub fn all(length: Length, seed: u64) -> Vec<Self> {
        let mut trials = vec![];
        for scenario in Scenario::ALL {
            for way in Way::ALL {
                trials.extend(Side::BOTH.map(|side| Self { scenario, way, side, length, seed }));
            }
        }
        trials
    }

    /// Runs it. `program` is the one with the verb `peer`. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// What kept it from coming to its end: that is a violation, too.
    pub async fn run(&self, program: &Path) -> Result<Outcome, String> {
        let said = |error: std::io::Error| error.to_string();
        let link = Link::open(self.seed).await.map_err(said)?;
        let orders = |side, port| Orders {
            side,
            way: self.way,
            host: Side::Server.address().to_owned(),
            port,
            clients: 1,
            pace: PACE,
            life: (self.way == Way::Upgrade).then_some(LIFE),
            ping_interval: HEARTBEAT,
            ping_timeout: 2 * HEARTBEAT,
        };
        let start = |side, port| {
            let command = link.namespace(side).command(program);
            Program::start(command, &orders(side, port)).map_err(said)
        };
        let mut server = start(Side::Server, 0)?;
        let mut client = start(Side::Client, server.port().await?)?;
        let recovered =
            |since| server.look(|there| client.look(|here| oracle::recovery(there, here, since)));
        let goal = "letters came in both directions";
        let (mut longest, mut in_vain) = (0, vec![]);
        wait_for(goal, || recovered(0)).await?;
        for trouble in self.scenario.troubles(self.length) {
            self.suffer(&link, trouble).await.map_err(said)?;
            let healed_at = journal::now();
            let goal = format!("{goal} after {trouble:?}");
            match wait_for(&goal, || recovered(healed_at)).await {
                Ok(time) => longest = longest.max(time),
                Err(error) => in_vain.push(error),
            }
        }
        server.tell(Phase::Quiet).await;
        client.tell(Phase::Quiet).await;
        let settled = || server.look(|there| client.look(|here| oracle::is_settled(there, here)));
        let settled = wait_for("everything had arrived", || settled().then_some(())).await;
        client.tell(Phase::Leaving).await;
        let (client_status, here) = client.end().await?;
        server.tell(Phase::Leaving).await;
        let (server_status, there) = server.end().await?;
        let mut verdict = oracle::judge(&there, &here, Law::Whole);
        verdict.violations.extend(in_vain.into_iter().chain(settled.err()));
        for (side, status) in [("server", server_status), ("client", client_status)] {
            if !status.success() {
                verdict.violations.push(format!("the {side} has ended with {status}"));
            }
        }
        if !link.is_alive() {
            verdict.violations.push("the line itself broke".to_owned());
        }
        if let Some(folder) = std::env::var_os("CHAOS_JOURNALS") {
            self.keep(Path::new(&folder), &there, &here).map_err(said)?;
        }
        let [there, here] = Side::BOTH.map(|side| link.tally(side));
        let packets = std::array::from_fn(|index| there[index] + here[index]);
        Ok(Outcome { verdict, recovery: Duration::from_millis(longest), packets })
    }

    /// One trouble, from its beginning to its end.
    async fn suffer(&self, link: &Link, trouble: Trouble) -> std::io::Result<()> {
        match trouble {
            Trouble::Weather(weather, time) => {
                link.set_weather(self.side, weather);
                tokio::time::sleep(time).await;
                link.heal();
            }
            Trouble::Unplugged(time) => {
                link.set_plugged(self.side, false)?;
                tokio::time::sleep(time).await;
                link.set_plugged(self.side, true)?;
            }
            Trouble::Mtu(bytes, time) => {
                link.set_mtu(self.side, bytes)?;
                tokio::time::sleep(time).await;
            }
        }
        Ok(())
    }

    /// Keeps the journals, for people.
    fn keep(
        &self,
        folder: &Path,
        there: &[journal::Line],
        here: &[journal::Line],
    ) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (side, lines) in [("server", there), ("client", here)] {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| serde_json::to_string(line).expect("a line is JSON") + "\n")
                .collect();
            let name = format!("{self}.{side}.jsonl").replace(' ', "_");
            std::fs::write(folder.join(name), lines.concat())?;
        }
        Ok(())
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.scenario.name(), self.way, self.side.name())
    }
}

impl Outcome {
    /// The recovery in heartbeats, begun ones included.
    pub fn heartbeats(&self) -> u64 {
        (self.recovery.as_millis() as u64).div_ceil(HEARTBEAT)
    }
}

/// Milliseconds between letters.
const PACE: u64 = 40;

/// Milliseconds that a client lives where there are to be many upgrades.
const LIFE: u64 = 1500;

/// Milliseconds between pings.
const HEARTBEAT: u64 = 1000;
