//! The server in front of other services, and mounted in them.

use axum::Router;
use axum::routing::get;
use heartwire::engineio::{Server, Transport};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower_layer::Layer;

use super::support::{client, next_message};
use super::wire;
use crate::support::run;

#[test]
fn a_service_mounts_in_hyper() {
    run(async {
        let server = Server::new();
        server.on_connection(|connection| async move {
            while let Some(message) = connection.recv().await {
                let _ = connection.send(message).await;
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = TowerToHyperService::new(server.service());
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                tokio::spawn(connection);
            }
        });
        for transports in [&[Transport::Polling][..], &[Transport::WebSocket], &Transport::ALL] {
            let client = client(format!("http://{addr}"), transports).connect().await.unwrap();
            client.send("there and back").await.unwrap();
            assert_eq!(next_message(&client).await.as_text(), Some("there and back"));
        }
    });
}

#[test]
fn a_layer_takes_its_path_and_lets_the_rest_pass() {
    run(async {
        let server = Server::builder().path("/live/").build().unwrap();
        server.on_connection(|connection| async move {
            while let Some(message) = connection.recv().await {
                let _ = connection.send(message).await;
            }
        });
        // A layer inside of a router sees only what the router has a route for.
        let app = Router::new().route("/", get(|| async { "home" }));
        let app = Router::new().fallback_service(server.layer().layer(app));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        for transports in [&[Transport::Polling][..], &[Transport::WebSocket], &Transport::ALL] {
            let client = client(format!("http://{addr}"), transports).path("live");
            let client = client.connect().await.unwrap();
            client.send("there and back").await.unwrap();
            loop {
                match client.next().await.unwrap() {
                    heartwire::engineio::client::Event::Message(message) => {
                        assert_eq!(message.as_text(), Some("there and back"));
                        break;
                    }
                    _ => continue,
                }
            }
        }
        let home = tokio::task::spawn_blocking(move || wire::get(addr, "/", &[])).await.unwrap();
        assert_eq!((home.status, home.text()), (200, "home"));
        let none = tokio::task::spawn_blocking(move || wire::get(addr, "/no", &[])).await.unwrap();
        assert_eq!(none.status, 404);
    });
}
