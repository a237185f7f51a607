//! Our server with clients of others.

use std::sync::atomic::Ordering;

use heartwire::engineio::PerMessageDeflate;
use interop::Peer;
use serde_json::Value;

use crate::game::{COUNT, GameServer, WAYS};

#[test]
fn engine_io_client() {
    play("engineio_client.cjs", &[]);
}

#[test]
fn python_engineio_client() {
    play("engineio_client.py", &["sync"]);
}

#[test]
fn python_engineio_async_client() {
    play("engineio_client.py", &["async"]);
}

#[test]
fn engine_io_client_with_compression() {
    let server = GameServer::start(|builder| {
        builder.per_message_deflate(PerMessageDeflate::new().threshold(0))
    });
    check_extensions(&play_with(&server, "engineio_client.cjs", &[]));
}

#[test]
fn engine_io_client_with_compression_and_contexts() {
    let server = GameServer::start(|builder| {
        let options = PerMessageDeflate::new().threshold(0).context_takeover(true);
        builder.per_message_deflate(options)
    });
    check_extensions(&play_with(&server, "engineio_client.cjs", &[]));
}

/// The client compresses where it can.
#[track_caller]
fn check_extensions(seen: &[Value]) {
    for (seen, (way, _)) in seen.iter().zip(WAYS) {
        let expected = if way == "polling" { Value::Null } else { "permessage-deflate".into() };
        assert_eq!(seen["extensions"], expected, "{way}");
    }
}

#[track_caller]
fn play(script: &str, args: &[&str]) {
    play_with(&GameServer::start(|builder| builder), script, args);
}

/// Plays once each way, and returns what the client has seen.
#[track_caller]
fn play_with(server: &GameServer, script: &str, args: &[&str]) -> Vec<Value> {
    let play = |(way, _): (&str, _)| {
        let count = COUNT.to_string();
        let args = args.iter().copied().chain([&*server.url, way, &count]);
        let seen = Peer::start(script, args).report();
        assert_eq!(seen["wrong"], Value::Null, "{way}: {seen}");
        assert_eq!(seen["down"], COUNT, "{way}: {seen}");
        assert_eq!(seen["odd"], seen["odd_sent"], "{way}: {seen}");
        assert_eq!(seen["report"]["count"], COUNT, "{way}: {seen}");
        assert_eq!(seen["report"]["first_wrong"], Value::Null, "{way}: {seen}");
        let expected = if way == "upgrade" { "websocket" } else { way };
        assert_eq!(seen["transport"], expected, "{way}: {seen}");
        seen
    };
    let seen = WAYS.map(play).into();
    assert_eq!(server.unsent.load(Ordering::Relaxed), 0);
    seen
}
