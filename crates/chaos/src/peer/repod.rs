//! repod: a server and a client that send each other letters.
//!
//! A session has no name that both sides know: the server's letters say what it calls theirs.

use std::time::Duration;

use heartwire::repod::client::{Client, Event};
use heartwire::repod::{Channel, Context, Disconnected, Handler, MessageRef, Server};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Orders;
use super::correspondence::{Correspondence, Phase, deliver};
use crate::journal::{self, Entry};
use crate::letter::Letter;

pub(super) async fn serve(orders: &Orders, correspondence: Correspondence) {
    let server = Server::builder()
        .keep_alive(Some(orders.ping_interval()))
        .dead_peer_timeout(orders.patience())
        .build();
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

/// Writes down what happens to a server's channels, and sends letters over them.
struct Journalist {
    correspondence: Correspondence,
}

impl Handler for Journalist {
    fn connect(&self, channel: &Channel) {
        journal::write(Entry::Connected { session: name(channel), by: name(channel) });
        let (channel, correspondence) = (channel.clone(), self.correspondence.clone());
        tokio::spawn(async move {
            let until = async {
                channel.closed().await;
            };
            let send = |letter: Letter| {
                let channel = &channel;
                async move { channel.send(&letter.to_action()).await.is_ok() }
            };
            correspondence.write_letters(&name(&channel), until, send).await;
        });
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        deliver(&name(context.channel()), Letter::from_action(&message.to_message()));
    }

    fn disconnect(&self, channel: &Channel, disconnected: &Disconnected) {
        write_disconnected(name(channel), disconnected);
    }
}

/// What a server calls a channel; another process's channels have other names.
fn name(channel: &Channel) -> String {
    format!("{}.{}", std::process::id(), channel.id())
}

pub(super) async fn connect(orders: &Orders, correspondence: Correspondence) {
    let mut clients = JoinSet::new();
    for number in 0..orders.clients {
        let (orders, correspondence) = (orders.clone(), correspondence.clone());
        let name = format!("client{}-{number}", std::process::id());
        clients.spawn(async move { live(&orders, &correspondence, name).await });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client panics");
    }
    journal::write(Entry::Ended { sessions: 0 });
}

/// The life of one client.
async fn live(orders: &Orders, correspondence: &Correspondence, name: String) {
    let client = Client::builder(&*orders.host, orders.port)
        .connect_timeout(orders.attempt())
        .keep_alive(Some(orders.ping_interval()))
        .dead_peer_timeout(orders.patience())
        .stall_timeout(orders.patience())
        .reconnect(orders.backoff())
        .linger(PATIENCE)
        .start();
    let reading = tokio::spawn(read(client.clone(), name.clone()));
    let send = |letter: Letter| {
        let client = &client;
        async move { client.send(&letter.to_action()).await.is_ok() }
    };
    correspondence.write_letters(&name, std::future::pending(), send).await;
    correspondence.reached(Phase::Leaving).await;
    client.disconnect().await;
    reading.await.expect("reading does not panic");
}

/// Writes down what a client is told, to its end.
async fn read(client: Client, name: String) {
    let mut sessions = 0;
    let mut greeted = false;
    let mut session = String::new();
    while let Some(event) = client.next().await {
        match event {
            Event::Connected { .. } => {
                session = format!("{name}/{sessions}");
                sessions += 1;
                greeted = false;
                let (session, by) = (session.clone(), name.clone());
                journal::write(Entry::Connected { session, by });
            }
            Event::Message(message) if !greeted && message.action() == "connected" => {
                greeted = true;
            }
            Event::Message(message) => deliver(&session, Letter::from_action(&message)),
            Event::Disconnected(disconnected) => {
                write_disconnected(session.clone(), &disconnected);
            }
            Event::GaveUp { unsent } => {
                journal::write(Entry::GaveUp { from: name.clone(), unsent });
            }
            _ => {}
        }
    }
}

fn write_disconnected(session: String, disconnected: &Disconnected) {
    journal::write(Entry::Disconnected {
        session,
        reason: disconnected.reason.to_string(),
        unsent: disconnected.unsent,
        detail: disconnected.detail.as_ref().map(ToString::to_string),
    });
}

/// Time for the other side to take what waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
