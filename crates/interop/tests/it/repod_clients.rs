//! Our clients with repodnet's server.

use std::thread;
use std::time::Duration;

use heartwire::blocking;
use heartwire::repod::Value;
use heartwire::repod::client::{Client, Event};
use interop::{Peer, Repodnet, repodnet};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::repod_game::{
    AsyncSeat, COUNT, Datum, GOODBYES, GameServer, Seat, assert_same, message, play,
};

#[test]
fn plays_asynchronously() {
    let Some((_server, port)) = serve() else { return };
    assert_eq!(play(&mut AsyncSeat::take(port)), 0);
}

#[test]
fn plays_blocking() {
    let Some((_server, port)) = serve() else { return };
    assert_eq!(play(&mut start(port)), 0);
}

/// The fourth of the pairs: the same game without the original.
#[test]
fn our_clients_play_with_our_server() {
    let server = GameServer::start(|_, _| {});
    assert_eq!(play(&mut AsyncSeat::take(server.port)), GOODBYES);
    assert_eq!(play(&mut start(server.port)), GOODBYES);
}

#[test]
fn everybody_is_sent_the_same() {
    let Some((_server, port)) = serve() else { return };
    let mut clients: Vec<_> = (0..3).map(|_| start(port)).collect();
    for client in &mut clients {
        assert_same(&message("connected", []), &Seat::recv(client));
    }
    let text = message("everybody", [("text", "żółw 🐢".into())]);
    Seat::send(&mut clients[0], &text);
    for client in &mut clients {
        assert_same(&text, &Seat::recv(client));
    }
}

/// The example of the documentation, as it is.
#[test]
fn what_is_sent_before_the_connection_is_open_arrives_each_time() {
    let Some((_server, port)) = serve() else { return };
    for _ in 0..10 {
        let examples: Vec<_> = (0..20)
            .map(|_| {
                thread::spawn(move || {
                    let client = blocking::repod::Client::new("localhost", port);
                    client.start_background();
                    let login = json!({"action": "login", "username": "alice"});
                    let chat = json!({"action": "chat", "text": "Hello world!"});
                    // Captured from repodnet: what its `send` returns where it does send.
                    assert_eq!(client.send(&login), Ok(33));
                    assert_eq!(client.send(&chat), Ok(35));
                    thread::sleep(Duration::from_secs(1));
                    client.close();
                })
            })
            .collect();
        examples.into_iter().for_each(|example| example.join().unwrap());
    }
    both_messages_arrived(port, 200);
}

/// As the example does, without the second that it waits.
#[test]
fn close_delivers_what_was_sent_before_the_connection_is_open() {
    let Some((_server, port)) = serve() else { return };
    for _ in 0..200 {
        let client = blocking::repod::Client::new("localhost", port);
        client.start_background();
        client.send(&json!({"action": "login", "username": "alice"})).unwrap();
        client.send(&json!({"action": "chat", "text": "Hello world!"})).unwrap();
        client.close();
    }
    both_messages_arrived(port, 200);
}

#[test]
fn close_delivers_everything() {
    let Some((_server, port)) = serve() else { return };
    let blocking = start(port);
    for n in 0..COUNT {
        blocking.send(&message("up", [("n", n.into())])).unwrap();
    }
    blocking.close();
    assert_eq!(blocking.disconnected().unwrap().unsent, 0);
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect("127.0.0.1", port).await.unwrap();
        for n in 0..COUNT {
            client.send(&message("up", [("n", n.into())])).await.unwrap();
        }
        client.disconnect().await;
        let mut last = None;
        while let Some(event) = client.next().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Event::Disconnected(end)) if end.unsent == 0));
    });
    let expected = Datum::Map(vec![
        ("count".into(), COUNT.into()),
        ("wrong".into(), Datum::Nil),
        ("others".into(), Datum::Array(vec![])),
    ]);
    check_left(port, &expected, 2);
}

fn both_messages_arrived(port: u16, clients: usize) {
    let expected = Datum::Map(vec![
        ("count".into(), 0.into()),
        ("wrong".into(), Datum::Nil),
        (
            "others".into(),
            Datum::Array(vec![
                message("login", [("username", "alice".into())]),
                message("chat", [("text", "Hello world!".into())]),
            ]),
        ),
    ]);
    check_left(port, &expected, clients);
}

/// Asks the server what it has had from clients that have left, until all have.
#[track_caller]
fn check_left(port: u16, expected: &Datum, clients: usize) {
    let mut seat = start(port);
    Seat::recv(&mut seat);
    let mut count = 0;
    while count < clients {
        Seat::send(&mut seat, &message("left", []));
        let left = Seat::recv(&mut seat);
        for client in left.get("list").and_then(Value::as_array).unwrap().iter() {
            assert!(*expected == client, "{client:?}");
            count += 1;
        }
    }
    assert_eq!(count, clients);
}

fn serve() -> Option<(Peer, u16)> {
    let repodnet: Repodnet = repodnet()?;
    let mut server = Peer::start_repod(&repodnet, "repod_server.py", [""; 0]);
    let port = server.report()["port"].as_u64().unwrap().try_into().unwrap();
    Some((server, port))
}

fn start(port: u16) -> blocking::repod::Client {
    let client = blocking::repod::Client::new("localhost", port);
    client.start_background();
    client
}
