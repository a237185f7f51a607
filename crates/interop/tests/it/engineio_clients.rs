//! Our clients with servers of others.

use std::sync::{Mutex, mpsc};

use heartwire::blocking;
use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{ClientBuilder, DisconnectReason, PerMessageDeflate, Transport};
use interop::Peer;

use crate::game::{Player, Step, WAYS};

#[test]
fn engine_io() {
    play(Peer::start("engineio_server.cjs", [""; 0]));
}

#[test]
fn python_engineio_threading() {
    play(Peer::start("engineio_server.py", ["threading"]));
}

#[test]
fn python_engineio_asgi() {
    play(Peer::start("engineio_server.py", ["asgi"]));
}

#[test]
fn engine_io_with_compression() {
    let mut server = Peer::start("engineio_server.cjs", ["deflate"]);
    let url = format!("http://127.0.0.1:{}", server.report()["port"]);
    let configures: [Configure; 2] = [
        |builder| builder.per_message_deflate(PerMessageDeflate::new().threshold(0)),
        |builder| {
            let options = PerMessageDeflate::new().threshold(0).context_takeover(true);
            builder.per_message_deflate(options)
        },
    ];
    for configure in configures {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let builder = Client::builder(&url).transports([Transport::WebSocket]);
            let client = configure(builder).connect().await.unwrap();
            client.send("extensions").await.unwrap();
            let answer = loop {
                if let Event::Message(answer) = client.next().await.unwrap() {
                    break answer;
                }
            };
            assert_eq!(answer.as_text(), Some("permessage-deflate"));
        });
        play_at(&url, configure);
    }
}

#[test]
fn python_engineio_asgi_with_compression() {
    // The server under it compresses unless it is told not to.
    let mut server = Peer::start("engineio_server.py", ["asgi"]);
    let url = format!("http://127.0.0.1:{}", server.report()["port"]);
    play_at(&url, |builder| builder.per_message_deflate(PerMessageDeflate::new().threshold(0)));
}

type Configure = fn(ClientBuilder) -> ClientBuilder;

#[track_caller]
fn play(mut server: Peer) {
    play_at(&format!("http://127.0.0.1:{}", server.report()["port"]), |builder| builder);
}

#[track_caller]
fn play_at(url: &str, configure: Configure) {
    for (way, transports) in WAYS {
        println!("async, {way}");
        tokio::runtime::Runtime::new().unwrap().block_on(play_async(url, transports, configure));
        println!("blocking, {way}");
        play_blocking(url, transports, configure);
    }
}

#[test]
fn engine_io_that_closes() {
    be_closed(Peer::start("engineio_server.cjs", [""; 0]));
}

#[test]
fn python_engineio_asgi_that_closes() {
    be_closed(Peer::start("engineio_server.py", ["asgi"]));
}

/// The server ends the session, and we are told so.
#[track_caller]
fn be_closed(mut server: Peer) {
    let url = format!("http://127.0.0.1:{}", server.report()["port"]);
    for (way, transports) in WAYS {
        let client = blocking::engineio::Client::new();
        let (ended, end) = mpsc::channel();
        client.on_disconnect(move |_, disconnected| ended.send(disconnected.clone()).unwrap());
        let builder = heartwire::engineio::Client::builder(&url);
        client.connect_with(builder.transports(transports.iter().copied())).unwrap();
        client.send("close").unwrap();
        client.wait();
        let disconnected = end.recv().unwrap();
        println!("{way}: {disconnected}");
        assert_eq!(disconnected.unsent, 0, "{way}");
        // The Node server tells over polling alone that it closes.
        let told = [DisconnectReason::ServerDisconnect, DisconnectReason::TransportClose];
        assert!(told.contains(&disconnected.reason), "{way}: {disconnected}");
    }
}

async fn play_async(url: &str, transports: &[Transport], configure: Configure) {
    let builder = Client::builder(url).transports(transports.iter().copied());
    let client = configure(builder).connect().await.unwrap();
    for message in Player::opening() {
        client.send(message).await.unwrap();
    }
    let mut player = Player::new();
    loop {
        match client.next().await.unwrap() {
            Event::Message(message) => match player.take(&message) {
                Step::Wait => {}
                Step::Send(message) => client.send(message).await.unwrap(),
                Step::End => break,
            },
            Event::Disconnected(disconnected) => panic!("{disconnected}"),
            _ => {}
        }
    }
    assert_eq!(client.transport(), transports.last().copied());
    client.disconnect().await;
    loop {
        if let Event::Disconnected(disconnected) = client.next().await.unwrap() {
            assert_eq!(disconnected.reason, DisconnectReason::ClientDisconnect);
            assert_eq!(disconnected.unsent, 0);
            break;
        }
    }
}

fn play_blocking(url: &str, transports: &[Transport], configure: Configure) {
    let client = blocking::engineio::Client::new();
    let (ended, end) = mpsc::channel();
    client.on_connect(|client| {
        for message in Player::opening() {
            client.send(message).unwrap();
        }
    });
    let player = Mutex::new(Player::new());
    client.on_message(move |client, message| match player.lock().unwrap().take(&message) {
        Step::Wait => {}
        Step::Send(message) => client.send(message).unwrap(),
        Step::End => client.disconnect(),
    });
    client.on_disconnect(move |_, disconnected| ended.send(disconnected.clone()).unwrap());
    let builder = configure(heartwire::engineio::Client::builder(url));
    client.connect_with(builder.transports(transports.iter().copied())).unwrap();
    client.wait();
    let disconnected = end.recv().unwrap();
    assert_eq!(disconnected.unsent, 0);
    assert_eq!(Some(&disconnected.transport), transports.last());
}
