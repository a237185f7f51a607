//! The conformance suite against our server: every case passes, and none is skipped.

use std::time::Duration;

use conformance::{Options, Outcome, Protocol};
use heartwire::repod::Server;

use super::support::{echo, with};

#[test]
fn a_server_of_ours_is_right() {
    let (_runtime, server) = with(echo(Server::builder()));
    let target = format!("repod://{}", server.addr).parse().unwrap();
    let cases = conformance::cases(Protocol::Repod);
    let options = Options { patience: Duration::from_secs(20), ..Options::default() };
    let reports = conformance::check(&target, &cases, &options, |_| {}).unwrap();
    let wrong: Vec<_> = reports
        .iter()
        .filter(|report| report.outcome != Outcome::Pass)
        .map(|report| format!("{}: {:?}", report.case.id, report.outcome))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(reports.len(), cases.len());
}
