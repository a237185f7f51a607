//! The example programs of repodnet, as they are, with our clients and servers.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use heartwire::Backoff;
use heartwire::blocking::repod::Client;
use heartwire::repod::{Actions, DisconnectReason, Message, Server, Value};
use interop::{Peer, Repodnet, repodnet};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

#[test]
fn chat_server() {
    let Some(repodnet) = repodnet() else { return };
    let (_server, port) = serve(&repodnet, "chat/server.py");
    let alice = connect(port);
    expect(&alice, json!({"action": "connected"}));
    expect(&alice, json!({"action": "system", "text": "Anonymous joined the chat"}));
    expect(&alice, json!({"action": "players", "list": ["Anonymous"]}));
    alice.send(&json!({"action": "nickname", "nickname": "żółw"})).unwrap();
    expect(&alice, json!({"action": "players", "list": ["żółw"]}));
    let bob = connect(port);
    expect(&bob, json!({"action": "connected"}));
    for client in [&alice, &bob] {
        expect(client, json!({"action": "system", "text": "Anonymous joined the chat"}));
        expect(client, json!({"action": "players", "list": ["żółw", "Anonymous"]}));
    }
    alice.send(&json!({"action": "message", "text": "hello"})).unwrap();
    for client in [&alice, &bob] {
        expect(client, json!({"action": "message", "text": "hello", "nickname": "żółw"}));
    }
    bob.close();
    expect(&alice, json!({"action": "system", "text": "Anonymous left the chat"}));
    expect(&alice, json!({"action": "players", "list": ["żółw"]}));
}

#[test]
fn chat_client() {
    let Some(repodnet) = repodnet() else { return };
    let everybody = Server::new();
    let to_all = everybody.clone();
    let actions = Actions::new()
        .on_connect(|channel| {
            channel.try_send(&json!({"action": "system", "text": "welcome"})).unwrap();
        })
        .on("nickname", |context, message| {
            let list = [message.get("nickname").unwrap()];
            assert_eq!(list[0].as_str(), Some("alice"));
            context.reply(&json!({"action": "players", "list": list})).unwrap();
        })
        .on("message", move |_, message| {
            let text = message.get("text").unwrap();
            let said = json!({"action": "message", "text": text, "nickname": "alice"});
            assert!(to_all.send_to_all(&said).unwrap().is_empty());
        });
    let (runtime, port) = listen(&everybody, actions);
    let mut client = Peer::start_example(&repodnet, "chat/client.py", address(port));
    // What is sent before the connection is open, its client loses.
    until(&mut client, "SYSTEM: welcome");
    client.type_line("alice");
    until(&mut client, "Players: alice");
    client.type_line("hello żółw 🐢");
    until(&mut client, "alice: hello żółw 🐢");
    runtime.block_on(everybody.close(Duration::from_secs(60)));
    until(&mut client, "Disconnected from server");
    assert!(client.end().0);
}

#[test]
fn lag_time_server() {
    let Some(repodnet) = repodnet() else { return };
    let (mut server, port) = serve(&repodnet, "lag_time/server.py");
    let client = connect(port);
    expect(&client, json!({"action": "connected"}));
    for count in 0..10 {
        let ping = recv(&client);
        assert_eq!(ping.parse::<Json>().unwrap(), json!({"action": "ping", "count": count}));
        client.send(&ping).unwrap();
    }
    for count in 0..10 {
        until(&mut server, &format!(": ping {count} RTT was "));
    }
    client.close();
    until(&mut server, " disconnected");
}

#[test]
fn lag_time_client() {
    let Some(repodnet) = repodnet() else { return };
    let (ended, ends) = mpsc::channel();
    let ping = |count: u64| json!({"action": "ping", "count": count});
    let actions = Actions::new()
        .on_connect(move |channel| {
            channel.try_send(&ping(0)).unwrap();
        })
        .on("ping", move |context, message| {
            let count = message.get("count").unwrap().as_u64().unwrap();
            context.reply(&ping(count + 1)).unwrap();
        })
        .on_disconnect(move |channel, disconnected| {
            ended.send((disconnected.clone(), channel.statistics())).unwrap();
        });
    let (_runtime, port) = listen(&Server::new(), actions);
    let mut client = Peer::start_example(&repodnet, "lag_time/client.py", address(port));
    for count in 0..10 {
        until(&mut client, &format!("Got ping #{count}"));
    }
    until(&mut client, "Disconnected from server");
    assert!(client.end().0);
    let (disconnected, statistics) = ends.recv().unwrap();
    assert_eq!(disconnected.reason, DisconnectReason::PeerClosed);
    assert_eq!((disconnected.unsent, statistics.messages_received), (0, 9));
}

#[test]
fn whiteboard_server() {
    let Some(repodnet) = repodnet() else { return };
    let (_server, port) = serve(&repodnet, "whiteboard/server.py");
    let alice = connect(port);
    expect(&alice, json!({"action": "connected"}));
    expect(&alice, json!({"action": "initial", "lines": {"1": {"lines": []}}}));
    expect(&alice, json!({"action": "players", "count": 1}));
    let line =
        json!({"action": "startline", "point": [1, 2], "color": [200, 40, 40], "thickness": 5});
    alice.send(&line).unwrap();
    let mut relayed = line;
    relayed["id"] = "1".into();
    expect(&alice, relayed);
    alice.send(&json!({"action": "drawpoint", "point": [3, 4]})).unwrap();
    expect(&alice, json!({"action": "drawpoint", "point": [3, 4], "id": "1"}));
    let bob = connect(port);
    expect(&bob, json!({"action": "connected"}));
    let line = json!({"points": [[1, 2], [3, 4]], "color": [200, 40, 40], "thickness": 5});
    let lines = json!({"1": {"lines": [line]}, "2": {"lines": []}});
    expect(&bob, json!({"action": "initial", "lines": lines}));
    for client in [&alice, &bob] {
        expect(client, json!({"action": "players", "count": 2}));
    }
}

#[test]
fn whiteboard_client() {
    let Some(repodnet) = repodnet() else { return };
    let (drawn, strokes) = mpsc::channel();
    let actions = Actions::new()
        .on_connect(|channel| {
            let line = json!({"points": [[1, 2], [30, 40]], "color": [1, 2, 3], "thickness": 5});
            let lines = json!({"7": {"lines": [line]}});
            channel.try_send(&json!({"action": "initial", "lines": lines})).unwrap();
            channel.try_send(&json!({"action": "players", "count": 3})).unwrap();
        })
        .on_other(move |_, message| drawn.send(message.parse::<Json>().unwrap()).unwrap());
    let server = Server::new();
    let (runtime, port) = listen(&server, actions);
    let mut client = screenless(&repodnet, "whiteboard/client.py", port);
    until(&mut client, "\"connected  |  3 players\"");
    // Its canvas begins 90 to the right and 50 down; its points are tuples, which travel as lists.
    let start =
        json!({"action": "startline", "point": [110, 150], "color": [0, 0, 0], "thickness": 2});
    assert_eq!(strokes.recv().unwrap(), start);
    for point in [[160, 210], [210, 170]] {
        assert_eq!(strokes.recv().unwrap(), json!({"action": "drawpoint", "point": point}));
    }
    runtime.block_on(server.close(Duration::from_secs(60)));
    until(&mut client, "\"over\"");
}

#[test]
fn tag_server() {
    let Some(repodnet) = repodnet() else { return };
    let (_server, port) = serve(&repodnet, "tag/server.py");
    let client = connect(port);
    expect(&client, json!({"action": "connected"}));
    let setup = recv(&client);
    assert_eq!(setup.action(), "setup");
    assert_eq!(setup.get("your_id"), Some(Value::Int(1)));
    assert_eq!(setup.get("obstacles").and_then(Value::as_array).unwrap().len(), 7);
    let start = position(&client);
    client.send(&json!({"action": "input", "dx": 1, "dy": 1})).unwrap();
    while position(&client) == start {}
}

/// Where the game of tag says that the only player is. Its maps have numbers as keys.
fn position(client: &Client) -> (f64, f64) {
    let state = recv(client);
    assert_eq!(state.action(), "state");
    assert_eq!(state.get("it"), Some(Value::Int(1)));
    let players = state.get("players").and_then(Value::as_map).unwrap();
    let [(id, player)] = players.iter().collect::<Vec<_>>()[..] else { panic!("{state:?}") };
    assert_eq!(id, Value::Int(1));
    let place = |key| player.as_map().unwrap().get(key).and_then(Value::as_f64).unwrap();
    (place("x"), place("y"))
}

#[test]
fn tag_client() {
    /// JSON has no numbers as keys.
    #[derive(serde::Serialize)]
    struct State {
        action: &'static str,
        it: u64,
        players: std::collections::BTreeMap<u64, Json>,
    }

    let Some(repodnet) = repodnet() else { return };
    let actions = Actions::new()
        .on_connect(|channel| {
            let setup = json!({
                "action": "setup",
                "your_id": 7,
                "obstacles": [{"x": 100, "y": 100, "w": 50, "h": 60}],
                "arena": {"w": 800, "h": 600},
                "radius": 14,
            });
            channel.try_send(&setup).unwrap();
        })
        .on("input", |context, message| {
            let run = (message.get("dx").unwrap().as_f64(), message.get("dy").unwrap().as_f64());
            if run == (Some(1.0), Some(0.0)) {
                let player = json!({"x": 10.5, "y": 20.0, "color": [60, 120, 220]});
                let players = [(7, player.clone()), (8, player)].into();
                context.reply(&State { action: "state", it: 8, players }).unwrap();
                let tagged = json!({"action": "tagged", "tagger": 7, "tagged": 8});
                context.reply(&tagged).unwrap();
            }
        });
    let server = Server::new();
    let (runtime, port) = listen(&server, actions);
    let mut client = screenless(&repodnet, "tag/client.py", port);
    let mut missing = vec![
        "\"Players: 2\"",
        "\"Status: joined as player 7\"",
        "\"Run!\"",
        "\"Player 7 tagged player 8!\"",
    ];
    while !missing.is_empty() {
        let line = client.line();
        missing.retain(|text| *text != line);
    }
    runtime.block_on(server.close(Duration::from_secs(60)));
    until(&mut client, "\"over\"");
}

/// Starts an example that serves. It is not listening yet, and does not say when it is.
fn serve(repodnet: &Repodnet, program: &str) -> (Peer, u16) {
    // It cannot say which port it has taken, either.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (Peer::start_example(repodnet, program, address(port)), port)
}

fn screenless(repodnet: &Repodnet, program: &str, port: u16) -> Peer {
    let path = repodnet.examples.join(program).to_str().unwrap().to_owned();
    let [host, port] = address(port);
    Peer::start_repod(repodnet, "repod_screenless.py", [path, host, port])
}

fn address(port: u16) -> [String; 2] {
    ["127.0.0.1".to_owned(), port.to_string()]
}

/// A client of a server that may still have to come.
fn connect(port: u16) -> Client {
    let client = Client::with(Client::builder("127.0.0.1", port).reconnect(Backoff::new()));
    client.start_background();
    client
}

fn recv(client: &Client) -> Message {
    client.recv_timeout(Duration::from_secs(60)).expect("a message comes")
}

#[track_caller]
fn expect(client: &Client, message: Json) {
    assert_eq!(recv(client).parse::<Json>().unwrap(), message);
}

/// Serves on a free port.
fn listen(server: &Server, actions: Actions) -> (Runtime, u16) {
    server.set_handler(actions);
    let runtime = Runtime::new().unwrap();
    let serving = server.clone();
    let port = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { serving.serve(listener).await });
        port
    });
    (runtime, port)
}

/// Reads what the program prints until a line with these words.
#[track_caller]
fn until(program: &mut Peer, words: &str) {
    while !program.line().contains(words) {}
}
