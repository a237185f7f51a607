//! Connecting again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use heartwire::Backoff;
use heartwire::engineio::client::{Client, ClientState, ConnectErrorKind, Event};
use heartwire::engineio::{ClientBuilder, DisconnectReason};

use super::super::scripted::{Answer, Script, handshake_packet, script};
use super::super::support::{next_event, numbered};
use crate::support::run;

/// A server that polls while it is up.
async fn server(up: Arc<AtomicBool>) -> Script {
    script(move |asked| match (&*asked.method, asked.parameter("sid")) {
        _ if !up.load(Ordering::SeqCst) => Answer::Http(503, String::new(), String::new()),
        (_, None) => Answer::ok(handshake_packet("abc", &[], 1000)),
        ("POST", _) if asked.body.contains("4down") => {
            up.store(false, Ordering::SeqCst);
            Answer::Http(503, String::new(), String::new())
        }
        ("POST", _) => Answer::ok("ok"),
        _ => Answer::Silence,
    })
    .await
}

fn builder(server: &Script) -> ClientBuilder {
    Client::builder(server.url()).reconnect(Backoff::new().initial(Duration::from_millis(5)))
}

#[test]
fn without_being_asked_for_nothing_is_tried_again() {
    run(async {
        let mut server = server(Arc::new(AtomicBool::new(true))).await;
        let client = Client::connect(server.url()).await.unwrap();
        client.send("down").await.unwrap();
        let end = next_event(&client, |event| matches!(event, Event::Disconnected(_))).await;
        assert!(matches!(end, Event::Disconnected(end) if end.unsent == 1));
        assert!(client.next().await.is_none());
        assert_eq!(client.state(), ClientState::Disconnected);
        let openings =
            server.all_asked().iter().filter(|asked| asked.parameter("sid").is_none()).count();
        assert_eq!(openings, 1);
    });
}

#[test]
fn what_waits_is_sent_in_the_next_session() {
    run(async {
        let up = Arc::new(AtomicBool::new(true));
        let mut server = server(up.clone()).await;
        let client = builder(&server).connect().await.unwrap();
        client.send("down").await.unwrap();
        let end = next_event(&client, |event| matches!(event, Event::Disconnected(_))).await;
        match end {
            Event::Disconnected(end) => {
                assert_eq!((end.reason, end.unsent), (DisconnectReason::TransportError, 1));
            }
            other => panic!("{other:?}"),
        }
        let sent = numbered("waiting", 20);
        for message in &sent {
            client.send(message.clone()).await.unwrap();
        }
        assert_eq!(client.state(), ClientState::Connecting);
        assert_eq!((client.transport(), client.sid(), client.handshake()), (None, None, None));
        match next_event(&client, |event| matches!(event, Event::ReconnectFailed { .. })).await {
            Event::ReconnectFailed { attempt: 1, error } => {
                assert!(matches!(error.kind(), ConnectErrorKind::Refused { status: 503, .. }));
            }
            other => panic!("{other:?}"),
        }
        let event = next_event(&client, |event| matches!(event, Event::Reconnecting { .. })).await;
        assert!(matches!(event, Event::Reconnecting { attempt: 2, .. }), "{event:?}");
        up.store(true, Ordering::SeqCst);
        next_event(&client, |event| matches!(event, Event::Connected(_))).await;
        let mut delivered: Vec<heartwire::engineio::Message> = vec![];
        while delivered.len() < sent.len() {
            let post =
                server.next_asked(|asked| asked.method == "POST" && asked.body != "4down").await;
            delivered.extend(post.body.split('\x1e').map(|packet| packet[1..].into()));
        }
        assert_eq!(delivered, sent);
        client.close_now();
    });
}

#[test]
fn attempts_have_an_end() {
    run(async {
        let server = server(Arc::new(AtomicBool::new(false))).await;
        let backoff = Backoff::new().initial(Duration::from_millis(1)).max_attempts(2);
        let started = Client::builder(server.url()).reconnect(backoff).retry_first(true);
        let client = started.clone().start().unwrap();
        client.send("never sent").await.unwrap();
        let mut told = vec![];
        while let Some(event) = client.next().await {
            told.push(match event {
                Event::Reconnecting { attempt, .. } => format!("waiting for {attempt}"),
                Event::ReconnectFailed { attempt, .. } => format!("{attempt} failed"),
                Event::GaveUp { unsent } => format!("gave up with {unsent}"),
                other => panic!("{other:?}"),
            });
        }
        let expected = [
            "0 failed",
            "waiting for 1",
            "1 failed",
            "waiting for 2",
            "2 failed",
            "gave up with 1",
        ];
        assert_eq!(told, expected);
        // Who waits for the connection is told the last error.
        let error = started.connect().await.unwrap_err();
        assert!(matches!(error.kind(), ConnectErrorKind::Refused { status: 503, .. }), "{error}");
        // The first attempt is tried again only if that is wanted.
        let client = Client::builder(server.url()).reconnect(backoff).start().unwrap();
        assert!(matches!(client.next().await, Some(Event::ReconnectFailed { attempt: 0, .. })));
        assert!(matches!(client.next().await, Some(Event::GaveUp { unsent: 0 })));
    });
}

#[test]
fn a_client_can_be_closed_while_it_waits() {
    run(async {
        let server = server(Arc::new(AtomicBool::new(true))).await;
        let backoff = Backoff::new().initial(Duration::from_secs(3600));
        let client = Client::builder(server.url()).reconnect(backoff).connect().await.unwrap();
        client.send("down").await.unwrap();
        next_event(&client, |event| matches!(event, Event::Reconnecting { .. })).await;
        client.send("never sent").await.unwrap();
        client.disconnect().await;
        assert!(matches!(client.next().await, Some(Event::GaveUp { unsent: 1 })));
        assert!(client.next().await.is_none());
    });
}

#[test]
fn a_client_that_was_not_waited_for_connects() {
    run(async {
        let mut server = server(Arc::new(AtomicBool::new(true))).await;
        let client = Client::builder(server.url()).start().unwrap();
        client.send("sent at once").await.unwrap();
        assert!(matches!(client.next().await, Some(Event::Connected(_))));
        let post = server.next_asked(|asked| asked.method == "POST").await;
        assert_eq!(post.body, "4sent at once");
        client.close_now();
    });
}
