//! Engine.IO: every way to connect, and many messages during an upgrade.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use heartwire::blocking;
use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{Message, SendError, Server, Transport};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::stage::Stage;
use crate::exit::Exit;
use crate::output::message_words;

pub(super) fn show(stage: &Stage, runtime: &Runtime) -> Result<(), Exit> {
    let (server, url) = runtime.block_on(open(stage))?;
    for (title, transports) in WAYS {
        runtime.block_on(exchange(stage, &url, title, transports))?;
    }
    block(stage, &url)?;
    runtime.block_on(burst(stage, &url))?;
    runtime.block_on(server.close(Duration::from_secs(5)));
    stage.tell("server", "closed; every session was told", json!({"event": "closed"}))
}

const WAYS: [(&str, &[Transport]); 3] = [
    ("polling only", &[Transport::Polling]),
    ("WebSocket only", &[Transport::WebSocket]),
    ("polling, then WebSocket", &[Transport::Polling, Transport::WebSocket]),
];

/// An echo server on a free port.
async fn open(stage: &Stage) -> Result<(Server, String), Exit> {
    let server = Server::new();
    server.on_connection(|connection| async move {
        while let Some(message) = connection.recv().await {
            connection.send(message).await?;
        }
        Ok::<_, SendError>(())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    stage.tell("server", &format!("echo on {url}/engine.io/"), json!({"event": "listening"}))?;
    Ok((server, url))
}

/// The async client over some transports: text and bytes there and back.
async fn exchange(
    stage: &Stage,
    url: &str,
    title: &str,
    transports: &[Transport],
) -> Result<(), Exit> {
    stage.head(&format!("Engine.IO: async client, {title}"))?;
    let client = Client::builder(url).transports(transports.iter().copied()).connect().await?;
    let messages: [Message; 3] = ["hello".into(), "żółw 🐢".into(), vec![1, 2, 3, 255].into()];
    let upgrades = transports.len() > 1;
    let mut left = messages.len();
    while left > 0 {
        let ready = match next(&client).await? {
            Event::Connected(connected) => {
                let name = connected.transport.name();
                let json = json!({"event": "connected", "transport": name});
                stage.tell("client", &format!("connected over {name}"), json)?;
                !upgrades
            }
            Event::Upgraded => {
                stage.tell("client", "upgraded to websocket", json!({"event": "upgraded"}))?;
                true
            }
            Event::Message(message) => {
                stage.received(&message_words(&message))?;
                left -= 1;
                false
            }
            _ => false,
        };
        if ready {
            for message in &messages {
                stage.sent(&message_words(message))?;
                client
                    .send(message.clone())
                    .await
                    .map_err(|error| Exit::Lost(error.to_string()))?;
            }
        }
    }
    client.disconnect().await;
    stage.tell("client", "disconnected", json!({"event": "disconnected"}))
}

/// The blocking client: handlers, and a thread that waits.
fn block(stage: &Stage, url: &str) -> Result<(), Exit> {
    stage.head("Engine.IO: blocking client, with handlers")?;
    let (events, seen) = mpsc::channel();
    let client = blocking::engineio::Client::new();
    client.on_message(move |client, message| {
        let _ = events.send(message);
        client.disconnect();
    });
    client.connect(url)?;
    stage.tell("client", "connected", json!({"event": "connected"}))?;
    let message = Message::from("from a plain thread");
    stage.sent(&message_words(&message))?;
    client.send(message).map_err(|error| Exit::Lost(error.to_string()))?;
    client.wait();
    let answer = seen.recv().map_err(|_| Exit::Lost("no answer".to_owned()))?;
    stage.received(&message_words(&answer))?;
    stage.tell("client", "disconnected by its handler", json!({"event": "disconnected"}))
}

/// Many messages while the session is being upgraded: none is lost, doubled or out of order.
async fn burst(stage: &Stage, url: &str) -> Result<(), Exit> {
    stage.head(&format!("Engine.IO: {BURST} messages sent during an upgrade"))?;
    let client = Client::connect(url).await?;
    let start = Instant::now();
    let sender = client.clone();
    let sending = tokio::spawn(async move {
        for number in 0..BURST {
            sender.send(number.to_string()).await?;
        }
        Ok::<_, SendError>(())
    });
    let mut expected = 0;
    while expected < BURST {
        if let Event::Message(message) = next(&client).await? {
            if message.as_text() != Some(&expected.to_string()) {
                return Err(Exit::Lost(format!("{message:?} came, {expected} was next")));
            }
            expected += 1;
        }
    }
    sending
        .await
        .map_err(|error| Exit::failed("sending", error))?
        .map_err(|error| Exit::Lost(error.to_string()))?;
    let elapsed = start.elapsed();
    client.disconnect().await;
    stage.tell(
        "client",
        &format!("all {BURST} came back, once and in order, within {elapsed:.0?}"),
        json!({"event": "burst", "messages": BURST}),
    )
}

const BURST: usize = 10_000;

async fn next(client: &Client) -> Result<Event, Exit> {
    match client.next().await {
        Some(Event::Disconnected(disconnected)) => Err(Exit::Lost(disconnected.to_string())),
        Some(event) => Ok(event),
        None => Err(Exit::Lost("the connection ended".to_owned())),
    }
}
