//! The conformance suite against the servers that the protocols come from: so that the suite asks for
//! what is there, and what is different there is known.

use std::time::Duration;

use conformance::{Deviation, ENGINE_IO, Options, Outcome, REPODNET, Target};
use interop::{Peer, repodnet};

#[test]
fn engine_io_differs_as_is_known() {
    let mut server = Peer::start("engineio_echo.cjs", ["1000", "1000"]);
    differs(&format!("http://127.0.0.1:{}", server.report()["port"]), ENGINE_IO);
}

#[test]
fn repodnet_differs_as_is_known() {
    let Some(repodnet) = repodnet() else { return };
    let mut server = Peer::start_repod(&repodnet, "repod_echo.py", [""; 0]);
    differs(&format!("repod://127.0.0.1:{}", server.report()["port"]), REPODNET);
}

#[track_caller]
fn differs(url: &str, known: &'static [Deviation]) {
    let target: Target = url.parse().unwrap();
    let cases = conformance::cases(target.protocol());
    let options = Options { known, patience: Duration::from_secs(3), ..Options::default() };
    let reports = conformance::check(&target, &cases, &options, |_| {}).unwrap();
    let failing: Vec<_> = reports
        .iter()
        .filter(|report| matches!(report.outcome, Outcome::Fail { .. } | Outcome::Skipped { .. }))
        .map(|report| format!("{}: {:?}", report.case.id, report.outcome))
        .collect();
    assert!(failing.is_empty(), "different, and not known to be:\n{}", failing.join("\n"));
    let passes =
        |id| reports.iter().any(|report| report.case.id == id && report.outcome == Outcome::Pass);
    let stale: Vec<_> = known
        .iter()
        .filter(|deviation| deviation.always && passes(deviation.case))
        .map(|deviation| deviation.case)
        .collect();
    assert!(stale.is_empty(), "known to be different, and not: {stale:?}");
}
