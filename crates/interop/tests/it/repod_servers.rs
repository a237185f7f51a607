//! Our server with repodnet's client, and repodnet with itself, which shows that the game is fair.

use std::sync::mpsc;

use heartwire::repod::DisconnectReason;
use interop::{Peer, Repodnet, repodnet};
use serde_json::{Value, json};

use crate::repod_game::{COUNT, GOODBYES, GameServer, actions, data};

#[test]
fn repodnet_plays_with_us() {
    let Some(repodnet) = repodnet() else { return };
    let (ended, ends) = mpsc::channel();
    let server = GameServer::start(move |channel, disconnected| {
        let trip = channel.round_trip();
        ended.send((disconnected.clone(), trip)).unwrap();
    });
    let seen = play(&repodnet, server.port);
    assert_eq!(seen["goodbye"], GOODBYES, "everything before the end has arrived");
    let (disconnected, trip) = ends.recv().unwrap();
    assert_eq!(disconnected.reason, DisconnectReason::Closed);
    assert_eq!(disconnected.detail.as_deref(), Some("it asked for it"));
    assert_eq!(disconnected.unsent, 0);
    assert!(trip.is_some() || !cfg!(target_os = "linux"), "the kernel has measured it");
    assert!(server.server.is_empty());
}

#[test]
fn repodnet_plays_with_itself() {
    let Some(repodnet) = repodnet() else { return };
    let mut server = Peer::start_repod(&repodnet, "repod_server.py", [""; 0]);
    let port = server.report()["port"].as_u64().unwrap().try_into().unwrap();
    play(&repodnet, port);
}

#[track_caller]
fn play(repodnet: &Repodnet, port: u16) -> Value {
    let args = [port.to_string(), COUNT.to_string()];
    let seen = Peer::start_repod(repodnet, "repod_client.py", args).report();
    assert_eq!(seen["wrong"], Value::Null, "{seen}");
    // Its client tells of the connection, and so does the server.
    assert_eq!(seen["connected"], 2, "{seen}");
    assert_eq!(seen["down"], COUNT, "{seen}");
    assert_eq!(seen["values"], data().len(), "{seen}");
    assert_eq!(seen["actions"], actions().len(), "{seen}");
    assert_eq!(seen["everybody"], json!({"action": "everybody", "text": "żółw"}));
    let report = json!({"action": "report", "count": COUNT, "first_wrong": null});
    assert_eq!(seen["report"], report);
    assert_eq!(seen["disconnected"], 1, "{seen}");
    seen
}
