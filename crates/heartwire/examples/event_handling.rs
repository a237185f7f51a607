//! Handlers for everything that happens to a connection.
//!
//! Try it against `heartwire serve`: `cargo run --example event_handling`.

use heartwire::blocking::engineio::Client;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new();

    client.on_connect(|client| {
        println!("Connected to server");
        client.send("Hello Server!").expect("it has just connected");
    });

    client.on_message(|client, message| {
        println!("Received from server: {message:?}");
        client.disconnect();
    });

    client.on_disconnect(|_, disconnected| println!("Disconnected from server: {disconnected}"));

    client.connect(server())?;
    client.wait();
    Ok(())
}

/// The first argument, or a server on this machine.
fn server() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "http://localhost:5000".to_owned())
}
