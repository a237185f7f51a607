//! repod over TLS.

use heartwire::blocking::repod::Client;
use heartwire::repod::client::{ConnectErrorKind, Event};
use heartwire::repod::{self, DisconnectReason, Server};
use heartwire::tls::{ClientTls, ServerTls};
use tokio::runtime::Runtime;

use super::support::{TestServer, greeting, numbered, silent, to_json};
use crate::support::watched;

/// A server with TLS, and what its clients have to trust.
fn start() -> (Runtime, TestServer, u16, ClientTls) {
    let runtime = Runtime::new().unwrap();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.pem();
    let tls = ServerTls::from_pem(&certificate, key.signing_key.serialize_pem()).unwrap();
    let trust = ClientTls::builder().authorities(certificate).build().unwrap();
    let (server, port) = runtime.block_on(async {
        let server = silent(Server::builder()).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = server.server.clone();
        tokio::spawn(async move { serving.serve_tls(listener, &tls).await });
        (server, port)
    });
    (runtime, server, port, trust)
}

#[test]
fn messages_travel_over_tls() {
    watched(|| {
        let (runtime, mut server, port, trust) = start();
        let client = Client::with(Client::builder("localhost", port).tls(trust));
        client.start_background();
        let big = serde_json::json!({"action": "big", "text": "x".repeat(1 << 20)});
        client.send(&big).unwrap();
        numbered(100).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        let channel = runtime.block_on(server.channel());
        assert_eq!(runtime.block_on(server.message()), big);
        assert_eq!(runtime.block_on(server.messages(100)), numbered(100));
        assert_eq!(to_json(&client.recv().unwrap()), greeting());
        for message in numbered(100) {
            channel.try_send(&message).unwrap();
        }
        let received: Vec<_> =
            client.messages().take(100).map(|message| to_json(&message)).collect();
        assert_eq!(received, numbered(100));
        assert_eq!(channel.round_trip().is_some(), cfg!(target_os = "linux"));

        // What is sent last arrives here, too.
        numbered(20).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        client.close();
        assert_eq!(runtime.block_on(server.messages(20)), numbered(20));
        let ended = runtime.block_on(server.disconnected());
        assert_eq!((ended.reason, ended.detail), (DisconnectReason::PeerClosed, None));
    });
}

#[test]
fn who_is_not_trusted_is_not_connected_to() {
    watched(|| {
        let (runtime, server, port, _) = start();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let trust = ClientTls::builder().authorities(other.cert.pem()).build().unwrap();
        let builder = repod::Client::builder("localhost", port).tls(trust);
        let error = runtime.block_on(builder.connect()).unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Tls);
        let expected = format!("cannot connect to localhost:{port} over TLS: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(server.server.is_empty());
    });
}

#[test]
fn who_does_not_speak_tls_gets_nowhere() {
    watched(|| {
        let (_runtime, server, port, _) = start();
        let client = Client::new("localhost", port);
        client.start_background();
        numbered(20).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        let ended = loop {
            if let Some(Event::Disconnected(ended)) = client.next() {
                break ended;
            }
        };
        assert_ne!(ended.reason, DisconnectReason::Closed);
        assert!(server.server.is_empty());
    });
}
