//! What waits to be sent, and what waits to be received: in order, bounded, and nobody else's.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use heartwire::blocking::repod::Client;
use heartwire::repod::client::{ConnectErrorKind, Event, State};
use heartwire::repod::{self, EncodeError, SendError, Server};
use serde_json::json;

use super::support::{
    Peer, Unanswering, closed_port, echo, frame, greeting, number, numbered, silent, to_json, with,
};
use crate::support::{run, wait_until, watched};

#[test]
fn what_is_sent_before_the_connection_is_open_arrives_in_order() {
    watched(|| {
        for _ in 0..20 {
            let (runtime, mut server) = with(silent(Server::builder()));
            let client = Client::new("localhost", server.port());
            client.start_background();
            for message in numbered(3) {
                assert_eq!(client.send(&message), Ok(frame(&message).len()));
            }
            assert_eq!(runtime.block_on(server.messages(3)), numbered(3));
        }
    });
}

#[test]
fn what_is_queued_is_sent_when_its_waker_is_woken() {
    watched(|| {
        let (runtime, mut server) = with(silent(Server::builder()));
        let mut peer = Peer::greeted(server.addr);
        let channel = runtime.block_on(server.channel());
        let frame = |n| repod::Frame::encode(&number(n)).unwrap();
        let mut next = 0;
        let sleeper = loop {
            // The task may still be about to sleep: then it sees the message by itself.
            let sleeper = channel.queue_frame(frame(next)).unwrap();
            next += 1;
            match sleeper {
                Some(sleeper) => break sleeper,
                None => thread::yield_now(),
            }
        };
        assert!(channel.queue_frame(frame(next)).unwrap().is_none(), "it would be woken twice");
        assert!(channel.waiting().0 >= 2);
        sleeper.wake();
        for expected in 0..=next {
            assert_eq!(peer.recv(), number(expected));
        }
        channel.close();
        assert_eq!(channel.queue_frame(frame(0)).unwrap_err(), SendError::Closed);
    });
}

#[test]
fn nothing_is_queued_without_a_connection_to_wait_for() {
    watched(|| {
        let client = Client::new("127.0.0.1", closed_port());
        assert_eq!(client.send(&number(0)), Ok(0));
        assert_eq!(client.state(), State::Idle);
        client.start_background();
        while client.next().is_some() {}
        assert_eq!(client.state(), State::Failed);
        assert_eq!(client.send(&number(0)), Ok(0));
        // As the original, which does not look at what it cannot send.
        assert_eq!(client.send("no map"), Ok(0));
    });
}

#[test]
fn what_cannot_be_sent_is_an_error_of_who_sends_it() {
    watched(|| {
        let (runtime, mut server) = with(silent(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        let error = EncodeError::NotAMap("no map".to_owned());
        assert_eq!(client.send("no map"), Err(SendError::Encode(error)));
        let large = serde_json::Map::from_iter([("action".to_owned(), json!("a"))]);
        client.send(&large).unwrap();
        assert_eq!(runtime.block_on(server.message()), json!({"action": "a"}));
    });
}

#[test]
fn messages_of_a_lost_connection_are_counted_and_not_sent_over_the_next() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
        let client = Client::with(builder.stall_timeout(Duration::MAX));
        client.start_background();
        let peer = Peer::accept(&listener);
        wait_until(|| client.is_connected());
        let old = json!({"action": "old", "text": "x".repeat(1 << 20)});
        let mut sent = 0;
        while client.send(&old).is_ok() {
            sent += 1;
        }
        peer.reset();
        while !matches!(client.next(), Some(Event::Disconnected(_))) {}
        let unsent = client.disconnected().unwrap().unsent;
        assert!(unsent > 0 && unsent <= sent, "{unsent} of {sent}");
        assert_eq!(client.waiting(), (0, 0));

        client.start_background();
        client.send(&number(0)).unwrap();
        let mut peer = Peer::accept(&listener);
        assert_eq!(peer.recv(), number(0));
        let rest = thread::spawn(|| peer.rest());
        client.close();
        assert_eq!(rest.join().unwrap(), [] as [serde_json::Value; 0]);
    });
}

#[test]
fn a_full_send_queue_is_an_error() {
    watched(|| {
        let nobody = Unanswering::bind();
        let client = Client::with(Client::builder("127.0.0.1", nobody.port()).send_limits(3, 1000));
        client.start_background();
        for message in numbered(3) {
            client.send(&message).unwrap();
        }
        let error = client.send(&number(3)).unwrap_err();
        assert_eq!(error.to_string(), "send queue is full: at most 3 messages or 1000 bytes wait");
        let bytes = numbered(3).iter().map(|message| frame(message).len()).sum();
        assert_eq!(client.waiting(), (3, bytes));
    });
}

#[test]
fn sending_can_wait_for_room() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = repod::Client::builder("127.0.0.1", port).send_limits(2, 1 << 20).start();
        let peer = Peer::accept(&listener);
        let message = json!({"action": "a", "text": "x".repeat(100_000)});
        while !matches!(client.try_send(&message), Err(SendError::Full { .. })) {}
        let sending = tokio::spawn({
            let (client, message) = (client.clone(), message.clone());
            async move { client.send(&message).await }
        });
        let reading = thread::spawn(|| peer.rest().len());
        sending.await.unwrap().unwrap();
        client.disconnect().await;
        assert_eq!(reading.join().unwrap() as u64, client.statistics().messages_sent);
    });
}

#[test]
fn a_full_receive_queue_stops_the_reading_and_loses_nothing() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
        let client = Client::with(builder.receive_limit(100_000));
        client.start_background();
        let mut peer = Peer::accept(&listener);
        peer.0.set_nonblocking(true).unwrap();
        let message = frame(&json!({"action": "a", "text": "x".repeat(10_000)}));
        // Until nothing more is taken for a while, it is written.
        let (mut written, mut refused) = (0, 0);
        while refused < 50 {
            match peer.0.write(&message[written % message.len()..]) {
                Ok(count) => (written, refused) = (written + count, 0),
                Err(_) => {
                    refused += 1;
                    thread::sleep(Duration::from_millis(2));
                }
            }
        }
        let read = client.statistics().bytes_received;
        assert!(read < written as u64 && client.pending() < 100, "{read} of {written}");

        peer.0.set_nonblocking(false).unwrap();
        let cut = written % message.len();
        let frames = written.div_ceil(message.len());
        if cut > 0 {
            let rest = message[cut..].to_vec();
            thread::spawn(move || peer.write(&rest));
        } else {
            drop(peer);
        }
        let mut received = vec![];
        while let Some(message) = client.recv() {
            received.push(message);
        }
        assert_eq!(received.len(), 1 + frames, "the greeting and all the rest");
    });
}

#[test]
fn a_server_that_is_not_asked_for_messages_stops_reading() {
    run(async {
        let server = Server::builder().receive_limit(100_000).build();
        let (channels, mut opened) = tokio::sync::mpsc::unbounded_channel();
        server.on_connection(move |channel| {
            channels.send(channel.clone()).unwrap();
            async move { drop(channel.closed().await) }
        });
        let mut peer = Peer::greeted(super::support::serve(&server).await);
        let channel = opened.recv().await.unwrap();
        const COUNT: usize = 2000;
        let message = json!({"action": "a", "text": "x".repeat(10_000)});
        let bytes = frame(&message).len() as u64 * COUNT as u64;
        let writing = thread::spawn(move || {
            for _ in 0..COUNT {
                peer.send(&message);
            }
        });
        wait_until(|| channel.statistics().bytes_received >= 100_000);
        assert!(channel.statistics().bytes_received < bytes);
        for _ in 0..COUNT {
            assert_eq!(channel.recv().await.unwrap().action(), "a");
        }
        assert!(channel.recv().await.is_none());
        writing.join().unwrap();
        wait_until(|| channel.statistics().messages_received as usize == COUNT);
    });
}

#[test]
fn what_has_arrived_is_taken_in_every_way() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        assert_eq!(client.pump().count(), 0);
        assert!(client.recv().is_none(), "it was never started");
        assert!(client.try_next().is_none());
        client.start_background();
        let Some(Event::Connected { addr }) = client.next() else { panic!("it has connected") };
        assert_eq!(addr, server.addr);
        assert_eq!(to_json(&client.recv().unwrap()), greeting());
        assert!(client.recv_timeout(Duration::ZERO).is_none());
        assert!(client.next_timeout(Duration::from_millis(1)).is_none());

        let sent = numbered(100);
        sent.iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        wait_until(|| client.pending() == 100);
        let pumped: Vec<_> = client.pump().take(30).map(|message| to_json(&message)).collect();
        assert_eq!(pumped, sent[..30], "what is not taken stays");
        assert_eq!(to_json(&client.recv().unwrap()), sent[30]);
        assert_eq!(to_json(&client.recv_timeout(Duration::MAX).unwrap()), sent[31]);
        let Some(Event::Message(next)) = client.next_timeout(Duration::MAX) else { panic!() };
        assert_eq!(to_json(&next), sent[32]);
        let Some(Event::Message(next)) = client.try_next() else { panic!() };
        assert_eq!(to_json(&next), sent[33]);
        let some: Vec<_> = client.messages().take(6).map(|message| to_json(&message)).collect();
        assert_eq!(some, sent[34..40]);
        client.close();
        let rest: Vec<_> = client.messages().map(|message| to_json(&message)).collect();
        assert_eq!(rest, sent[40..]);
        assert_eq!(client.pump_events().count(), 0);
    });
}

#[test]
fn a_pump_takes_what_is_there_and_not_what_comes() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.send(&number(0)).unwrap();
        wait_until(|| client.pending() == 3); // with two about the connection
        let mut pumped = 0;
        for message in client.pump() {
            // Each one brings another.
            client.send(&message).unwrap();
            pumped += 1;
            wait_until(|| client.pending() == 2);
        }
        assert_eq!(pumped, 2);
    });
}

#[test]
fn waiting_in_vain_leaves_nothing_behind() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.recv().unwrap();
        // Each wait that left something behind would make all the later ones slower.
        for _ in 0..200_000 {
            assert!(client.next_timeout(Duration::ZERO).is_none());
        }
        client.send(&number(0)).unwrap();
        assert_eq!(to_json(&client.recv().unwrap()), number(0));
    });
}

#[test]
fn messages_that_wait_when_no_connection_comes_are_counted() {
    watched(|| {
        let nobody = Unanswering::bind();
        let builder = Client::builder("127.0.0.1", nobody.port());
        let client = Client::with(builder.connect_timeout(Duration::from_millis(300)));
        client.start_background();
        numbered(3).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        let Some(Event::ConnectFailed { attempt: 0, error }) = client.next() else { panic!() };
        assert_eq!(error.kind(), ConnectErrorKind::Timeout, "{error}");
        assert!(error.to_string().ends_with("no answer within 300ms"), "{error}");
        assert!(matches!(client.next(), Some(Event::GaveUp { unsent: 3 })));
        assert!(client.next().is_none());
        assert_eq!(client.waiting(), (0, 0));
        assert_eq!(client.state(), State::Failed);
    });
}

#[test]
fn a_full_queue_is_refused_or_ends_the_connection_as_the_server_wants_it() {
    run(async {
        use heartwire::repod::{DisconnectReason, SlowPeerPolicy};
        let message = json!({"action": "a", "text": "x".repeat(10_000)});
        let builder = || Server::builder().send_limits(8, 1 << 20).stall_timeout(Duration::MAX);

        let mut server = silent(builder()).await;
        let peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        let mut sent = 0;
        let error = loop {
            match channel.try_send(&message) {
                Ok(length) => assert_eq!(length, frame(&message).len()),
                Err(error) => break error,
            }
            sent += 1;
        };
        let expected = "send queue is full: at most 8 messages or 1048576 bytes wait";
        assert_eq!(error.to_string(), expected);
        assert!(channel.waiting().0 <= 8);
        let full = server.server.send_to_all(&message).unwrap();
        let reading = thread::spawn(|| peer.rest().len());
        if full.is_empty() {
            sent += 1; // there was room again
        } else {
            assert_eq!(full, std::slice::from_ref(&channel));
        }
        channel.close();
        assert_eq!(reading.join().unwrap(), sent);

        let mut server = silent(builder().slow_peer(SlowPeerPolicy::Disconnect)).await;
        let _peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        while channel.try_send(&message).is_ok() {}
        assert_eq!(channel.try_send(&message), Err(SendError::Closed));
        let ended = server.disconnected().await;
        assert_eq!(ended.reason, DisconnectReason::SlowPeer);
        assert_eq!(ended.detail.as_deref(), Some("its send queue is full"));
        assert!(ended.unsent > 0);
    });
}
