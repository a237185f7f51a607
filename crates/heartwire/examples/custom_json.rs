//! JSON messages, by `serde_json` or by any other serialiser that makes text.
//!
//! Try it against `heartwire serve`: `cargo run --example custom_json`.

use heartwire::blocking::engineio::Client;
use heartwire::engineio::Message;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Move {
    x: i32,
    y: i32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new();

    client.on_message(|client, message| {
        let text = message.as_text().expect("the server echoes text");
        let received: Move = serde_json::from_str(text).expect("the server echoes JSON");
        println!("Received: {received:?}");
        client.disconnect();
    });

    client.connect(server())?;
    // What `Message::json` does; another library's text is sent the same way.
    client.send(Message::json(&Move { x: 10, y: 20 })?)?;
    client.wait();
    Ok(())
}

/// The first argument, or a server on this machine.
fn server() -> String {
    std::env::args().nth(1).unwrap_or_else(|| "http://localhost:5000".to_owned())
}
