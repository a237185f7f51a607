//! Messages to everybody from a runtime with one thread, where they are written at once.

use std::time::Duration;

use heartwire::engineio::{Connection, DisconnectReason, Server, ServerBuilder};
use tokio::runtime::Builder;
use tokio::task::{spawn_blocking, yield_now};

use super::support::silent;
use super::wire::{read_text, websocket};

#[test]
fn the_first_of_a_burst_is_written_at_once_and_the_others_together() {
    run(async {
        let mut server = silent(builder()).await;
        let addr = server.addr;
        let mut socket = spawn_blocking(move || websocket(addr)).await.unwrap();
        let connection = server.connection().await;
        for _ in 0..3 {
            for text in ["one", "two", "three"] {
                assert!(server.server.broadcast(text).is_empty());
            }
            assert_eq!(connection.waiting(), (2, 8), "two and three");
            // No task has had a turn since.
            assert_eq!(read_text(&mut socket), "4one");
            while connection.waiting() != (0, 0) {
                yield_now().await;
            }
            assert_eq!(read_text(&mut socket), "4two");
            assert_eq!(read_text(&mut socket), "4three");
        }
        connection.try_send("before").unwrap();
        assert!(server.server.broadcast("behind").is_empty());
        assert_eq!(connection.waiting().0, 2, "what waits goes first");
        while connection.waiting() != (0, 0) {
            yield_now().await;
        }
        assert_eq!(read_text(&mut socket), "4before");
        assert_eq!(read_text(&mut socket), "4behind");
    });
}

#[test]
fn a_client_that_stops_reading_gets_everything_in_order_when_it_goes_on() {
    run(async {
        let mut server = silent(builder().send_limits(LIMIT, usize::MAX)).await;
        let addr = server.addr;
        let mut socket = spawn_blocking(move || websocket(addr)).await.unwrap();
        let connection = server.connection().await;
        let count = fill(&server.server, &connection).await;
        let reading = spawn_blocking(move || {
            for number in 0..count {
                assert_eq!(read_text(&mut socket), format!("4{}", numbered(number)));
            }
        });
        reading.await.unwrap();
        assert_eq!(connection.waiting(), (0, 0));
    });
}

#[test]
fn what_a_client_did_not_take_before_it_went_is_counted() {
    run(async {
        let mut server = silent(builder().send_limits(LIMIT, usize::MAX)).await;
        let addr = server.addr;
        let socket = spawn_blocking(move || websocket(addr)).await.unwrap();
        let connection = server.connection().await;
        let count = fill(&server.server, &connection).await;
        let (waiting, _) = connection.waiting();
        drop(socket);
        let disconnected = server.disconnected().await;
        assert_eq!(disconnected.reason, DisconnectReason::TransportError);
        let unsent = disconnected.unsent;
        assert!((waiting..=count).contains(&unsent), "{unsent} of {count}, {waiting} waited");
    });
}

/// Sends numbered messages to a client that does not read, until there is no room; says how many it took.
/// Of three in a row, the first waits for the task; the others are broadcasts, in one round and the next.
async fn fill(server: &Server, connection: &Connection) -> usize {
    let mut number = 0;
    loop {
        let text = numbered(number);
        let taken = match number % 3 {
            0 => connection.try_send(text).is_ok(),
            _ => server.broadcast(text).is_empty(),
        };
        if !taken {
            return number;
        }
        number += 1;
        if number % 3 != 0 {
            yield_now().await;
        }
        if connection.waiting().0 == LIMIT {
            // The network may take some more.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Long enough to fill a network's buffers soon.
fn numbered(number: usize) -> String {
    format!("{number:06}{}", "x".repeat(20_000))
}

/// A server whose heartbeat does not get between messages.
fn builder() -> ServerBuilder {
    Server::builder().ping_interval(Duration::from_secs(3600))
}

fn run(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

const LIMIT: usize = 5;
