//! Processes that are killed, stopped, and lied to about the time.

use std::path::Path;
use std::time::Duration;

use chaos::fault::{Report, clock, drain, freeze, kill};
use chaos::link::Side;
use chaos::peer::Way;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chaos");

#[test]
fn clients_survive_servers_that_are_killed() {
    hold(async |program| {
        let reports = Way::ALL.map(async |way| kill::servers(program, way, 10, 3, 1).await);
        all(reports).await
    });
}

#[test]
fn servers_notice_clients_that_are_killed() {
    hold(async |program| {
        let reports = Way::ALL.map(async |way| kill::clients(program, way, 10, 3, 1).await);
        all(reports).await
    });
}

#[test]
fn who_is_stopped_is_missed_and_comes_back() {
    let time = Duration::from_secs(4);
    hold(async |program| {
        let cases = [
            (Way::Polling, Side::Client),
            (Way::Polling, Side::Server),
            (Way::WebSocket, Side::Client),
            (Way::WebSocket, Side::Server),
            (Way::Repod, Side::Server),
        ];
        all(cases.map(async |(way, side)| freeze::freeze(program, way, side, time).await)).await
    });
}

#[test]
fn clocks_that_are_set_change_nothing() {
    let Some(library) = interop::faketime() else { return };
    let ways = [Way::Polling, Way::WebSocket, Way::Repod];
    hold(async |program| {
        all(ways.map(async |way| clock::jump(program, way, &library).await)).await
    });
}

#[test]
fn a_server_that_stops_under_load_accounts_for_everything() {
    hold(async |program| {
        let ways = [Way::Polling, Way::WebSocket, Way::Repod];
        all(ways.map(async |way| drain::drain(program, way, 10, 10).await)).await
    });
}

/// Runs faults, and checks what they came to.
#[track_caller]
fn hold(run: impl AsyncFnOnce(&Path) -> Vec<Result<Report, String>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reports = runtime.block_on(run(Path::new(PROGRAM)));
    assert!(!reports.is_empty());
    for report in reports {
        let Report { violations, words } = report.unwrap();
        assert!(violations.is_empty(), "{words}\n{}", violations.join("\n"));
    }
}

/// Waits for all at once: they mostly wait, too.
async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}
