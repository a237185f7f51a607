//! One transport alone, instead of polling that goes on over a WebSocket.
//!
//! Try it against `heartwire serve`: `cargo run --example transport_selection`.

use heartwire::blocking::engineio::Client;
use heartwire::engineio::{self, Transport};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for transport in [Transport::WebSocket, Transport::Polling] {
        let client = Client::new();
        let builder = engineio::Client::builder(server()).transports([transport]);
        client.connect_with(builder)?;
        println!("Connected over {}", client.transport().expect("it is connected"));
        client.disconnect();
    }
    Ok(())
}

/// The first argument, or a server on this machine.
fn server() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "http://localhost:5000".to_owned())
}
