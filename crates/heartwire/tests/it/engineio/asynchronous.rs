//! The async client against the server.

use std::time::Duration;

use heartwire::engineio::client::{Client, ConnectErrorKind, Event};
use heartwire::engineio::{DisconnectReason, Message, SendError, Server, Transport};

use super::support::{
    WAYS, client, disconnected, echo, next_message, numbered, odd_messages, silent,
};
use crate::support::{run, watched};

#[test]
fn messages_come_back_as_they_were() {
    run(async {
        for (name, transports) in WAYS {
            let server = echo(Server::builder()).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            for message in odd_messages() {
                client.send(message.clone()).await.unwrap();
                assert_eq!(next_message(&client).await, message, "{name}");
            }
        }
    });
}

#[test]
fn bursts_in_both_directions_keep_their_order() {
    run(async {
        for (name, transports) in WAYS {
            let mut server = silent(Server::builder().send_limits(5000, 1 << 20)).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            let connection = server.connection().await;
            let (up, down) = (numbered("up", 3000), numbered("down", 3000));
            for (to_server, to_client) in up.iter().zip(&down) {
                client.try_send(to_server.clone()).unwrap();
                connection.try_send(to_client.clone()).unwrap();
            }
            assert_eq!(server.messages(3000).await, up, "{name}");
            for message in down {
                assert_eq!(next_message(&client).await, message, "{name}");
            }
        }
    });
}

#[test]
fn a_runtime_that_stops_ends_its_clients() {
    watched(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut server = runtime.block_on(silent(Server::builder()));
        let mine = tokio::runtime::Runtime::new().unwrap();
        let open = client(server.url(), &[Transport::WebSocket]);
        let open = mine.block_on(open.connect()).unwrap();
        let silence = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silence.local_addr().unwrap());
        let connecting = mine.block_on(async { Client::builder(url).start() }).unwrap();
        connecting.try_send("waits").unwrap();
        drop(mine);
        runtime.block_on(async {
            let end = disconnected(&open).await;
            assert_eq!(end.to_string(), "transport error: the runtime stopped");
            assert!(open.next().await.is_none());
            assert!(matches!(open.try_send("late"), Err(SendError::Closed(_))));
            assert!(matches!(connecting.next().await, Some(Event::GaveUp { unsent: 1 })));
            assert!(connecting.next().await.is_none());
            server.disconnected().await;
        });
    });
}

#[test]
fn what_waited_is_sent_when_the_server_takes_more() {
    run(async {
        // Nothing else wakes the client before the watchdog does.
        let heartbeat = Duration::from_secs(600);
        let mut server = silent(Server::builder().ping_interval(heartbeat)).await;
        let builder = client(server.url(), &[Transport::WebSocket]).send_limits(100, 1 << 24);
        let client = builder.connect().await.unwrap();
        let connection = server.connection().await;
        connection.pause_reading();
        let (mut sent, mut refused) = (0, 0);
        // Until neither the network nor the queue takes any more.
        while refused < 20 {
            match client.try_send(vec![7; 32 * 1024]) {
                Ok(()) => (sent, refused) = (sent + 1, 0),
                Err(SendError::Full { .. }) => {
                    refused += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        connection.resume_reading();
        assert_eq!(server.messages(sent).await.len(), sent);
    });
}

#[test]
fn an_upgrade_is_told() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let client = Client::connect(server.url()).await.unwrap();
        let connection = server.connection().await;
        assert_eq!(connection.id(), &client.sid().unwrap());
        loop {
            match client.next().await.unwrap() {
                Event::Connected(connected) => assert_eq!(connected.transport, Transport::Polling),
                Event::Upgraded => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(client.transport(), Some(Transport::WebSocket));
        client.send("over the WebSocket").await.unwrap();
        server.message().await;
        assert_eq!(connection.transport(), Transport::WebSocket);
    });
}

#[test]
fn what_was_sent_before_a_disconnect_arrives() {
    run(async {
        for (name, transports) in WAYS {
            let mut server = silent(Server::builder()).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            let sent = numbered("last words", 1000);
            for message in &sent {
                client.try_send(message.clone()).unwrap();
            }
            client.disconnect().await;
            assert_eq!(server.messages(1000).await, sent, "{name}");
            let there = server.disconnected().await;
            assert_eq!(there.reason, DisconnectReason::ClientDisconnect, "{name}");
            let here = disconnected(&client).await;
            assert_eq!(
                (here.reason, here.unsent),
                (DisconnectReason::ClientDisconnect, 0),
                "{name}"
            );
            assert!(client.next().await.is_none());
            assert!(matches!(client.send("late").await, Err(SendError::Closed(_))));
        }
    });
}

#[test]
fn what_was_sent_before_a_close_arrives() {
    run(async {
        for (name, transports) in WAYS {
            let mut server = silent(Server::builder()).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            let connection = server.connection().await;
            let sent = numbered("last words", 1000);
            for message in &sent {
                connection.try_send(message.clone()).unwrap();
            }
            connection.close();
            for message in sent {
                assert_eq!(next_message(&client).await, message, "{name}");
            }
            let here = disconnected(&client).await;
            assert_eq!(here.reason, DisconnectReason::ServerDisconnect, "{name}");
            let there = connection.closed().await;
            assert_eq!(there.reason, DisconnectReason::ServerDisconnect, "{name}");
            assert_eq!(there.unsent, 0, "{name}");
        }
    });
}

#[test]
fn dropping_the_client_disconnects() {
    run(async {
        for (name, transports) in WAYS {
            let mut server = silent(Server::builder()).await;
            let client = client(server.url(), transports).connect().await.unwrap();
            client.send("last words").await.unwrap();
            drop(client);
            assert_eq!(server.message().await, Message::from("last words"), "{name}");
            let there = server.disconnected().await;
            assert_eq!(there.reason, DisconnectReason::ClientDisconnect, "{name}");
        }
    });
}

#[test]
fn futures_serve_connections() {
    run(async {
        let server = Server::new();
        server.on_connection(|connection| async move {
            connection.send("welcome").await?;
            while let Some(message) = connection.recv().await {
                if message.as_text() == Some("bye") {
                    return Ok(()); // which closes the connection
                }
                connection.send(message).await?;
            }
            Ok::<_, SendError>(())
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        for (name, transports) in WAYS {
            let client = client(&url, transports).connect().await.unwrap();
            assert_eq!(next_message(&client).await, Message::from("welcome"), "{name}");
            for message in odd_messages() {
                client.send(message.clone()).await.unwrap();
                assert_eq!(next_message(&client).await, message, "{name}");
            }
            client.send("bye").await.unwrap();
            let here = disconnected(&client).await;
            assert_eq!(here.reason, DisconnectReason::ServerDisconnect, "{name}");
        }
    });
}

#[test]
fn a_broadcast_reaches_everybody() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut clients = vec![];
        for (_, transports) in WAYS {
            clients.push(client(server.url(), transports).connect().await.unwrap());
            server.connection().await;
        }
        assert!(server.server.broadcast("to all").is_empty());
        let first = clients[0].sid().unwrap();
        let full = server.server.broadcast_where(&b"to some"[..], |other| *other.id() != first);
        assert!(full.is_empty());
        for (index, client) in clients.iter().enumerate() {
            assert_eq!(next_message(client).await, Message::from("to all"));
            if index > 0 {
                assert_eq!(next_message(client).await, Message::from(&b"to some"[..]));
            }
        }
    });
}

#[test]
fn a_server_that_closes_takes_nothing_back() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut clients = vec![];
        for (_, transports) in WAYS {
            clients.push(client(server.url(), transports).connect().await.unwrap());
            server.connection().await;
        }
        server.server.broadcast("goodbye");
        server.server.close(std::time::Duration::from_secs(10)).await;
        assert!(server.server.is_empty());
        for client in clients {
            assert_eq!(next_message(&client).await, Message::from("goodbye"));
            let here = disconnected(&client).await;
            assert_eq!(here.reason, DisconnectReason::ServerDisconnect);
        }
        let error = Client::connect(server.url()).await.unwrap_err();
        // The listener may go a moment later.
        let gone = [ConnectErrorKind::Unreachable, ConnectErrorKind::Broken];
        assert!(gone.contains(error.kind()), "{error}");
    });
}

#[test]
fn what_cannot_be_reached_is_told() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Client::connect(&nobody).await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::Unreachable, "{error}");
        assert!(error.to_string().contains("refused"), "{error}");

        let error = Client::connect("ftp://localhost").await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::InvalidUrl, "{error}");

        let server = echo(Server::builder()).await;
        let error = Client::builder(server.url()).path("elsewhere").connect().await.unwrap_err();
        assert!(matches!(error.kind(), ConnectErrorKind::Refused { status: 404, .. }), "{error}");

        let builder = Client::builder(server.url()).header("bad header", "x");
        let error = builder.connect().await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::InvalidOption, "{error}");
    });
}
