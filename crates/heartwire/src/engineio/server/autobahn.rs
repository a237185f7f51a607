//! The server's WebSockets under Autobahn|Testsuite: its requests, links and codec, without sessions.

use std::convert::Infallible;

use heartwire_proto::websocket::PerMessageDeflate;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use interop::autobahn::{self, Cases};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::response;
use super::service::{Grant, accept_websocket};
use crate::echo::Echo;

#[test]
fn autobahn_server() {
    test("server", autobahn::PLAIN, None);
}

#[test]
#[cfg(feature = "deflate")]
#[ignore = "takes a quarter of an hour: cargo xtask autobahn"]
fn autobahn_server_compressed_messages() {
    test("server-messages", autobahn::COMPRESSED_MESSAGES, Some(COMPRESSION()));
}

#[test]
#[cfg(feature = "deflate")]
#[ignore = "takes a quarter of an hour: cargo xtask autobahn"]
fn autobahn_server_compression_parameters() {
    test("server-parameters", autobahn::COMPRESSION_PARAMETERS, Some(COMPRESSION()));
}

/// Everything that can be compressed, with all that a client lets it remember.
#[cfg(feature = "deflate")]
const COMPRESSION: fn() -> PerMessageDeflate =
    || PerMessageDeflate::new().threshold(0).context_takeover(true);

#[track_caller]
fn test(name: &str, cases: Cases, deflate: Option<PerMessageDeflate>) {
    let runtime = Runtime::new().expect("the system has threads");
    let listener =
        runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
    runtime.spawn(serve(listener, deflate));
    autobahn::test_server(name, &url, cases);
}

async fn serve(listener: TcpListener, deflate: Option<PerMessageDeflate>) {
    loop {
        let (stream, _) = listener.accept().await.expect("tests have enough files");
        tokio::spawn(
            http1::Builder::new()
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(move |request| answer(request, deflate)),
                )
                .with_upgrades(),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    deflate: Option<PerMessageDeflate>,
) -> Result<http::Response<response::ResponseBody>, Infallible> {
    let (mut parts, _) = request.into_parts();
    Ok(match accept_websocket(&mut parts, deflate.as_ref()) {
        Ok(Grant { answer, upgrade }) => {
            tokio::spawn(async move {
                let Some(opened) = upgrade.opened(MAX_MESSAGE).await else { return };
                Echo::new(opened.link, opened.codec, opened.early).run().await;
            });
            answer
        }
        Err(refusal) => response::refused(refusal, true),
    })
}

/// The suite's largest message.
const MAX_MESSAGE: usize = 16 << 20;
