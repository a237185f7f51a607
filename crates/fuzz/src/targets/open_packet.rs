//! The open packet: what is read of it is what JSON says, whatever a server sends.

use std::time::Duration;

use heartwire_proto::engineio::{Handshake, MAX_PERIOD, SessionId, Transport};
use serde_json::Value;

use crate::memory;

pub(super) fn target(data: &[u8]) {
    let Ok(json) = str::from_utf8(data) else { return };
    let (decoded, taken) = memory::count(|| Handshake::decode(json));
    assert!(taken.peak <= 32 * json.len() + 4096, "{taken:?} for {} bytes", json.len());
    let value = serde_json::from_str::<Value>(json).ok();
    let handshake = match decoded {
        Ok(handshake) => handshake,
        Err(_) => {
            // Of a key that stands there twice, a value has the last, and a handshake neither.
            let once =
                KEYS.iter().all(|key| json.matches(key).count() <= 1 && !json.contains('\\'));
            assert!(!once || value.is_none_or(|value| !is_handshake(&value)), "{json}");
            return;
        }
    };
    assert!(handshake.ping_interval <= MAX_PERIOD && handshake.ping_timeout <= MAX_PERIOD);
    if let Some(value) = value {
        assert_eq!(handshake.sid.as_str(), value["sid"]);
        let period =
            |key: &str| Duration::from_millis(value[key].as_u64().unwrap()).min(MAX_PERIOD);
        assert_eq!(handshake.ping_interval, period("pingInterval"));
        assert_eq!(handshake.ping_timeout, period("pingTimeout"));
        assert_eq!(handshake.max_payload.map(|max| max as u64), value["maxPayload"].as_u64());
        let known = |name: &&Value| Transport::ALL.iter().any(|known| known.name() == **name);
        let upgrades = value["upgrades"].as_array().into_iter().flatten().filter(known);
        assert!(upgrades.eq(handshake.upgrades.iter().map(|transport| transport.name())));
    }
    let again = Handshake::decode(&handshake.encode()).unwrap();
    assert_eq!(again, handshake);
}

const KEYS: [&str; 5] = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"];

/// Whether JSON has the shape of a handshake (Engine.IO protocol v4, § Handshake).
fn is_handshake(value: &Value) -> bool {
    let is_id = value["sid"].as_str().is_some_and(|sid| SessionId::new(sid).is_ok());
    let is_list = match value.get("upgrades") {
        None => true,
        Some(Value::Array(names)) => names.iter().all(Value::is_string),
        Some(_) => false,
    };
    let has_periods = value["pingInterval"].is_u64() && value["pingTimeout"].is_u64();
    let is_limit = value["maxPayload"].is_null() || value["maxPayload"].is_u64();
    value.is_object() && is_id && is_list && has_periods && is_limit
}
