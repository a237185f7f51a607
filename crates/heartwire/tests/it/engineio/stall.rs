//! Peers that take nothing of what is sent to them.

use std::time::Duration;

use heartwire::engineio::client::Event;
use heartwire::engineio::{DisconnectReason, Server, Transport};

use super::support::{client, silent};
use crate::support::run;

/// More than every buffer between two sockets holds.
const MUCH: usize = 32;
const LARGE: usize = 900_000;

#[test]
fn a_server_that_takes_nothing_does_not_keep_a_client_from_its_end() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let client = client(server.url(), &[Transport::WebSocket]).connect().await.unwrap();
        server.connection().await.pause_reading();
        for _ in 0..MUCH {
            client.send("x".repeat(LARGE)).await.unwrap();
        }
        client.close_now();
        client.closed().await;
        loop {
            match client.next().await.unwrap() {
                Event::Disconnected(disconnected) => {
                    assert_eq!(disconnected.reason, DisconnectReason::ClientDisconnect);
                    assert!(disconnected.unsent > 0, "{disconnected:?}");
                    break;
                }
                _ => continue,
            }
        }
    });
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let builder = client(server.url(), &[Transport::WebSocket]);
        let builder = builder.stall_timeout(Duration::from_millis(50));
        let client = builder.connect().await.unwrap();
        server.connection().await.pause_reading();
        for _ in 0..MUCH {
            if client.send("x".repeat(LARGE)).await.is_err() {
                break;
            }
        }
        client.closed().await;
        while let Some(event) = client.next().await {
            if let Event::Disconnected(disconnected) = event {
                assert_eq!(disconnected.reason, DisconnectReason::SlowPeer);
                return;
            }
        }
        panic!("the end was not told");
    });
}
