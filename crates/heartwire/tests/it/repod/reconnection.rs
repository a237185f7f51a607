//! Connections after the first: on request, or by themselves.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use heartwire::Backoff;
use heartwire::blocking::repod::Client;
use heartwire::repod::client::{Event, State};
use heartwire::repod::{self, ClientBuilder, DisconnectReason, Server};

use super::support::{
    GREETING, Peer, closed_port, echo, frame, greeting, number, numbered, to_json, with,
};
use crate::support::{Log, run, wait_until, watched};

/// Waits that a test does not notice.
fn at_once() -> Backoff {
    Backoff::new().initial(Duration::from_millis(1)).max(Duration::from_millis(5))
}

fn listen() -> (TcpListener, ClientBuilder) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
    (listener, builder)
}

#[test]
fn a_client_can_be_started_again() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        for round in 0..3 {
            client.start_background();
            client.send(&number(round)).unwrap();
            assert_eq!(runtime.block_on(server.message()), number(round));
            wait_until(|| client.statistics().messages_received == 2);
            client.close();
            assert_eq!(client.send(&number(round)), Ok(0));
        }
        // What came over all of them is there, in order.
        let received: Vec<_> = client.messages().map(|message| to_json(&message)).collect();
        let sent = received.iter().filter(|message| **message != greeting());
        assert!(sent.eq(&numbered(3)), "{received:?}");
    });
}

#[test]
fn a_lost_frame_does_not_spoil_the_next_connection() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder);
        client.start_background();
        let mut peer = Peer::accept(&listener);
        let message = frame(&number(0));
        peer.write(&message[..message.len() / 2]);
        wait_until(|| client.statistics().bytes_received as usize > GREETING.len());
        drop(peer);
        assert_eq!(
            client.messages().map(|message| to_json(&message)).collect::<Vec<_>>(),
            [greeting()]
        );
        let ended = client.disconnected().unwrap();
        assert_eq!(ended.to_string(), "closed by peer: in the middle of a frame");

        client.start_background();
        let mut peer = Peer::accept(&listener);
        numbered(4).iter().for_each(|message| peer.send(message));
        drop(peer);
        let received: Vec<_> = client.messages().skip(1).map(|message| to_json(&message)).collect();
        assert_eq!(received, numbered(4));
    });
}

#[test]
fn a_client_connects_again_when_the_connection_is_lost() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder.reconnect(at_once()));
        client.start_background();
        for round in 0..5 {
            let mut peer = Peer::accept(&listener);
            client.send(&number(round)).unwrap();
            assert_eq!(peer.recv(), number(round));
            if round % 2 == 0 {
                peer.reset();
            }
        }
        client.close();
        let mut connected = 0;
        let mut lost = vec![];
        for event in client.pump_events() {
            match event {
                Event::Connected { .. } => connected += 1,
                Event::Disconnected(ended) => lost.push(ended.reason),
                _ => {}
            }
        }
        use DisconnectReason::{Closed, ConnectionError, PeerClosed};
        assert_eq!(connected, lost.len());
        let expected = [ConnectionError, PeerClosed, ConnectionError, PeerClosed];
        assert_eq!(lost[..4], expected);
        assert!([Closed, ConnectionError].contains(&lost[4]), "{lost:?}");
    });
}

#[test]
fn messages_wait_for_the_next_connection() {
    watched(|| {
        let (listener, builder) = listen();
        let backoff = Backoff::new().initial(Duration::from_millis(300)).jitter(0.0);
        let client = Client::with(builder.reconnect(backoff));
        client.start_background();
        drop(Peer::accept(&listener));
        while !matches!(client.next(), Some(Event::Reconnecting { attempt: 1, .. })) {}
        assert_eq!(client.state(), State::Connecting);
        numbered(3).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        let mut peer = Peer::accept(&listener);
        for message in numbered(3) {
            assert_eq!(peer.recv(), message);
        }
        assert_eq!(client.disconnected().unwrap().unsent, 0);
    });
}

#[test]
fn attempts_are_told_until_the_last() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder.reconnect(at_once().max_attempts(2)));
        client.start_background();
        let peer = Peer::accept(&listener);
        drop((peer, listener));
        let told: Vec<_> = std::iter::from_fn(|| client.next()).map(name).collect();
        assert_eq!(
            told,
            [
                "connected",
                "message",
                "disconnected: closed by peer",
                "reconnecting 1",
                "failed 1",
                "reconnecting 2",
                "failed 2",
                "gave up",
            ]
        );
        assert_eq!(client.state(), State::Failed);
    });
}

#[test]
fn a_first_connection_is_tried_again_too() {
    run(async {
        let builder = repod::Client::builder("127.0.0.1", closed_port());
        let client = builder.reconnect(at_once().max_attempts(1)).start();
        let mut told = vec![];
        while let Some(event) = client.next().await {
            told.push(name(event));
        }
        assert_eq!(told, ["failed 0", "reconnecting 1", "failed 1", "gave up"]);
        // But not by who waits for it.
        let builder = repod::Client::builder("127.0.0.1", closed_port());
        assert!(builder.reconnect(at_once()).connect().await.is_err());
    });
}

#[test]
fn who_has_closed_is_not_connected_again() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder.reconnect(at_once()));
        client.start_background();
        let peer = Peer::accept(&listener);
        wait_until(|| client.pending() == 2);
        let rest = thread::spawn(|| peer.rest());
        client.close();
        assert_eq!(rest.join().unwrap(), [] as [serde_json::Value; 0]);
        let told: Vec<_> = std::iter::from_fn(|| client.next()).map(name).collect();
        assert_eq!(told, ["connected", "message", "disconnected: closed"]);
        assert_eq!(client.state(), State::Closed);
    });
}

#[test]
fn closing_ends_the_wait_for_another_attempt() {
    watched(|| {
        let builder = Client::builder("127.0.0.1", closed_port());
        let backoff = Backoff::new().initial(Duration::from_secs(3600));
        let client = Client::with(builder.reconnect(backoff));
        client.start_background();
        client.send(&number(0)).unwrap();
        while !matches!(client.next(), Some(Event::Reconnecting { .. })) {}
        client.close();
        assert!(matches!(client.next(), Some(Event::GaveUp { unsent: 1 })));
        assert!(client.next().is_none());
        assert_eq!(client.state(), State::Closed);
    });
}

#[test]
fn a_server_that_breaks_the_protocol_is_not_called_again() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder.reconnect(at_once()));
        client.start_background();
        Peer::accept(&listener).write(b"\x00\x00\x00\x01\xc1");
        let told: Vec<_> = std::iter::from_fn(|| client.next()).map(name).collect();
        assert_eq!(
            told,
            [
                "connected",
                "message",
                "disconnected: protocol error: byte 0xc1, which msgpack does not use"
            ]
        );
    });
}

#[test]
fn handlers_are_told_everything_in_order() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder.reconnect(at_once().max_attempts(1)));
        let log = Arc::new(Log::default());
        let seen = log.clone();
        client.on_event(move |_, event| {
            if !matches!(event, Event::Message(_)) {
                seen.add(describe(event));
            }
        });
        let seen = log.clone();
        client.on_message(move |_, message| seen.add(format!("message {}", message.action())));
        client.start_background();
        let mut peer = Peer::accept(&listener);
        peer.send(&number(0));
        log.wait_for(3);
        drop((peer, listener));
        assert_eq!(
            log.wait_for(7),
            [
                "connected",
                "message connected",
                "message number",
                "disconnected: closed by peer",
                "reconnecting 1",
                "failed 1",
                "gave up",
            ]
        );
    });
}

#[test]
fn a_handler_may_start_the_client_again() {
    watched(|| {
        let (listener, builder) = listen();
        let client = Client::with(builder);
        client.on_event(|client, event| {
            if let Event::Disconnected(_) = event {
                client.start_background();
            }
        });
        client.start_background();
        for _ in 0..3 {
            drop(Peer::accept(&listener));
        }
        let mut peer = Peer::accept(&listener);
        wait_until(|| client.is_connected());
        client.send(&number(0)).unwrap();
        assert_eq!(peer.recv(), number(0));
    });
}

fn name(event: Event) -> String {
    describe(&event)
}

fn describe(event: &Event) -> String {
    match event {
        Event::Connected { .. } => "connected".to_owned(),
        Event::Message(_) => "message".to_owned(),
        Event::Disconnected(ended) => format!("disconnected: {ended}"),
        Event::ConnectFailed { attempt, .. } => format!("failed {attempt}"),
        Event::Reconnecting { attempt, .. } => format!("reconnecting {attempt}"),
        Event::GaveUp { unsent: 0 } => "gave up".to_owned(),
        other => format!("{other:?}"),
    }
}
