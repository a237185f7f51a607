//! The conformance suite against the server that the protocol comes from: so that the suite asks for
//! what is there, and what is different there is known.

use std::time::Duration;

use conformance::{ENGINE_IO, Options, Outcome};
use interop::Peer;

#[test]
fn engine_io_differs_as_is_known() {
    let mut server = Peer::start("engineio_echo.cjs", ["1000", "1000"]);
    let target = format!("http://127.0.0.1:{}", server.report()["port"]).parse().unwrap();
    let options =
        Options { known: ENGINE_IO, patience: Duration::from_secs(3), ..Options::default() };
    let reports = conformance::check(&target, &conformance::cases(), &options, |_| {}).unwrap();
    let failing: Vec<_> = reports
        .iter()
        .filter(|report| matches!(report.outcome, Outcome::Fail { .. } | Outcome::Skipped { .. }))
        .map(|report| format!("{}: {:?}", report.case.id, report.outcome))
        .collect();
    assert!(failing.is_empty(), "different, and not known to be:\n{}", failing.join("\n"));
    let passes =
        |id| reports.iter().any(|report| report.case.id == id && report.outcome == Outcome::Pass);
    let stale: Vec<_> = ENGINE_IO
        .iter()
        .filter(|deviation| deviation.always && passes(deviation.case))
        .map(|deviation| deviation.case)
        .collect();
    assert!(stale.is_empty(), "known to be different, and not: {stale:?}");
}
