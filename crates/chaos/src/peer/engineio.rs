//! Engine.IO: a server and a client that send each other letters.

use std::time::Duration;

use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{
    Connection, Context, Disconnected, Handler, MessageRef, Server, Transport,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::correspondence::{Correspondence, Phase, deliver};
use super::{Orders, Way};
use crate::journal::{self, Entry};
use crate::letter::Letter;

pub(super) async fn serve(orders: &Orders, correspondence: Correspondence) {
    let server = Server::builder()
        .ping_interval(orders.ping_interval())
        .ping_timeout(orders.ping_timeout())
        .build()
        .expect("the heartbeat is no contradiction");
    server.set_handler(Journalist { correspondence: correspondence.clone() });
    let address = (&*orders.host, orders.port);
    let listener = TcpListener::bind(address).await.expect("the address is free");
    let port = listener.local_addr().expect("it listens").port();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    journal::write(Entry::Listening { port });
    correspondence.reached(Phase::Leaving).await;
    server.close(PATIENCE).await;
    serving.await.expect("it does not panic");
    journal::write(Entry::Ended { sessions: server.len() });
}

/// Writes down what happens to a server's sessions, and sends letters over them.
struct Journalist {
    correspondence: Correspondence,
}

impl Handler for Journalist {
    fn connect(&self, connection: &Connection) {
        let session = connection.id().to_string();
        journal::write(Entry::Connected { session: session.clone(), by: session });
        let (connection, correspondence) = (connection.clone(), self.correspondence.clone());
        tokio::spawn(async move {
            let until = async {
                connection.closed().await;
            };
            let send = |letter: Letter| {
                let connection = &connection;
                async move { connection.send(letter.to_message()).await.is_ok() }
            };
            let from = connection.id().to_string();
            correspondence.write_letters(&from, until, send).await;
        });
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let session = context.connection().id().to_string();
        deliver(&session, Letter::from_message(&message.to_message()));
    }

    fn disconnect(&self, connection: &Connection, disconnected: &Disconnected) {
        write_disconnected(&connection.id().to_string(), disconnected);
    }
}

pub(super) async fn connect(orders: &Orders, correspondence: Correspondence) {
    let mut clients = JoinSet::new();
    for number in 0..orders.clients {
        let (orders, correspondence) = (orders.clone(), correspondence.clone());
        clients.spawn(async move {
            for life in 0.. {
                live(
                    &orders,
                    &correspondence,
                    format!("client{}-{number}.{life}", std::process::id()),
                )
                .await;
                if !correspondence.is_talking() {
                    break;
                }
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client panics");
    }
    journal::write(Entry::Ended { sessions: 0 });
}

/// The life of one client.
async fn live(orders: &Orders, correspondence: &Correspondence, name: String) {
    let transports: &[_] = match orders.way {
        Way::Polling => &[Transport::Polling],
        Way::WebSocket => &[Transport::WebSocket],
        Way::Upgrade => &[Transport::Polling, Transport::WebSocket],
        Way::Repod => unreachable!("that is another protocol"),
    };
    let client = Client::builder(format!("http://{}:{}", orders.host, orders.port))
        .transports(transports.iter().copied())
        .request_timeout(orders.attempt())
        .stall_timeout(orders.patience())
        .no_proxy()
        .reconnect(orders.backoff())
        .retry_first(true)
        .start()
        .expect("the options are right");
    let reading = tokio::spawn(read(client.clone(), name.clone()));
    let life = async {
        match orders.life {
            Some(life) => tokio::time::sleep(Duration::from_millis(life)).await,
            None => std::future::pending().await,
        }
    };
    let send = |letter: Letter| {
        let client = &client;
        async move { client.send(letter.to_message()).await.is_ok() }
    };
    correspondence.write_letters(&name, life, send).await;
    if orders.life.is_none() || !correspondence.is_talking() {
        correspondence.reached(Phase::Leaving).await;
    }
    client.disconnect().await;
    reading.await.expect("reading does not panic");
}

/// Writes down what a client is told, to its end.
async fn read(client: Client, name: String) {
    let mut session = String::new();
    while let Some(event) = client.next().await {
        match event {
            Event::Connected(connected) => {
                session = connected.handshake.sid.to_string();
                let (session, by) = (session.clone(), name.clone());
                journal::write(Entry::Connected { session, by });
            }
            Event::Upgraded => journal::write(Entry::Upgraded { session: session.clone() }),
            Event::Message(message) => deliver(&session, Letter::from_message(&message)),
            Event::Disconnected(disconnected) => write_disconnected(&session, &disconnected),
            Event::GaveUp { unsent } => {
                journal::write(Entry::GaveUp { from: name.clone(), unsent });
            }
            _ => {}
        }
    }
}

fn write_disconnected(session: &str, disconnected: &Disconnected) {
    journal::write(Entry::Disconnected {
        session: session.to_owned(),
        reason: disconnected.reason.to_string(),
        unsent: disconnected.unsent,
        detail: disconnected.detail.as_ref().map(ToString::to_string),
    });
}

/// Time for the other side to take what waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
