//! Transports that are refused, break, or have worked before.

use heartwire::Backoff;
use heartwire::engineio::client::{Client, ConnectErrorKind, Event};
use heartwire::engineio::{Server, Transport};

use super::super::proxy::relay;
use super::super::scripted::{Answer, handshake_packet, script};
use super::super::support::{echo, next_event, next_message};
use crate::support::run;

const BOTH_ORDERS: [[Transport; 2]; 2] =
    [[Transport::Polling, Transport::WebSocket], [Transport::WebSocket, Transport::Polling]];

#[test]
fn the_next_transport_is_tried() {
    run(async {
        for [first, second] in BOTH_ORDERS {
            let server = echo(Server::builder().transports([second])).await;
            let builder = || Client::builder(server.url()).transports([first, second]);
            let client = builder().connect().await.unwrap();
            assert_eq!(client.transport(), Some(second));
            client.send("hello").await.unwrap();
            assert_eq!(next_message(&client).await.as_text(), Some("hello"));

            let error = builder().fallback(false).connect().await.unwrap_err();
            assert!(
                matches!(error.kind(), ConnectErrorKind::Refused { status: 400, .. }),
                "{error}"
            );
            let error = builder().transports([first]).connect().await.unwrap_err();
            assert!(
                matches!(error.kind(), ConnectErrorKind::Refused { status: 400, .. }),
                "{error}"
            );
        }
    });
}

#[test]
fn where_no_transport_works_both_say_why() {
    run(async {
        let server = script(|asked| match asked.wants_websocket() {
            true => Answer::Http(501, String::new(), String::new()),
            false => Answer::ok("hello"),
        })
        .await;
        let error = Client::connect(server.url()).await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::Protocol);
        let expected = format!(
            "cannot connect to {}/engine.io/: got \"hello\", expected an Engine.IO v4 handshake; \
             over websocket: the server answered 501 Not Implemented",
            server.url()
        );
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn a_websocket_that_is_refused_leaves_polling_alone() {
    run(async {
        let server = script(|asked| match (&*asked.method, asked.parameter("sid")) {
            _ if asked.wants_websocket() => Answer::Http(403, String::new(), "no".to_owned()),
            (_, None) => Answer::ok(handshake_packet("abc", &["websocket"], 1000)),
            ("POST", _) => Answer::ok("ok"),
            _ => Answer::Silence,
        })
        .await;
        let client = Client::connect(server.url()).await.unwrap();
        let failed =
            next_event(&client, |event| matches!(event, Event::UpgradeFailed { .. })).await;
        match failed {
            Event::UpgradeFailed { detail } => {
                assert_eq!(detail.unwrap(), "the server answered 403 Forbidden: no");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(client.transport(), Some(Transport::Polling));
        client.close_now();
    });
}

#[test]
fn an_upgrade_that_is_not_wanted_is_not_tried() {
    run(async {
        let mut server = script(|asked| match (&*asked.method, asked.parameter("sid")) {
            (_, None) => Answer::ok(handshake_packet("abc", &["websocket"], 1000)),
            ("POST", _) => Answer::ok("ok"),
            _ => Answer::Silence,
        })
        .await;
        let client = Client::builder(server.url()).upgrade(false).connect().await.unwrap();
        client.send("hello").await.unwrap();
        server.next_asked(|asked| asked.method == "POST").await;
        assert!(server.all_asked().iter().all(|asked| !asked.wants_websocket()));
        client.close_now();
    });
}

/// Somebody on the way lets WebSockets be opened and then cuts them.
#[test]
fn after_two_websockets_that_break_at_once_the_client_polls() {
    run(async {
        let server = echo(Server::builder()).await;
        // An upgrade packet, or a message, in a masked frame: two bytes, the mask, then its type.
        let masked = |bytes: &[u8]| {
            bytes.len() >= 7 && bytes[0] == 0x81 && matches!(bytes[6] ^ bytes[2], b'5' | b'4')
        };
        let (addr, _) = relay(server.addr, masked).await;
        for transports in BOTH_ORDERS {
            let backoff = Backoff::new().initial(std::time::Duration::from_millis(1));
            let builder = Client::builder(format!("http://{addr}")).transports(transports);
            let client = builder.reconnect(backoff).connect().await.unwrap();
            for round in 0..2 {
                if transports[0] == Transport::WebSocket {
                    client.send("lost").await.unwrap();
                }
                match next_event(&client, |event| matches!(event, Event::Disconnected(_))).await {
                    Event::Disconnected(end) => {
                        assert_eq!(end.transport, Transport::WebSocket, "{round}: {end}");
                    }
                    other => panic!("{other:?}"),
                }
                next_event(&client, |event| matches!(event, Event::Connected(_))).await;
            }
            client.send("found").await.unwrap();
            assert_eq!(next_message(&client).await.as_text(), Some("found"), "{transports:?}");
            assert_eq!(client.transport(), Some(Transport::Polling), "{transports:?}");
        }
    });
}

#[test]
fn a_websocket_that_has_worked_is_remembered() {
    run(async {
        let server = echo(Server::builder()).await;
        let (addr, _) = relay(server.addr, |_| false).await;
        let first = |builder: heartwire::engineio::ClientBuilder| async move {
            let client = builder.connect().await.unwrap();
            let Some(Event::Connected(connected)) = client.next().await else { panic!() };
            (connected.transport, client)
        };
        let builder = || Client::builder(format!("http://{addr}")).remember_upgrade(true);
        let (transport, client) = first(builder()).await;
        assert_eq!(transport, Transport::Polling);
        next_event(&client, |event| matches!(event, Event::Upgraded)).await;
        assert_eq!(first(builder()).await.0, Transport::WebSocket);
        // Only who wants it begins with it, and only if it is one of its transports.
        assert_eq!(first(builder().remember_upgrade(false)).await.0, Transport::Polling);
        assert_eq!(first(builder().transports([Transport::Polling])).await.0, Transport::Polling);
        // Another server is another server.
        let other = builder().url(server.url());
        assert_eq!(first(other).await.0, Transport::Polling);
    });
}
