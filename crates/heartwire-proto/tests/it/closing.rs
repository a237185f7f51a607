//! The end of a session that a user asks for.

use std::time::Duration;

use heartwire_proto::engineio::{DisconnectReason, Transport, client};
use heartwire_proto::shared::Ending;

use crate::pair::{LATENCY, Pair, numbered};

#[test]
fn a_client_that_leaves_takes_its_messages_along() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        let sent = numbered("last words", 100);
        sent.iter().for_each(|message| pair.send_from_client(message.clone()));
        pair.close_client(Ending::Flush);
        pair.run_for(Duration::from_secs(4));
        assert_eq!(pair.seen.at_server, sent, "{transport}");
        let reason = DisconnectReason::ClientDisconnect;
        assert_eq!(pair.seen.server_closed.map(|closed| closed.1), Some(reason), "{transport}");
        assert_eq!(pair.seen.client_closed.map(|closed| closed.1), Some(reason), "{transport}");
    }
}

#[test]
fn a_server_that_closes_delivers_what_waits() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        let sent = numbered("last words", 100);
        sent.iter().for_each(|message| pair.send_from_server(message.clone()));
        pair.close_server(Ending::Flush);
        pair.run_for(Duration::from_secs(4));
        assert_eq!(pair.seen.at_client, sent, "{transport}");
        let reason = DisconnectReason::ServerDisconnect;
        assert_eq!(pair.seen.server_closed.map(|closed| closed.1), Some(reason), "{transport}");
        assert_eq!(pair.seen.client_closed.map(|closed| closed.1), Some(reason), "{transport}");
    }
}

#[test]
fn discarding_sends_nothing_more() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        pair.send_from_client("unsent");
        pair.close_client(Ending::Discard);
        pair.run_for(Duration::from_secs(1));
        assert!(pair.seen.at_server.is_empty(), "{transport}");
        assert_eq!(pair.client_queue.drain().len(), 1, "the caller can count it, {transport}");
        assert!(pair.seen.server_closed.is_some(), "{transport}");
    }
}

#[test]
fn every_moment_of_an_upgrade_can_be_the_last() {
    for millis in 0..80 {
        for leaver in ["client", "server"] {
            let mut pair = Pair::new(client::Config::default());
            pair.run_for(2 * LATENCY + Duration::from_millis(millis));
            let sent = numbered("last words", 20);
            if leaver == "client" {
                sent.iter().for_each(|message| pair.send_from_client(message.clone()));
                pair.close_client(Ending::Flush);
            } else {
                sent.iter().for_each(|message| pair.send_from_server(message.clone()));
                pair.close_server(Ending::Flush);
            }
            pair.run_for(Duration::from_secs(4));
            let arrived =
                if leaver == "client" { &pair.seen.at_server } else { &pair.seen.at_client };
            assert_eq!(arrived, &sent, "{leaver} left {millis} ms after the handshake");
            assert!(pair.seen.client_closed.is_some(), "{leaver}, {millis} ms");
            assert!(pair.seen.server_closed.is_some(), "{leaver}, {millis} ms");
        }
    }
}

#[test]
fn leaving_before_the_handshake_is_over() {
    for transport in Transport::ALL {
        let mut pair = Pair::new(client::Config { transport, ..Default::default() });
        pair.run_for(LATENCY / 2);
        pair.close_client(Ending::Flush);
        pair.run_for(Duration::from_secs(60));
        let (_, reason) = pair.seen.client_closed.unwrap();
        assert_eq!(reason, DisconnectReason::ClientDisconnect);
        assert!(pair.seen.server_closed.is_some(), "the session is not left behind, {transport}");
    }
}

#[test]
fn a_client_gives_up_telling_a_server_that_is_gone() {
    let mut pair = Pair::open(Transport::Polling);
    pair.go_silent();
    pair.close_client(Ending::Flush);
    let start = pair.now;
    pair.run_for(Duration::from_secs(30));
    let (at, _) = pair.seen.client_closed.unwrap();
    assert_eq!(at - start, client::Config::default().close_timeout);
}

#[test]
fn a_server_gives_up_telling_a_client_that_is_gone() {
    let mut pair = Pair::new(client::Config::default());
    pair.run_for(LATENCY);
    pair.go_silent();
    pair.close_server(Ending::Flush);
    let start = pair.now;
    pair.run_for(Duration::from_secs(60));
    let (at, reason) = pair.seen.server_closed.unwrap();
    assert_eq!(at - start, heartwire_proto::engineio::server::Config::default().close_timeout);
    assert_eq!(reason, DisconnectReason::ServerDisconnect);
}
