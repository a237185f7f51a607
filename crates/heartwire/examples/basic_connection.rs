//! Connect, send, receive, wait.
//!
//! Try it against `heartwire serve`: `cargo run --example basic_connection`.

use heartwire::blocking::engineio::Client;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new();

    client.on_connect(|client| {
        println!("Connected!");
        client.send("Hello from client").expect("it has just connected");
    });

    client.on_message(|client, message| {
        println!("Server says: {}", message.as_text().unwrap_or("(bytes)"));
        client.disconnect(); // or stay, and `wait` goes on
    });

    client.connect(server())?;
    client.wait();
    Ok(())
}

/// The first argument, or a server on this machine.
fn server() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "http://localhost:5000".to_owned())
}
