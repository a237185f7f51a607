//! The conformance suite against our server: every case passes, and none is skipped.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use conformance::{Options, Outcome, Protocol, Target, Trust};
use heartwire::engineio::{Context, Handler, MessageRef, Server, ServerBuilder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::client::tls::{Authority, serve_tls};
use super::support::echo;

#[test]
fn a_listener_of_our_own_is_right() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(echo(builder()));
    check(server.addr, &[]);
}

#[test]
fn a_listener_over_tls_is_right() {
    let authority = Authority::new();
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(serve_tls(builder(), &authority));
    let target: Target = format!("https://localhost:{}", server.addr.port()).parse().unwrap();
    let trust = Trust::authorities(authority.pem().as_ref()).unwrap();
    check_target(&target.trusting(trust), &[]);
}

#[test]
fn a_service_in_axum_is_right() {
    let runtime = Runtime::new().unwrap();
    let addr = runtime.block_on(async {
        let server = builder().build().unwrap();
        server.set_handler(Echo);
        let app = Router::new().route_service("/engine.io/", server.service());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        addr
    });
    // How long an address and a header may be is for the host to say.
    check(addr, &["http/long-address", "http/long-header"]);
}

/// Pings that come soon enough to be waited for, and patience enough for a busy machine.
fn builder() -> ServerBuilder {
    Server::builder()
        .ping_interval(Duration::from_secs(1))
        .ping_timeout(Duration::from_secs(1))
        .max_payload(1_000_000)
}

#[track_caller]
fn check(addr: SocketAddr, left_out: &[&str]) {
    check_target(&format!("http://{addr}").parse().unwrap(), left_out);
}

#[track_caller]
fn check_target(target: &Target, left_out: &[&str]) {
    let mut cases = conformance::cases(Protocol::EngineIo);
    cases.retain(|case| !left_out.contains(&case.id));
    let options = Options { patience: Duration::from_secs(20), ..Options::default() };
    let reports = conformance::check(target, &cases, &options, |_| {}).unwrap();
    let wrong: Vec<_> = reports
        .iter()
        .filter(|report| report.outcome != Outcome::Pass)
        .map(|report| format!("{}: {:?}", report.case.id, report.outcome))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(reports.len(), cases.len());
}

struct Echo;

impl Handler for Echo {
    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        context.reply(message).unwrap();
    }
}
