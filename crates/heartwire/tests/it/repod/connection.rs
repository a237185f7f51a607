//! How connections come to be, and what is known of them.

use std::net::TcpListener;
use std::time::Duration;

use heartwire::blocking::repod::Client;
use heartwire::repod::client::{ConnectErrorKind, Event, State};
use heartwire::repod::{self, Actions, DisconnectReason, Server};

use super::support::{
    Peer, Unanswering, closed_port, echo, frame, greeting, number, numbered, silent, to_json, with,
};
use crate::support::{run, wait_until, watched};

#[test]
fn starting_twice_is_one_connection() {
    watched(|| {
        let (runtime, mut server) = with(silent(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.start_background();
        runtime.block_on(server.channel());
        wait_until(|| client.is_connected());
        client.start_background();
        client.clone().start_background();
        client.send(&number(0)).unwrap();
        assert_eq!(runtime.block_on(server.message()), number(0));
        assert_eq!(server.server.len(), 1);
        client.close();
        runtime.block_on(server.disconnected());
        assert!(server.server.is_empty());
    });
}

#[test]
fn a_connection_is_told_once() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.send(&number(0)).unwrap();
        assert!(matches!(client.next(), Some(Event::Connected { .. })));
        for expected in [greeting(), number(0)] {
            let Some(Event::Message(message)) = client.next() else { panic!("{expected}") };
            assert_eq!(to_json(&message), expected);
        }
        client.close();
        assert!(matches!(client.next(), Some(Event::Disconnected(_))));
        assert!(client.next().is_none());
    });
}

#[test]
fn a_client_knows_where_it_stands() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        assert_eq!(client.address(), ("127.0.0.1", server.port()));
        assert_eq!(client.state(), State::Idle);
        assert!(!client.is_connected() && client.disconnected().is_none());
        client.start_background();
        wait_until(|| client.is_connected());
        assert_eq!(client.state(), State::Open);
        let sent: usize = numbered(10).iter().map(|message| client.send(message).unwrap()).sum();
        client.messages().take(11).for_each(drop);
        // They are counted after they were handed out.
        wait_until(|| client.statistics().messages_received == 11);
        let statistics = client.statistics();
        assert_eq!((statistics.messages_sent, statistics.bytes_sent), (10, sent as u64));
        assert_eq!(statistics.bytes_received, (sent + frame(&greeting()).len()) as u64);
        assert_eq!(statistics.ignored, 0);

        let channel = runtime.block_on(server.channel());
        wait_until(|| {
            let there = channel.statistics();
            (there.messages_sent, there.messages_received) == (10, 10)
        });
        assert_eq!(server.server.channel(channel.id()), Some(channel.clone()));
        channel.close();
        wait_until(|| client.state() == State::Closed);
        assert_eq!(client.disconnected().unwrap().reason, DisconnectReason::PeerClosed);
        assert_eq!(runtime.block_on(channel.closed()).reason, DisconnectReason::Closed);
        wait_until(|| server.server.channel(channel.id()).is_none());
    });
}

#[test]
fn connecting_takes_no_longer_than_it_may() {
    run(async {
        let nobody = Unanswering::bind();
        let builder = repod::Client::builder("127.0.0.1", nobody.port());
        let error =
            builder.connect_timeout(Duration::from_millis(100)).connect().await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Timeout);
        let place = nobody.port();
        let expected = format!("cannot connect to 127.0.0.1:{place}: no answer within 100ms");
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn who_cannot_be_reached_is_told() {
    run(async {
        let port = closed_port();
        let error = repod::Client::connect("127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Unreachable);
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot connect to 127.0.0.1:{port}: ")), "{text}");
        assert!(std::error::Error::source(&error).is_some());

        let error = repod::Client::connect("no such name", 1).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Unreachable, "{error}");

        let client = repod::Client::builder("::1", port).start();
        let Some(Event::ConnectFailed { attempt: 0, error }) = client.next().await else {
            panic!()
        };
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot connect to [::1]:{port}: ")), "{text}");
        assert!(matches!(client.next().await, Some(Event::GaveUp { unsent: 0 })));
        assert!(client.next().await.is_none());
        assert_eq!(client.state(), State::Failed);
    });
}

#[test]
fn every_address_of_a_name_is_tried() {
    watched(|| {
        // `localhost` is ::1 before 127.0.0.1 on most systems, and the server listens on one of them.
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(addr) else { continue };
            let client = Client::new("localhost", listener.local_addr().unwrap().port());
            client.start_background();
            client.send(&number(0)).unwrap();
            let Ok(first) = (match addr {
                "127.0.0.1:0" => Ok(Peer::accept(&listener)),
                // Not every system has a name for it.
                _ if resolves_to_ipv6() => Ok(Peer::accept(&listener)),
                _ => Err(()),
            }) else {
                continue;
            };
            let mut peer = first;
            assert_eq!(peer.recv(), number(0), "{addr}");
        }
    });
}

fn resolves_to_ipv6() -> bool {
    let addrs = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 1)).unwrap();
    addrs.into_iter().any(|addr| addr.is_ipv6())
}

#[test]
fn a_server_on_any_port_knows_which() {
    run(async {
        let server = Server::new();
        server.set_handler(Actions::new());
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = taken.local_addr().unwrap();
        assert_ne!(addr.port(), 0);
        // Who listens is told at once that it cannot.
        let error = server.listen(addr).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        let serving = tokio::spawn({
            let server = server.clone();
            async move { server.serve(taken).await }
        });
        let client = repod::Client::connect("127.0.0.1", addr.port()).await.unwrap();
        assert_eq!(client.peer_addr(), Some(addr));
        assert_eq!(to_json(&client.recv().await.unwrap()), greeting());
        server.close(Duration::from_secs(10)).await;
        serving.await.unwrap();
        assert!(client.recv().await.is_none());
        assert_eq!(client.peer_addr(), None);
        assert!(repod::Client::connect("127.0.0.1", addr.port()).await.is_err());
    });
}

#[test]
fn a_server_without_a_handler_lets_nobody_in() {
    run(async {
        let server = Server::new();
        let addr = super::support::serve(&server).await;
        let peer = Peer::connect(addr);
        assert_eq!(peer.rest(), [] as [serde_json::Value; 0]);
        assert!(server.is_empty());
        server.set_handler(Actions::new());
        Peer::greeted(addr);
    });
}

#[test]
fn the_blocking_client_works_inside_an_async_runtime() {
    run(async {
        let server = echo(Server::builder()).await;
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.send(&number(0)).unwrap();
        assert_eq!(to_json(&client.recv().unwrap()), greeting());
        assert_eq!(to_json(&client.recv().unwrap()), number(0));
        assert!(client.recv_timeout(Duration::from_millis(1)).is_none());
        client.close();
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        drop(client); // neither blocks nor panics
    });
}

#[test]
fn futures_serve_channels() {
    run(async {
        let server = Server::new();
        server.on_connection(|channel| async move {
            channel.send(&serde_json::json!({"action": "welcome"})).await?;
            while let Some(message) = channel.recv().await {
                if message.action() == "bye" {
                    return Ok(()); // which closes the channel
                }
                channel.send(&message).await?;
            }
            Ok::<_, repod::SendError>(())
        });
        let addr = super::support::serve(&server).await;
        let mut peer = Peer::greeted(addr);
        assert_eq!(peer.recv()["action"], "welcome");
        for message in numbered(100) {
            peer.send(&message);
            assert_eq!(peer.recv(), message);
        }
        peer.send(&serde_json::json!({"action": "bye"}));
        assert_eq!(peer.rest(), [] as [serde_json::Value; 0]);
        wait_until(|| server.is_empty());
    });
}
