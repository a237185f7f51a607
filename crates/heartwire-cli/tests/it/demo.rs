//! `heartwire demo`.

use crate::program::{run, text};

#[test]
fn shows_every_way_and_ends_well() {
    let output = run(&["demo"], "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for scene in [
        "async client, polling only",
        "async client, WebSocket only",
        "async client, polling, then WebSocket",
        "blocking client, with handlers",
        "10000 messages sent during an upgrade",
        "upgraded to websocket",
        "all 10000 came back, once and in order",
        "repod: async client",
        "{\"action\":\"connected\"}",
        "b'\\x01\\x02\\x03\\xff'",
        "before it is connected: 31 bytes wait",
        "repod: 10000 messages, and close() at once",
        "all 10000 have arrived",
        "All of it worked.",
    ] {
        assert!(shown.contains(scene), "no {scene:?} in:\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours where nobody sees them");
}

#[test]
fn speaks_json_to_machines() {
    let output = run(&["demo", "--json"], "");
    assert!(output.status.success());
    for line in text(&output.stdout).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["event"].is_string(), "{line}");
    }
}
