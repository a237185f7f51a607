//! What a peer may take and ask for.

use std::net::TcpListener;
use std::time::Duration;

use heartwire::blocking::repod::Client;
use heartwire::repod::client::Event;
use heartwire::repod::{DisconnectReason, SendError, Server};
use serde_json::{Value as Json, json};

use super::support::{Peer, echo, fill, frame, number, numbered, silent, with};
use crate::support::{run, wait_until, watched};

const NOTHING: [Json; 0] = [];

#[test]
fn no_more_connections_than_allowed_are_let_in() {
    let one = || Server::builder().max_connections(1);
    let one_an_address = || Server::builder().max_connections_per_address(1);
    for builder in [one(), one_an_address()] {
        run(async move {
            let mut server = silent(builder).await;
            let first = Peer::greeted(server.addr);
            server.channel().await;
            assert_eq!(Peer::connect(server.addr).rest(), NOTHING, "not even a greeting");
            assert_eq!(server.server.len(), 1);
            drop(first);
            // Room is made when the first has gone.
            wait_until(|| Peer::connect(server.addr).try_recv().is_some());
        });
    }
}

#[test]
fn no_more_messages_than_allowed_are_taken() {
    run(async {
        let mut server = silent(Server::builder().max_rate(10)).await;
        let mut peer = Peer::greeted(server.addr);
        let burst: Vec<_> = numbered(100).iter().flat_map(frame).collect();
        peer.write(&burst);
        let received = server.messages(10).await;
        assert_eq!(received, numbered(10));
        let ended = loop {
            match server.seen.recv().await.unwrap() {
                super::support::Seen::Disconnected(ended) => break ended,
                // A bucket that refills while the burst is read lets a few more through.
                super::support::Seen::Message(_) | super::support::Seen::Connected(_) => {}
            }
        };
        assert_eq!(ended.reason, DisconnectReason::RateExceeded);
        assert_eq!(peer.rest(), NOTHING);
    });
}

#[test]
fn frames_may_be_as_long_as_allowed_and_no_longer() {
    run(async {
        let message = |length: usize| json!({"action": "a", "text": "x".repeat(length)});
        let overhead = frame(&message(1000)).len() - 4 - 1000;
        let mut server = silent(Server::builder().max_frame(1000 + overhead)).await;
        let mut peer = Peer::greeted(server.addr);
        peer.send(&message(1000));
        assert_eq!(server.message().await, message(1000));
        peer.send(&message(1001));
        let ended = server.disconnected().await;
        assert_eq!(ended.reason, DisconnectReason::TooLarge);
        let most = 1000 + overhead;
        let expected = format!("frame of {} bytes, at most {most} accepted", most + 1);
        assert_eq!(ended.detail.as_deref(), Some(&*expected));
    });
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    run(async {
        for size in [100, 10_000, 1 << 20] {
            let builder = Server::builder().stall_timeout(Duration::from_millis(100));
            let mut server = silent(builder).await;
            let _peer = Peer::greeted(server.addr);
            let channel = server.channel().await;
            let message = json!({"action": "a", "text": "x".repeat(size)});
            while channel.try_send(&message) != Err(SendError::Closed) {
                tokio::task::yield_now().await;
            }
            let ended = server.disconnected().await;
            assert_eq!(ended.reason, DisconnectReason::SlowPeer, "{size}");
            assert!(ended.unsent > 0, "{size}");
        }
    });
}

#[test]
fn a_client_that_asks_and_takes_no_answers_is_given_up() {
    watched(|| {
        let (runtime, mut server) =
            with(echo(Server::builder().stall_timeout(Duration::from_millis(200))));
        let mut peer = Peer::greeted(server.addr);
        let message = frame(&json!({"action": "a", "text": "x".repeat(1000)}));
        // The server stops reading, so the writing stops, until the server ends it.
        while std::io::Write::write_all(&mut peer.0, &message).is_ok() {}
        let ended = runtime.block_on(server.disconnected());
        assert_eq!(ended.reason, DisconnectReason::SlowPeer);
    });
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    watched(|| {
        for size in [100, 10_000, 1 << 20] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
            let client = Client::with(builder.stall_timeout(Duration::from_millis(100)));
            client.start_background();
            let _peer = Peer::accept(&listener);
            let message = json!({"action": "a", "text": "x".repeat(size)});
            while client.send(&message) != Ok(0) {
                std::thread::yield_now();
            }
            let ended = loop {
                if let Some(Event::Disconnected(ended)) = client.next() {
                    break ended;
                }
            };
            assert_eq!(ended.reason, DisconnectReason::SlowPeer, "{size}");
            assert!(ended.unsent > 0, "{size}");
        }
    });
}

#[test]
fn a_peer_that_does_not_read_and_closes_its_side_is_let_go() {
    run(async {
        let builder = Server::builder().stall_timeout(Duration::MAX);
        let mut server = silent(builder.linger(Duration::from_millis(50))).await;
        let peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        let message = json!({"action": "a", "text": "x".repeat(1000)});
        fill(&channel, &message).await; // which does not stop the reading
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        let ended = server.disconnected().await;
        assert_eq!(ended.reason, DisconnectReason::PeerClosed);
        assert!(ended.unsent > 0);
    });
}

#[test]
fn endless_times_are_taken() {
    watched(|| {
        let forever = Duration::MAX;
        let builder = Server::builder()
            .frame_timeout(forever)
            .linger(forever)
            .stall_timeout(forever)
            .keep_alive(Some(forever))
            .dead_peer_timeout(forever);
        let (runtime, mut server) = with(echo(builder));
        let builder = Client::builder("127.0.0.1", server.port())
            .connect_timeout(forever)
            .frame_timeout(forever)
            .linger(forever)
            .stall_timeout(forever)
            .keep_alive(Some(forever))
            .dead_peer_timeout(forever);
        let client = Client::with(builder);
        client.start_background();
        client.send(&number(0)).unwrap();
        client.recv_timeout(forever).unwrap();
        assert_eq!(runtime.block_on(server.message()), number(0));
        let mut half = Peer::greeted(server.addr);
        half.write(b"\x00\x00");
        client.close();
        drop(half);
        for _ in 0..2 {
            let ended = runtime.block_on(server.disconnected());
            assert_eq!(ended.reason, DisconnectReason::PeerClosed);
        }
    });
}
