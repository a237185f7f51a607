//! Twelve of the eighty networks.

use std::path::Path;

use chaos::link::Side;
use chaos::namespace;
use chaos::peer::Way;
use chaos::scenario::{Length, Scenario};
use chaos::trial::Trial;
use tokio::task::JoinSet;

/// Every kind of trouble, every way and both sides.
const TRIALS: [(Scenario, Way, Side); 12] = [
    (Scenario::Loss, Way::WebSocket, Side::Server),
    (Scenario::Delay, Way::Polling, Side::Client),
    (Scenario::Reorder, Way::Repod, Side::Server),
    (Scenario::Duplicate, Way::Polling, Side::Server),
    (Scenario::Narrow, Way::WebSocket, Side::Client),
    (Scenario::Partition, Way::Repod, Side::Client),
    (Scenario::Partition, Way::Polling, Side::Server),
    (Scenario::OneWay, Way::WebSocket, Side::Server),
    (Scenario::OneWay, Way::Upgrade, Side::Client),
    (Scenario::Reset, Way::Polling, Side::Client),
    (Scenario::Mtu, Way::Upgrade, Side::Server),
    (Scenario::Shred, Way::Repod, Side::Client),
];

/// They wait most of the time, so they do it together.
#[test]
fn bad_networks_lose_nothing_silently() {
    if let Some(missing) = namespace::missing() {
        eprintln!("NOTICE: no bad network was tried: {missing}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failures = runtime.block_on(async {
        let mut running = JoinSet::new();
        for (scenario, way, side) in TRIALS {
            let trial = Trial { scenario, way, side, length: Length::Short, seed: 1 };
            let program = Path::new(env!("CARGO_BIN_EXE_chaos"));
            running.spawn(async move { (trial, trial.run(program).await) });
        }
        let mut failures = vec![];
        while let Some(ended) = running.join_next().await {
            let (trial, outcome) = ended.unwrap();
            match outcome {
                Ok(outcome) => {
                    let violations = &outcome.verdict.violations;
                    failures.extend(violations.iter().map(|wrong| format!("{trial}: {wrong}")));
                    // Two seconds are what is wanted; a machine that does other things has more.
                    if outcome.heartbeats() > 30 {
                        let late = outcome.heartbeats();
                        failures.push(format!("{trial}: recovered after {late} heartbeats"));
                    }
                    assert!(outcome.verdict.delivered > 0, "{trial}: no letter has arrived");
                }
                Err(error) => failures.push(format!("{trial}: {error}")),
            }
        }
        failures
    });
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
