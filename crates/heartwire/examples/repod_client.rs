//! Send from the first line on, close when done: everything arrives.
//!
//! Try it against a repod server: `cargo run --example repod_client localhost 5071`.

use heartwire::blocking::repod::Client;
use heartwire::repod::DEFAULT_PORT;
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (host, port) = server()?;
    let client = Client::new(host, port);
    let (host, port) = client.address();
    println!("Connecting to {host}:{port}");
    client.start_background();

    // The connection need not be open yet: messages wait for it.
    client.send(&json!({"action": "login", "username": "alice"}))?;
    let bytes_sent = client.send(&json!({"action": "chat", "text": "Hello world!"}))?;
    if bytes_sent == 0 {
        println!("Client is disconnected");
    }

    // It sends what waits, so there is nothing to sleep for.
    client.close();
    match client.disconnected() {
        Some(disconnected) => println!("Disconnected: {disconnected}"),
        None => println!("There was no connection"),
    }
    Ok(())
}

/// The first two arguments, or a server on this machine.
fn server() -> Result<(String, u16), std::num::ParseIntError> {
    let mut args = std::env::args().skip(1);
    let host = args.next().unwrap_or_else(|| "localhost".to_owned());
    Ok((host, args.next().map_or(Ok(DEFAULT_PORT), |port| port.parse())?))
}
