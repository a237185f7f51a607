//! The servers' numbers, as text for Prometheus.

use std::convert::Infallible;
use std::time::Duration;

use heartwire::{engineio, repod};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::exit::Exit;
use crate::output::note;

/// Whose numbers are told.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) engineio: Option<engineio::Server>,
    pub(super) repod: Option<repod::Server>,
}

/// Collects the numbers of the program from now on.
pub(super) fn install() -> Result<PrometheusHandle, Exit> {
    PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| Exit::failed("cannot collect metrics", error))
}

/// Tells the numbers to whoever asks for `/metrics`.
pub(super) async fn serve(listener: TcpListener, servers: Servers, numbers: PrometheusHandle) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                note(&format!("cannot accept connections for metrics: {error}"));
                tokio::time::sleep(BACKOFF).await;
                continue;
            }
        };
        let (servers, numbers) = (servers.clone(), numbers.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer(&request, &servers, &numbers);
            async move { Ok::<_, Infallible>(answer) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        // A connection that fails concerns nobody else.
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

fn answer<B>(
    request: &Request<B>,
    servers: &Servers,
    numbers: &PrometheusHandle,
) -> Response<String> {
    let mut response = Response::default();
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if ![Method::GET, Method::HEAD].contains(request.method()) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else {
        servers.record();
        *response.body_mut() = numbers.render();
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

impl Servers {
    fn record(&self) {
        if let Some(server) = &self.engineio {
            server.record_metrics();
        }
        if let Some(server) = &self.repod {
            metrics::gauge!("heartwire_repod_connections").set(server.len() as f64);
        }
    }
}

/// Time for the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Time until accepting is tried again.
const BACKOFF: Duration = Duration::from_millis(50);
