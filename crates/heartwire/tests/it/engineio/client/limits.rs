//! Sizes: what the server accepts, and what may wait.

use std::sync::Mutex;
use std::time::Duration;

use heartwire::Backoff;
use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{Message, SendError, Server, Transport};

use super::super::scripted::{Answer, handshake_packet, script};
use super::super::support::{WAYS, client, echo, next_event, next_message, numbered};
use crate::support::run;

#[test]
fn posts_stay_within_the_limits_of_the_server() {
    run(async {
        let mut server = script(|asked| match (&*asked.method, asked.parameter("sid")) {
            (_, None) => Answer::ok(handshake_packet("abc", &[], 100)),
            ("POST", _) => Answer::ok("ok"),
            _ => Answer::Silence,
        })
        .await;
        let client = Client::connect(server.url()).await.unwrap();
        let mut sent: Vec<_> = numbered("message", 100);
        sent.extend((0..100).map(|_| Message::from("")));
        sent.extend([99, 98, 1, 50, 50].map(|length| Message::from("x".repeat(length))));
        for message in &sent {
            client.try_send(message.clone()).unwrap();
        }
        let mut received = vec![];
        let mut most = (0, 0);
        while received.len() < sent.len() {
            let post = server.next_asked(|asked| asked.method == "POST").await;
            let packets: Vec<_> = post.body.split('\x1e').collect();
            assert!(post.body.len() <= 100 && packets.len() <= 16, "{:?}", post.body);
            most = (most.0.max(post.body.len()), most.1.max(packets.len()));
            received.extend(packets.iter().map(|packet| Message::from(&packet[1..])));
        }
        assert_eq!(received, sent);
        assert_eq!(most, (100, 16), "no more requests than needed");
        client.close_now();
    });
}

#[test]
fn a_message_that_is_too_large_is_an_error_with_both_sizes() {
    run(async {
        for (name, transports) in WAYS {
            let server = echo(Server::builder().max_payload(1000)).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            if name == "upgrade" {
                next_event(&client, |event| matches!(event, Event::Upgraded)).await;
            }
            for (fits, message) in [
                (true, Message::from("x".repeat(999))),
                (false, Message::from("x".repeat(1000))),
                (name != "polling", Message::from(vec![1; 1000])),
                (false, Message::from(vec![1; 1001])),
            ] {
                let length = message.len();
                match client.send(message.clone()).await {
                    Ok(()) => assert_eq!(next_message(&client).await, message),
                    Err(error) => {
                        assert!(matches!(error, SendError::TooLarge { max: 1000, .. }), "{name}");
                        assert!(error.to_string().ends_with("the peer accepts at most 1000"));
                        assert!(!fits, "{name}: {length}");
                        continue;
                    }
                }
                assert!(fits, "{name}: {length}");
            }
        }
    });
}

#[test]
fn bytes_that_only_a_websocket_can_carry_wait_for_it() {
    run(async {
        let server = echo(Server::builder().max_payload(1000)).await;
        let client = Client::connect(server.url()).await.unwrap();
        // It may still poll now; in base64, they would be too many.
        for message in [Message::from("before"), Message::from(vec![7; 1000]), "behind".into()] {
            client.send(message).await.unwrap();
        }
        assert_eq!(next_message(&client).await.as_text(), Some("before"));
        assert_eq!(next_message(&client).await, Message::from(vec![7; 1000]));
        assert_eq!(next_message(&client).await.as_text(), Some("behind"));
        assert_eq!(client.transport(), Some(Transport::WebSocket));
    });
}

/// A message that was accepted for one session may be too large for the next.
#[test]
fn what_the_next_session_does_not_take_is_told() {
    run(async {
        let sessions = Mutex::new(0);
        let mut server = script(move |asked| match (&*asked.method, asked.parameter("sid")) {
            (_, None) => {
                let mut sessions = sessions.lock().unwrap();
                *sessions += 1;
                let max = if *sessions == 1 { 1000 } else { 100 };
                Answer::ok(handshake_packet(&sessions.to_string(), &[], max))
            }
            (_, Some("1")) => Answer::Http(400, String::new(), String::new()),
            ("POST", _) => Answer::ok("ok"),
            _ => Answer::Silence,
        })
        .await;
        let backoff = Backoff::new().initial(Duration::from_millis(200)).jitter(0.0);
        let [(_, polling), ..] = WAYS;
        let builder = client(server.url(), polling).reconnect(backoff);
        let client = builder.connect().await.unwrap();
        next_event(&client, |event| matches!(event, Event::Reconnecting { .. })).await;
        client.send("before").await.unwrap();
        client.send("x".repeat(500)).await.unwrap();
        client.send("behind").await.unwrap();
        let event = next_event(&client, |event| matches!(event, Event::NotSent(_))).await;
        match event {
            Event::NotSent(SendError::TooLarge { message, length, max }) => {
                assert_eq!((message.len(), length, max), (500, 501, 100));
            }
            other => panic!("{other:?}"),
        }
        let mut delivered = vec![];
        while delivered.len() < 2 {
            let post = server.next_asked(|asked| asked.method == "POST").await;
            delivered.extend(post.body.split('\x1e').map(str::to_owned));
        }
        assert_eq!(delivered, ["4before", "4behind"]);
        client.close_now();
    });
}

#[test]
fn a_full_queue_is_an_error_or_a_wait() {
    run(async {
        // A server that does not take a POST until it is let.
        let [(_, polling), ..] = WAYS;
        let server = script(|asked| match asked.parameter("sid") {
            None => Answer::ok(handshake_packet("abc", &[], 1000)),
            Some(_) => Answer::Silence,
        })
        .await;
        let builder = client(server.url(), polling).send_limits(3, 10);
        let client = builder.connect().await.unwrap();
        client.send("under way").await.unwrap();
        while client.waiting() != (0, 0) {
            tokio::task::yield_now().await;
        }
        client.send("12345").await.unwrap();
        client.send("1234").await.unwrap();
        assert_eq!(client.waiting(), (2, 9));
        match client.try_send("12") {
            Err(SendError::Full { message, limits }) => {
                assert_eq!(message.as_text(), Some("12"));
                assert_eq!((limits.messages, limits.bytes), (3, 10));
            }
            other => panic!("{other:?}"),
        }
        client.send("1").await.unwrap();
        // A send that waits and is dropped has not sent.
        let waiting = tokio::time::timeout(Duration::from_millis(20), client.send("x")).await;
        assert!(waiting.is_err());
        assert_eq!(client.waiting(), (3, 10));
        // A send that waits while the client is closed says so.
        let sender = client.clone();
        let waiting = tokio::spawn(async move { sender.send("y").await });
        client.close_now();
        assert!(matches!(waiting.await.unwrap(), Err(SendError::Closed(_))));
    });
}
