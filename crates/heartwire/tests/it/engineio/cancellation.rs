//! Futures that are dropped before they are ready, as timeouts and `select!` do: nothing is lost, nothing
//! happens twice.

use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use heartwire::Backoff;
use heartwire::engineio::client::Event;
use heartwire::engineio::{Client, Connection, Server};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::support::{WAYS, client, echo, numbered};
use super::wire::{OPEN, get, session};
use crate::support::run;

#[test]
fn a_client_that_stops_to_wait_for_an_event_misses_none() {
    run(async {
        for (name, transports) in WAYS {
            let server = echo(Server::builder()).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            let sent = numbered("message", 100);
            let mut received = vec![];
            for message in &sent {
                // Something that waits is woken by the echo, and dropped.
                {
                    let mut waiting = pin!(client.next());
                    let early = waiting.as_mut().now_or_never();
                    received.extend(early.map(|event| event.expect("the session is open")));
                    client.send(message.clone()).await.unwrap();
                    while client.pending() == 0 {
                        yield_now().await;
                    }
                }
                received.push(client.next().now_or_never().unwrap().unwrap());
            }
            client.disconnect().await;
            while let Some(event) = client.next().await {
                received.push(event);
            }
            let messages = received.into_iter().filter_map(|event| match event {
                Event::Message(message) => Some(message),
                _ => None,
            });
            assert_eq!(messages.collect::<Vec<_>>(), sent, "{name}");
        }
    });
}

#[test]
fn a_connection_that_stops_to_wait_for_a_message_misses_none() {
    run(async {
        for (name, transports) in WAYS {
            let (url, mut connections) = serving(Server::new()).await;
            let client = client(url, transports).connect().await.unwrap();
            let connection = connections.recv().await.unwrap();
            let sent = numbered("message", 100);
            let mut received = vec![];
            for message in &sent {
                client.send(message.clone()).await.unwrap();
                // Every other future is dropped after a look.
                while let Some(early) = connection.recv().now_or_never() {
                    received.push(early.unwrap());
                }
                yield_now().await;
            }
            while received.len() < sent.len() {
                received.push(connection.recv().await.unwrap());
            }
            assert_eq!(received, sent, "{name}");
            client.disconnect().await;
            assert_eq!(connection.recv().await, None, "{name}: nothing comes twice");
        }
    });
}

#[test]
fn a_client_that_stops_to_wait_for_room_has_not_sent() {
    run(async {
        for (name, transports) in WAYS {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let builder = client(url, transports).send_limits(2, 1000);
            let client = builder.reconnect(Backoff::new()).retry_first(true).start().unwrap();
            // Nobody answers yet, so nothing leaves the queue.
            client.try_send("one").unwrap();
            client.try_send("two").unwrap();
            for _ in 0..10 {
                assert!(client.send("dropped").now_or_never().is_none(), "{name}");
            }
            let mut sending = pin!(client.send("three"));
            assert!(sending.as_mut().now_or_never().is_none(), "{name}");
            let (server, mut connections) = accepting(Server::new());
            tokio::spawn(async move { server.serve(listener).await });
            sending.await.unwrap();
            client.disconnect().await;
            let connection = connections.recv().await.unwrap();
            for expected in ["one", "two", "three"] {
                let message = connection.recv().await.unwrap();
                assert_eq!(message.as_text(), Some(expected), "{name}");
            }
            assert_eq!(connection.recv().await, None, "{name}: that is all");
        }
    });
}

#[test]
fn a_connection_that_stops_to_wait_for_room_has_not_sent() {
    run(async {
        let server = Server::builder().send_limits(2, 1000).build().unwrap();
        let (url, mut connections) = serving(server).await;
        let addr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let ask = |target: String| tokio::task::spawn_blocking(move || get(addr, &target, &[]));
        let sid = ask(OPEN.to_owned()).await.unwrap().sid();
        let connection = connections.recv().await.unwrap();
        // Nobody asks for messages yet.
        connection.try_send("one").unwrap();
        connection.try_send("two").unwrap();
        for _ in 0..10 {
            assert!(connection.send("dropped").now_or_never().is_none());
            assert!(connection.send_tracked("dropped").now_or_never().is_none());
        }
        let mut sending = pin!(connection.send("three"));
        assert!(sending.as_mut().now_or_never().is_none());
        let answer = ask(session(&sid)).await.unwrap();
        assert_eq!(answer.text(), "4one\u{1e}4two");
        sending.await.unwrap();
        assert_eq!(ask(session(&sid)).await.unwrap().text(), "4three");
        assert_eq!(connection.waiting(), (0, 0));
    });
}

#[test]
fn an_attempt_that_is_dropped_leaves_no_session() {
    run(async {
        // Not the 45 s that a session takes to be missed by default.
        let second = Duration::from_secs(1);
        let builder = Server::builder().ping_interval(second).ping_timeout(5 * second);
        let (url, mut connections) = serving(builder.build().unwrap()).await;
        assert!(Client::connect(url.clone()).now_or_never().is_none());
        let client = Client::connect(url).await.unwrap();
        // Whether the first one came as far as a session is chance; if so, that has ended.
        let mut open = vec![connections.recv().await.unwrap()];
        while client.sid().as_ref() != Some(open.last().unwrap().id()) {
            open.push(connections.recv().await.unwrap());
        }
        let last = open.pop().unwrap();
        for left in open {
            left.closed().await;
        }
        assert!(!last.is_closed());
    });
}

/// A server whose connections are the test's.
fn accepting(server: Server) -> (Server, mpsc::UnboundedReceiver<Connection>) {
    let (tell, connections) = mpsc::unbounded_channel();
    server.on_connection(move |connection| {
        let _ = tell.send(connection.clone());
        async move {
            connection.closed().await;
        }
    });
    (server, connections)
}

/// The same, already listening.
async fn serving(server: Server) -> (String, mpsc::UnboundedReceiver<Connection>) {
    let (server, connections) = accepting(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { server.serve(listener).await });
    (url, connections)
}
