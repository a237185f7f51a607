//! An Engine.IO endpoint beside the other routes of an axum application.
//!
//! Try it: `cargo run --example axum_server`, then `heartwire connect http://localhost:5000`.

use axum::Router;
use axum::routing::get;
use heartwire::engineio::{SendError, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new();
    server.on_connection(|connection| async move {
        while let Some(message) = connection.recv().await {
            connection.send(message).await?;
        }
        Ok::<_, SendError>(())
    });

    let app = Router::new()
        .route("/", get(|| async { "the rest of the application" }))
        .route_service("/engine.io/", server.service());

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
