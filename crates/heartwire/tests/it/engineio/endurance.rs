//! The same again and again: upgrades under traffic, and messages to handlers that take their time.
//! The long forms are run on demand.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use heartwire::blocking;
use heartwire::engineio::client::Event;
use heartwire::engineio::{
    Client, Connection, Context, Handler, Message, MessageRef, SendError, Server,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::support::{WAYS, client, echo, numbered};
use crate::support::WATCHDOG;

#[test]
fn upgrades_under_traffic_lose_nothing() {
    upgrade(200);
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_upgrades_under_traffic_lose_nothing() {
    upgrade(10_000);
}

/// Upgrades that many sessions, some at a time, while messages go both ways.
fn upgrade(sessions: usize) {
    let runtime = Runtime::new().unwrap();
    let mut times = runtime.block_on(async {
        let mut server = echo(Server::builder()).await;
        // Nobody looks at what the server has seen.
        server.seen.close();
        let (url, at_a_time) = (server.url(), Arc::new(Semaphore::new(16)));
        let mut running = JoinSet::new();
        for number in 0..sessions {
            let (url, at_a_time) = (url.clone(), at_a_time.clone());
            running.spawn(async move {
                let _turn = at_a_time.acquire().await.unwrap();
                let test = upgrade_one(&url, number);
                tokio::time::timeout(WATCHDOG, test).await.expect("an upgrade hangs")
            });
        }
        running.join_all().await
    });
    times.sort();
    let (median, slowest) = (times[sessions / 2], times[sessions - 1]);
    println!("{sessions} upgrades, {median:?} in the middle, {slowest:?} at most");
}

/// Opens a session and sends until it is upgraded, and then some more. How long the upgrade took.
async fn upgrade_one(url: &str, number: usize) -> Duration {
    let client = Client::connect(url).await.unwrap();
    let start = Instant::now();
    let (mut sent, mut received, mut upgraded) = (vec![], vec![], None);
    while upgraded.is_none() || received.len() < sent.len() {
        // Always some on their way.
        while (upgraded.is_none() || sent.len() < 50) && sent.len() < received.len() + 8 {
            let message = Message::from(format!("{number}: {}", sent.len()));
            client.send(message.clone()).await.unwrap();
            sent.push(message);
        }
        match client.next().await.expect("the session is open") {
            Event::Message(message) => received.push(message),
            Event::Upgraded => upgraded = Some(start.elapsed()),
            Event::Connected(_) => {}
            other => panic!("session {number}: {other:?}"),
        }
    }
    assert_eq!(received, sent, "session {number}");
    client.disconnect().await;
    upgraded.expect("it has left the loop")
}

#[test]
fn handlers_that_take_their_time_keep_the_order() {
    handle(2000);
}

#[test]
#[ignore = "takes a minute"]
fn handlers_that_take_their_time_keep_the_order_of_a_hundred_thousand() {
    handle(100_000);
}

/// Sends that many messages to each kind of handler.
fn handle(count: usize) {
    let sent = numbered("message", count);
    for (name, transports) in WAYS {
        for kind in [Kind::Callbacks, Kind::Futures, Kind::Blocking] {
            let runtime = Runtime::new().unwrap();
            let (tell, told) = mpsc::channel();
            let (listener, url) = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                (listener, url)
            });
            let server = serve(kind, tell.clone());
            let serving = server.clone();
            runtime.spawn(async move { serving.serve(listener).await });
            let handled = blocking::engineio::Client::new();
            if let Kind::Blocking = kind {
                handled.on_message(move |_, message| {
                    take_time();
                    let _ = tell.send(message);
                });
            }
            handled.connect_with(client(url, transports)).unwrap();
            for message in &sent {
                handled.send(message.clone()).unwrap();
            }
            for (number, message) in sent.iter().enumerate() {
                let next = told.recv_timeout(WATCHDOG).expect("a message is missing");
                assert_eq!(next, *message, "{name}, {kind:?}, number {number}");
            }
            handled.disconnect();
        }
    }
}

/// Whose handlers take their time.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A server's callbacks.
    Callbacks,
    /// A server's futures.
    Futures,
    /// A blocking client's callbacks, for what a server sends back.
    Blocking,
}

fn serve(kind: Kind, tell: mpsc::Sender<Message>) -> Server {
    let server = Server::new();
    match kind {
        Kind::Callbacks => server.set_handler(Slow(tell)),
        Kind::Futures => server.on_connection(move |connection| {
            let tell = tell.clone();
            async move {
                while let Some(message) = connection.recv().await {
                    take_time();
                    tokio::task::yield_now().await;
                    let _ = tell.send(message);
                }
            }
        }),
        Kind::Blocking => server.on_connection(send_back),
    }
    server
}

async fn send_back(connection: Connection) -> Result<(), SendError> {
    while let Some(message) = connection.recv().await {
        connection.send(message).await?;
    }
    Ok(())
}

struct Slow(mpsc::Sender<Message>);

impl Handler for Slow {
    fn message(&self, _: &mut Context<'_>, message: MessageRef<'_>) {
        take_time();
        let _ = self.0.send(message.to_message());
    }
}

/// Takes up to a few hundred microseconds, mostly none.
fn take_time() {
    for _ in 0..rand::random_range(0..20_u32).saturating_sub(10) {
        std::thread::yield_now();
    }
    if rand::random_ratio(1, 100) {
        std::thread::sleep(Duration::from_micros(rand::random_range(0..300)));
    }
}
