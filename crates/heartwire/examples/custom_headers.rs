//! Headers for every request of a connection: authorisation, for instance.
//!
//! Try it against `heartwire serve`: `cargo run --example custom_headers`.

use heartwire::blocking::engineio::Client;
use heartwire::engineio;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new();
    client.connect_with(
        engineio::Client::builder(server())
            .header("Authorization", "Bearer token123")
            .header("User-Agent", "MyApp/1.0"),
    )?;
    println!("Connected with headers, over {}", client.transport().expect("it is connected"));
    client.disconnect();
    Ok(())
}

/// The first argument, or a server on this machine.
fn server() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "http://localhost:5000".to_owned())
}
