//! Heartbeats of open sessions. Source: Engine.IO protocol v4, § Heartbeat.

use std::time::Duration;

use heartwire_proto::engineio::{DisconnectReason, Transport};

use crate::pair::{LATENCY, Pair};

const INTERVAL: Duration = Duration::from_secs(25);
const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn idle_sessions_stay_open_for_a_day() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        pair.run_for(Duration::from_secs(24 * 60 * 60));
        assert_eq!(pair.seen.server_closed, None, "{transport}");
        assert_eq!(pair.seen.client_closed, None, "{transport}");
        let pings = match transport {
            Transport::Polling => pair.seen.polls.iter().filter(|body| *body == "2").count(),
            Transport::WebSocket => pair.seen.frames.iter().filter(|frame| *frame == "2").count(),
        };
        // One ping an interval, each late by the round trip of the one before.
        let expected = 24 * 60 * 60 / 25;
        assert!((expected - 4..=expected).contains(&pings), "{pings} pings, {transport}");
    }
}

#[test]
fn a_silent_network_is_noticed_by_both_sides() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        let silent_from = pair.now;
        pair.go_silent();
        pair.run_for(Duration::from_secs(120));
        for (side, closed) in
            [("server", pair.seen.server_closed), ("client", pair.seen.client_closed)]
        {
            let (at, reason) = closed.unwrap_or_else(|| panic!("the {side} never notices"));
            assert_eq!(reason, DisconnectReason::PingTimeout, "{side}, {transport}");
            let after = at - silent_from;
            assert!(after <= INTERVAL + TIMEOUT, "{side} after {after:?}, {transport}");
            assert!(after > INTERVAL + TIMEOUT - 5 * LATENCY, "{side} after {after:?}");
        }
    }
}

#[test]
fn a_ping_delivered_before_an_upgrade_keeps_its_deadline() {
    // A server that forgets the deadline with the polling transport keeps a dead session for ever.
    let mut pair = Pair::new(Default::default());
    pair.deafen_sockets(); // the upgrade does not finish by itself
    pair.run_for(5 * LATENCY);
    let server = pair.server.as_mut().unwrap();
    server.handle_time(pair.now + INTERVAL, true);
    let deadline = server.next_deadline().unwrap();
    pair.go_silent();
    pair.run_for(deadline - pair.now);
    let (_, reason) = pair.seen.server_closed.expect("the deadline is kept");
    assert_eq!(reason, DisconnectReason::PingTimeout);
}

#[test]
fn a_session_that_nobody_polls_ends() {
    let mut pair = Pair::new(Default::default());
    pair.run_for(LATENCY);
    pair.go_silent(); // the handshake's answer is lost
    pair.run_for(INTERVAL + TIMEOUT);
    let (_, reason) = pair.seen.server_closed.expect("the session ends");
    assert_eq!(reason, DisconnectReason::PingTimeout);
}

#[test]
fn who_does_not_listen_does_not_accuse() {
    let mut pair = Pair::open(Transport::WebSocket);
    pair.go_silent();
    let (end, step) = (pair.now + Duration::from_secs(300), Duration::from_secs(1));
    let mut now = pair.now;
    while now < end {
        now += step;
        pair.server.as_mut().unwrap().handle_time(now, false);
        pair.client.handle_time(now, false);
    }
    assert!(!pair.server.as_ref().unwrap().is_closed());
    assert!(!pair.client.is_closed());
}
