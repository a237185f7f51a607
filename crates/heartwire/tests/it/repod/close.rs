//! The end of connections: what was sent arrives or is counted, and nobody waits for ever.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use heartwire::blocking::repod::Client;
use heartwire::repod::client::{ConnectErrorKind, Event, State};
use heartwire::repod::{self, DisconnectReason, SendError, Server};
use serde_json::json;

#[cfg(target_os = "linux")]
use super::support::is_asked_for;
use super::support::{
    Peer, Unanswering, echo, fill, greeting, number, numbered, silent, to_json, with,
};
use crate::support::{run, wait_until, watched};

/// Far longer than a test takes.
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_was_sent_before_a_close_arrives() {
    watched(|| {
        for _ in 0..20 {
            let (runtime, mut server) = with(silent(Server::builder()));
            let client = Client::new("localhost", server.port());
            client.start_background();
            for message in numbered(20) {
                assert!(client.send(&message).unwrap() > 0);
            }
            client.close();
            assert_eq!(client.disconnected().unwrap().to_string(), "closed");
            assert_eq!(runtime.block_on(server.messages(20)), numbered(20));
            assert_eq!(
                runtime.block_on(server.disconnected()).reason,
                DisconnectReason::PeerClosed
            );
        }
    });
}

#[test]
fn what_a_server_has_sent_before_a_close_arrives() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        for message in numbered(5) {
            channel.try_send(&message).unwrap();
        }
        channel.close();
        assert_eq!(channel.try_send(&number(5)), Err(SendError::Closed));
        assert_eq!(peer.rest(), numbered(5));
        let ended = channel.closed().await;
        assert_eq!((ended.reason, ended.unsent), (DisconnectReason::Closed, 0));
    });
}

#[test]
fn a_server_that_stops_says_goodbye() {
    run(async {
        let server = silent(Server::builder()).await;
        let peers: Vec<_> = (0..5).map(|_| Peer::greeted(server.addr)).collect();
        let goodbye = json!({"action": "goodbye"});
        assert!(server.server.send_to_all(&goodbye).unwrap().is_empty());
        let reading: Vec<_> = peers.into_iter().map(|peer| thread::spawn(|| peer.rest())).collect();
        server.server.close(HOUR).await;
        assert!(server.server.is_empty());
        for peer in reading {
            assert_eq!(peer.join().unwrap(), std::slice::from_ref(&goodbye));
        }
    });
}

#[test]
fn a_client_is_kicked_after_what_was_sent_to_it() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        channel.try_send(&number(0)).unwrap();
        channel.kick("the server is full");
        assert_eq!(peer.rest(), numbered(1));
        let ended = server.disconnected().await;
        assert_eq!(ended.to_string(), "closed: the server is full");
    });
}

#[test]
fn closing_gives_an_attempt_to_connect_up() {
    watched(|| {
        let nobody = Unanswering::bind();
        let builder = Client::builder("127.0.0.1", nobody.port());
        let client = Client::with(builder.connect_timeout(HOUR).linger(HOUR));
        client.start_background();
        assert_eq!(client.state(), State::Connecting);
        #[cfg(target_os = "linux")]
        wait_until(|| is_asked_for(nobody.port()));
        client.close();
        assert_eq!(client.state(), State::Closed);
        assert_eq!(client.send(&number(0)), Ok(0));
        #[cfg(target_os = "linux")]
        assert!(!is_asked_for(nobody.port()));
        let Some(Event::ConnectFailed { attempt: 0, error }) = client.next() else {
            panic!("the attempt has failed")
        };
        assert_eq!(error.kind(), ConnectErrorKind::Cancelled, "{error}");
        assert!(matches!(client.next(), Some(Event::GaveUp { unsent: 0 })));
        assert!(client.next().is_none());
        assert_eq!(nobody.newcomers(), []);
    });
}

#[test]
fn closing_waits_for_a_connection_if_messages_wait_for_it() {
    watched(|| {
        let nobody = Unanswering::bind();
        let builder = Client::builder("127.0.0.1", nobody.port()).connect_timeout(HOUR);
        let client = Client::with(builder.linger(Duration::from_millis(50)));
        client.start_background();
        client.send(&number(0)).unwrap();
        client.send(&number(1)).unwrap();
        client.close();
        assert!(matches!(client.next(), Some(Event::ConnectFailed { .. })));
        assert!(matches!(client.next(), Some(Event::GaveUp { unsent: 2 })));
        assert_eq!(client.state(), State::Closed);
    });
}

#[test]
fn closing_while_others_send_loses_count_of_nothing() {
    watched(|| {
        for _ in 0..5 {
            let (runtime, mut server) = with(silent(Server::builder()));
            let client = Client::new("127.0.0.1", server.port());
            client.start_background();
            let sent = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = (0..4)
                .map(|_| {
                    let (client, sent) = (client.clone(), sent.clone());
                    thread::spawn(move || {
                        loop {
                            match client.send(&number(0)) {
                                Ok(0) => return,
                                Ok(_) => drop(sent.fetch_add(1, Ordering::SeqCst)),
                                Err(SendError::Full { .. }) => thread::yield_now(),
                                Err(error) => panic!("{error}"),
                            }
                        }
                    })
                })
                .collect();
            let first = runtime.block_on(server.messages(1000)).len();
            client.close();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            let received = first + runtime.block_on(server.count());
            let unsent = client.disconnected().unwrap().unsent;
            assert_eq!(sent.load(Ordering::SeqCst), received + unsent);
            assert_eq!(client.statistics().messages_sent as usize, received);
        }
    });
}

#[test]
fn what_is_sent_from_many_threads_arrives() {
    watched(|| {
        const THREADS: usize = 4;
        const EACH: usize = 2000;
        let (runtime, mut server) = with(silent(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        let senders: Vec<_> = (0..THREADS)
            .map(|thread| {
                let client = client.clone();
                thread::spawn(move || {
                    for number in 0..EACH {
                        let message = json!({"action": "a", "thread": thread, "number": number});
                        assert!(client.send(&message).unwrap() > 0);
                        if number % 7 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        // Without a close, which would send whatever waits.
        let messages = runtime.block_on(server.messages(THREADS * EACH));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        for thread in 0..THREADS {
            let numbers = messages.iter().filter(|message| message["thread"] == thread);
            assert!(numbers.map(|message| message["number"].as_u64().unwrap()).eq(0..EACH as u64));
        }
    });
}

#[test]
fn closing_does_not_wait_for_a_server_that_does_not_read() {
    watched(|| {
        for size in [100, 10_000, 1 << 20] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
            let client =
                Client::with(builder.linger(Duration::from_millis(100)).stall_timeout(HOUR));
            client.start_background();
            let peer = Peer::accept(&listener);
            let message = json!({"action": "a", "text": "x".repeat(size)});
            let mut sent = 0;
            while !matches!(client.send(&message), Err(SendError::Full { .. })) {
                sent += 1;
            }
            client.close();
            let ended = client.disconnected().unwrap();
            assert_eq!(ended.reason, DisconnectReason::Closed, "{size}");
            let arrived = peer.count();
            assert!(ended.unsent > 0 && arrived + ended.unsent >= sent, "{size}: {ended}");
        }
    });
}

#[test]
fn a_server_stops_although_clients_do_not_read() {
    run(async {
        for size in [100, 10_000, 1 << 20] {
            let builder = Server::builder().linger(Duration::from_millis(100)).stall_timeout(HOUR);
            let mut server = silent(builder).await;
            let _peer = Peer::greeted(server.addr);
            let channel = server.channel().await;
            let message = json!({"action": "a", "text": "x".repeat(size)});
            fill(&channel, &message).await;
            server.server.close(HOUR).await;
            let ended = server.disconnected().await;
            assert_eq!(ended.reason, DisconnectReason::Closed, "{size}");
            assert!(ended.unsent > 0, "{size}");
        }
    });
}

#[test]
fn a_server_cuts_off_who_takes_longer_than_its_patience() {
    run(async {
        let mut server = silent(Server::builder().linger(HOUR).stall_timeout(HOUR)).await;
        let _peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        fill(&channel, &json!({"action": "a", "text": "x".repeat(10_000)})).await;
        let closing = server.server.close(Duration::from_millis(100));
        tokio::time::timeout(Duration::from_secs(30), closing).await.expect("it is cut off");
        assert!(server.disconnected().await.unsent > 0);
    });
}

#[test]
fn discarding_ends_a_connection_to_who_does_not_read() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
        let client = Client::with(builder.linger(Duration::from_millis(100)).stall_timeout(HOUR));
        client.start_background();
        let _peer = Peer::accept(&listener);
        let message = json!({"action": "a", "text": "x".repeat(10_000)});
        while !matches!(client.send(&message), Err(SendError::Full { .. })) {}
        client.close_now();
        let ended = loop {
            if let Some(Event::Disconnected(ended)) = client.next() {
                break ended;
            }
        };
        assert_eq!(ended.reason, DisconnectReason::Closed);
        assert!(ended.unsent > 0);
    });
}

#[test]
fn closing_again_from_any_thread_does_nothing() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.close(); // nothing is there to close
        assert_eq!(client.state(), State::Idle);
        client.start_background();
        client.send(&number(0)).unwrap();
        let closers: Vec<_> = (0..4)
            .map(|_| {
                let client = client.clone();
                thread::spawn(move || client.close())
            })
            .collect();
        closers.into_iter().for_each(|closer| closer.join().unwrap());
        client.close();
        client.close_now();
        assert_eq!(client.state(), State::Closed);
        assert_eq!(runtime.block_on(server.message()), number(0));
        let ends = client.pump_events().filter(|event| matches!(event, Event::Disconnected(_)));
        assert_eq!(ends.count(), 1);
    });
}

#[test]
fn a_message_handler_may_close() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.on_message(|client, message| {
            if message.action() == "number" {
                client.close();
            }
        });
        client.start_background();
        client.send(&number(0)).unwrap();
        runtime.block_on(server.disconnected());
        wait_until(|| client.state() == State::Closed);
    });
}

#[test]
fn dropping_a_client_blocks_nobody() {
    watched(|| {
        // Nobody answers, nobody reads, everything is in order.
        let nobody = Unanswering::bind();
        let client = Client::with(Client::builder("127.0.0.1", nobody.port()).linger(HOUR));
        client.start_background();
        client.send(&number(0)).unwrap();
        drop(client);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
        let client = Client::with(builder.linger(HOUR).stall_timeout(HOUR));
        client.start_background();
        let _peer = Peer::accept(&listener);
        let message = json!({"action": "a", "text": "x".repeat(1 << 20)});
        while !matches!(client.send(&message), Err(SendError::Full { .. })) {}
        drop(client);

        let (runtime, mut server) = with(silent(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.on_message(|_, _| {});
        client.start_background();
        numbered(100).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        drop(client);
        assert_eq!(runtime.block_on(server.messages(100)), numbered(100));
        runtime.block_on(server.disconnected());
    });
}

#[test]
fn an_async_client_sends_what_waits_when_it_is_dropped() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let client = repod::Client::connect("127.0.0.1", server.port()).await.unwrap();
        for message in numbered(100) {
            client.send(&message).await.unwrap();
        }
        drop(client);
        assert_eq!(server.messages(100).await, numbered(100));
        assert_eq!(server.disconnected().await.reason, DisconnectReason::PeerClosed);
    });
}

#[test]
fn disconnecting_waits_until_everything_is_on_its_way() {
    run(async {
        let mut server = echo(Server::builder()).await;
        let client = repod::Client::connect("127.0.0.1", server.port()).await.unwrap();
        for message in numbered(100) {
            client.send(&message).await.unwrap();
        }
        client.disconnect().await;
        assert!(client.is_closed());
        assert_eq!(client.send(&number(0)).await, Err(SendError::Closed));
        assert_eq!(server.messages(100).await, numbered(100));
        // What had arrived before can still be received.
        assert!(matches!(client.next().await, Some(Event::Connected { .. })));
        let first = client.recv().await;
        assert!(first.is_none_or(|first| to_json(&first) == greeting()));
    });
}

#[test]
fn aruntime_that_stops_ends_its_clients() {
    watched(|| {
        let (runtime, mut server) = with(silent(Server::builder()));
        let mine = tokio::runtime::Runtime::new().unwrap();
        let connecting = Unanswering::bind();
        let client = mine
            .block_on(async { repod::Client::connect("127.0.0.1", server.port()).await })
            .unwrap();
        let waiting =
            mine.block_on(async { repod::Client::builder("127.0.0.1", connecting.port()).start() });
        waiting.try_send(&number(0)).unwrap();
        drop(mine);
        runtime.block_on(async {
            let mut last = None;
            while let Some(event) = client.next().await {
                last = Some(event);
            }
            let Some(Event::Disconnected(ended)) = last else { panic!("{last:?}") };
            assert_eq!(ended.to_string(), "connection error: the runtime stopped");
            assert_eq!(client.try_send(&number(0)), Err(SendError::Closed));
            assert!(matches!(waiting.next().await, Some(Event::GaveUp { unsent: 1 })));
            assert!(waiting.next().await.is_none());
            server.disconnected().await;
        });
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_peers_system_has_not_confirmed_is_unsent() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap(); // the system makes it its least
        let addr = ([127, 0, 0, 1], server.port()).into();
        let client = socket.connect(addr).await.unwrap();
        let channel = server.channel().await;
        // Less than a system takes, and more than the least that one receives.
        let text = "x".repeat(4000);
        for _ in 0..10 {
            channel.send(&json!({"action": "text", "text": text})).await.unwrap();
        }
        while channel.waiting() != (0, 0) {
            tokio::task::yield_now().await;
        }
        drop(client); // with bytes that were not read: that is a reset
        let end = server.disconnected().await;
        assert_ne!(end.reason, DisconnectReason::Closed);
        assert!((8..=10).contains(&end.unsent), "{end:?}");
    });
}
