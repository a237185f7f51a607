//! A game's main loop: handlers run when the game wants them to, on its own thread.
//!
//! Try it against a repod server: `cargo run --example repod_game localhost 5071`.

use std::thread;
use std::time::Duration;

use heartwire::blocking::repod::ConnectionListener;
use heartwire::repod::DEFAULT_PORT;
use serde_json::json;

/// What the game knows. Handlers change it without a lock.
#[derive(Default)]
struct Game {
    position: (i64, i64),
    over: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (host, port) = server()?;
    let mut listener = ConnectionListener::connect(host, port);

    listener.on("connected", |_: &mut Game, client, _| {
        let sent = client.send(&json!({"action": "join", "name": "alice"}));
        println!("Joining: {}", sent.is_ok());
    });
    listener.on("move", |game, _, message| {
        let number = |key| message.get(key).and_then(|value| value.as_i64()).unwrap_or_default();
        game.position = (number("x"), number("y"));
        println!("Moved to {:?}", game.position);
    });
    listener.on_other(|_, _, message| println!("Got {}", message.action()));
    listener.on_disconnect(|game, _, disconnected| {
        println!("Disconnected: {disconnected}");
        game.over = true;
    });
    listener.on_connect_error(|game, _, error| {
        println!("{error}");
        game.over = true;
    });

    let mut game = Game::default();
    while !game.over {
        listener.pump(&mut game);
        // Here the game would draw.
        thread::sleep(Duration::from_millis(16));
    }
    Ok(())
}

/// The first two arguments, or a server on this machine.
fn server() -> Result<(String, u16), std::num::ParseIntError> {
    let mut args = std::env::args().skip(1);
    let host = args.next().unwrap_or_else(|| "localhost".to_owned());
    Ok((host, args.next().map_or(Ok(DEFAULT_PORT), |port| port.parse())?))
}
