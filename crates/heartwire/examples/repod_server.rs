//! A chat server: who has logged in is heard by everybody.
//!
//! Start it with `cargo run --example repod_server 127.0.0.1:5071`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use heartwire::repod::{Actions, ChannelId, Server};
use serde_json::json;
use tokio::net::TcpListener;

/// Who is who.
#[derive(Default)]
struct Names(Mutex<HashMap<ChannelId, String>>);

impl Names {
    fn of(&self, id: ChannelId) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn set(&self, id: ChannelId, name: Option<&str>) -> Option<String> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match name {
            Some(name) => names.insert(id, name.to_owned()),
            None => names.remove(&id),
        }
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let server = Server::new();
    let names = Arc::new(Names::default());
    let (everybody, logins, chats, leavers) =
        (server.clone(), names.clone(), names.clone(), names.clone());
    let say = move |from: &str, text: &str| {
        let message = json!({"action": "chat", "from": from, "text": text});
        match everybody.send_to_all(&message) {
            Ok(slow) => slow.iter().for_each(|channel| channel.kick("too slow")),
            Err(error) => println!("{error}"),
        }
    };
    let (say_chat, say_goodbye) = (say.clone(), say);
    server.set_handler(
        Actions::new()
            .on("login", move |context, message| {
                let name = message.get("username").and_then(|name| name.as_str());
                logins.set(context.channel().id(), name);
                let _ = context.reply(&json!({"action": "welcome", "username": name}));
            })
            .on("chat", move |context, message| {
                let text = message.get("text").and_then(|text| text.as_str()).unwrap_or_default();
                match chats.of(context.channel().id()) {
                    Some(name) => say_chat(&name, text),
                    None => context.channel().kick("not logged in"),
                }
            })
            .on_disconnect(move |channel, _| {
                if let Some(name) = leavers.set(channel.id(), None) {
                    say_goodbye(&name, "has left");
                }
            }),
    );

    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5071".to_owned());
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener).await;
    Ok(())
}
