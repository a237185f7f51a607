//! The client's WebSockets under Autobahn|Testsuite: its requests, links and codec, without sessions.

use std::time::Duration;

use heartwire_proto::websocket::PerMessageDeflate;
use interop::autobahn::{self, Cases, Server};
use tokio::runtime::Runtime;

use super::failure::RequestError;
use super::http::Http;
use super::options::ClientBuilder;
use super::websocket::Opened;
use crate::echo::Echo;

#[test]
fn autobahn_client() {
    test("client", autobahn::PLAIN, None);
}

#[test]
#[cfg(feature = "deflate")]
#[ignore = "takes a quarter of an hour: cargo xtask autobahn"]
fn autobahn_client_compressed_messages() {
    test("client-messages", autobahn::COMPRESSED_MESSAGES, Some(COMPRESSION()));
}

#[test]
#[cfg(feature = "deflate")]
#[ignore = "takes a quarter of an hour: cargo xtask autobahn"]
fn autobahn_client_compression_parameters() {
    test("client-parameters", autobahn::COMPRESSION_PARAMETERS, Some(COMPRESSION()));
}

/// Everything that can be compressed, with all that the server lets it remember.
#[cfg(feature = "deflate")]
const COMPRESSION: fn() -> PerMessageDeflate =
    || PerMessageDeflate::new().threshold(0).context_takeover(true);

#[track_caller]
fn test(name: &str, cases: Cases, deflate: Option<PerMessageDeflate>) {
    let server = Server::start(name, cases);
    let runtime = Runtime::new().expect("the system has threads");
    runtime.block_on(async {
        let builder = ClientBuilder::new(server.report_url()).no_proxy();
        let builder = builder.request_timeout(PATIENCE).max_message(MAX_MESSAGE);
        let mut options = builder.check().expect("the options are correct");
        options.per_message_deflate = deflate;
        let http = Http::new(options).expect("the options are correct");
        // One after the other: a busy suite takes its own delay for the client's.
        for case in 1..=server.cases() {
            run(&http, &server.case_url(case)).await.expect("the suite answers");
        }
        run(&http, &server.report_url()).await.expect("the suite answers");
    });
    server.check();
}

/// Opens a WebSocket and echoes until it ends.
async fn run(http: &Http, url: &str) -> Result<(), RequestError> {
    let Opened { link, codec, early, .. } = http.websocket_at(url).await?;
    Echo::new(link, codec, early.as_ref().into()).run().await;
    Ok(())
}

/// The suite cannot answer while it looks at a large message.
const PATIENCE: Duration = Duration::from_secs(60);

/// The suite's largest message.
const MAX_MESSAGE: usize = 16 << 20;
