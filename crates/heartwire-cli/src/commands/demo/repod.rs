//! repod: messages of an async client, the main loop of a game, and a goodbye that loses nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use heartwire::blocking::repod::{Client as BlockingClient, ConnectionListener};
use heartwire::repod::client::Client;
use heartwire::repod::{Actions, Server, Value};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::stage::Stage;
use crate::exit::Exit;
use crate::output::repod_message_words;

pub(super) fn show(stage: &Stage, runtime: &Runtime) -> Result<(), Exit> {
    stage.head("repod: async client")?;
    let (counted, goodbyes) = mpsc::channel();
    let (server, addr) = runtime.block_on(open(stage, counted))?;
    runtime.block_on(exchange(stage, addr))?;
    gone(&goodbyes)?;
    play(stage, addr)?;
    gone(&goodbyes)?;
    leave(stage, addr, &goodbyes)?;
    runtime.block_on(server.close(Duration::from_secs(5)));
    stage.tell("server", "closed", json!({"event": "closed"}))
}

/// A server on a free port that sends everything back, except for the action `count`: how many
/// of those have come, it tells when a client is gone.
async fn open(stage: &Stage, counted: mpsc::Sender<usize>) -> Result<(Server, SocketAddr), Exit> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let actions = Actions::new()
        .on("count", move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .on_other(|context, message| {
            // It can only fail where nobody listens any more.
            let _ = context.forward(message);
        })
        .on_disconnect(move |_, _| {
            let _ = counted.send(count.swap(0, Ordering::Relaxed));
        });
    let server = Server::new();
    server.set_handler(actions);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    stage.tell("server", &format!("echo on repod://{addr}"), json!({"event": "listening"}))?;
    Ok((server, addr))
}

/// The async client: maps of everything that msgpack has, there and back.
async fn exchange(stage: &Stage, addr: SocketAddr) -> Result<(), Exit> {
    let client = Client::connect(addr.ip().to_string(), addr.port()).await?;
    stage.tell("client", "connected", json!({"event": "connected"}))?;
    greet(stage, client.recv().await)?;
    let chat = json!({"action": "chat", "text": "żółw 🐢"});
    let position = json!({"action": "move", "x": 10, "y": 20.5, "held": [true, null]});
    let picture = Picture { action: "picture", data: Value::Binary(&[1, 2, 3, 255]) };
    stage.sent(&chat.to_string())?;
    send(client.send(&chat).await)?;
    stage.sent(&position.to_string())?;
    send(client.send(&position).await)?;
    stage.sent("a picture, which is bytes")?;
    send(client.send(&picture).await)?;
    for _ in 0..3 {
        let message = client.recv().await.ok_or_else(ended)?;
        stage.received(&repod_message_words(&message))?;
    }
    if let Some(trip) = client.round_trip() {
        let words = format!("round trip {:.0?}, as the kernel has measured it", trip.time);
        stage.tell("client", &words, json!({"event": "round trip"}))?;
    }
    client.disconnect().await;
    stage.tell("client", "disconnected", json!({"event": "disconnected"}))
}

#[derive(Serialize)]
struct Picture {
    action: &'static str,
    data: Value<'static>,
}

/// The main loop of a game: handlers run where it calls `pump`, and nowhere else.
fn play(stage: &Stage, addr: SocketAddr) -> Result<(), Exit> {
    #[derive(Default)]
    struct Game {
        seen: Vec<String>,
        over: bool,
    }

    stage.head("repod: a game's main loop, with handlers by action")?;
    let mut listener = ConnectionListener::<Game>::connect(addr.ip().to_string(), addr.port());
    listener.on("ready", |game, _, message| {
        game.seen.push(repod_message_words(message));
        game.over = true;
    });
    listener.on_disconnect(|game, _, _| game.over = true);
    let ready = json!({"action": "ready", "player": "alice"});
    let bytes = send(listener.client().send(&ready))?;
    stage.sent(&format!("{ready}, before it is connected: {bytes} bytes wait"))?;
    let mut game = Game::default();
    while !game.over {
        listener.pump(&mut game);
        thread::sleep(Duration::from_millis(1)); // where a game draws
    }
    stage.received(game.seen.first().ok_or_else(ended)?)?;
    listener.client().close();
    stage.tell("client", "disconnected", json!({"event": "disconnected"}))
}

/// Many messages, and the end right behind them.
fn leave(stage: &Stage, addr: SocketAddr, goodbyes: &mpsc::Receiver<usize>) -> Result<(), Exit> {
    stage.head(&format!("repod: {BURST} messages, and close() at once"))?;
    let client = BlockingClient::new(addr.ip().to_string(), addr.port());
    let start = Instant::now();
    client.start_background();
    for number in 0..BURST {
        send(client.send(&json!({"action": "count", "number": number})))?;
    }
    client.close();
    let count = gone(goodbyes)?;
    if count != BURST {
        return Err(Exit::Lost(format!("{count} of {BURST} messages have arrived")));
    }
    let elapsed = start.elapsed();
    stage.tell(
        "client",
        &format!("all {BURST} have arrived, within {elapsed:.0?}"),
        json!({"event": "burst", "messages": BURST}),
    )
}

/// Waits until the server says that a client is gone, and how many messages it has counted.
fn gone(goodbyes: &mpsc::Receiver<usize>) -> Result<usize, Exit> {
    let missing = |_| Exit::Lost("the server does not say that the client is gone".to_owned());
    goodbyes.recv_timeout(Duration::from_secs(10)).map_err(missing)
}

const BURST: usize = 10_000;

/// The server's greeting, which is a message like any other.
fn greet(stage: &Stage, message: Option<heartwire::repod::Message>) -> Result<(), Exit> {
    stage.received(&repod_message_words(&message.ok_or_else(ended)?))
}

fn send<T>(result: Result<T, heartwire::repod::SendError>) -> Result<T, Exit> {
    result.map_err(|error| Exit::Lost(error.to_string()))
}

fn ended() -> Exit {
    Exit::Lost("the connection ended".to_owned())
}
