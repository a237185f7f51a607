//! Reconnecting from within the disconnect handler, while the main thread waits.
//!
//! Try it against `heartwire serve`, and restart the server: `cargo run --example
//! automatic_reconnection`. `ClientBuilder::reconnect` does the same with growing delays.

use std::thread;
use std::time::Duration;

use heartwire::blocking::engineio::Client;
use heartwire::engineio::DisconnectReason;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new();

    client.on_connect(|_| println!("Connected to server"));

    client.on_disconnect(|client, disconnected| {
        if disconnected.reason == DisconnectReason::ClientDisconnect {
            return;
        }
        println!("Disconnected, attempting to reconnect...");
        thread::sleep(Duration::from_millis(100));
        if let Err(error) = client.connect(server()) {
            println!("Reconnection failed: {error}");
        }
    });

    client.on_message(|client, message| {
        println!("Server says: {}", message.as_text().unwrap_or("(bytes)"));
        if message.as_text() == Some("enough") {
            client.disconnect();
        }
    });

    client.connect(server())?;
    client.wait(); // until the server is gone for good, or says that it is enough
    Ok(())
}

/// The first argument, or a server on this machine.
fn server() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "http://localhost:5000".to_owned())
}
