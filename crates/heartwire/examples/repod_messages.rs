//! Receive messages, and everything else that happens.
//!
//! Try it against a repod server: `cargo run --example repod_messages localhost 5071`.

use heartwire::Backoff;
use heartwire::blocking::repod::Client;
use heartwire::repod::DEFAULT_PORT;
use heartwire::repod::client::Event;
use serde::Deserialize;
use serde_json::json;

/// A message, as a type of yours.
#[derive(Deserialize)]
struct Chat<'a> {
    text: &'a str,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (host, port) = server()?;
    let client = Client::with(Client::builder(host, port).reconnect(Backoff::new()));
    client.start_background();
    client.send(&json!({"action": "login", "username": "alice"}))?;

    while let Some(event) = client.next() {
        match event {
            Event::Connected { .. } => println!("Connected"),
            Event::Message(message) => match &*message.action() {
                "chat" => println!("Chat: {}", message.parse::<Chat<'_>>()?.text),
                "goodbye" => client.close_now(),
                action => println!("{action}: {message:?}"),
            },
            Event::Disconnected(disconnected) => println!("Disconnected: {disconnected}"),
            Event::ConnectFailed { error, .. } => println!("{error}"),
            Event::Reconnecting { delay, .. } => println!("Trying again in {delay:?}"),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}

/// The first two arguments, or a server on this machine.
fn server() -> Result<(String, u16), std::num::ParseIntError> {
    let mut args = std::env::args().skip(1);
    let host = args.next().unwrap_or_else(|| "localhost".to_owned());
    Ok((host, args.next().map_or(Ok(DEFAULT_PORT), |port| port.parse())?))
}
