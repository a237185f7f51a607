//! The end of a session that a user asks for.

use std::time::Duration;

use heartwire_proto::engineio::{DisconnectReason, Refusal, Transport, client};
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

#[test]
fn what_a_server_has_sent_before_its_end_arrives_whatever_a_crossing_post_meets() {
    for millis in 0..4 * LATENCY.as_millis() as u64 {
        let mut pair = Pair::open(Transport::Polling);
        let sent = numbered("last words", 3);
        // The answer to the POST overtakes the one to the GET.
        pair.detain_polls(8 * LATENCY);
        sent.iter().for_each(|message| pair.send_from_server(message.clone()));
        pair.close_server(Ending::Flush);
        pair.run_for(Duration::from_millis(millis));
        pair.send_from_client("crosses");
        pair.run_for(Duration::from_secs(4));
        assert_eq!(pair.seen.at_client, sent, "{millis} ms");
        let reason = DisconnectReason::ServerDisconnect;
        assert_eq!(pair.seen.client_closed.map(|closed| closed.1), Some(reason), "{millis} ms");
        assert_eq!(pair.seen.server_closed.map(|closed| closed.1), Some(reason), "{millis} ms");
    }
}

#[test]
fn a_client_that_is_refused_between_two_gets_comes_for_the_close_packet() {
    let mut pair = Pair::open(Transport::Polling);
    // No GET waits with the server now, so its close packet has to wait for one.
    pair.send_from_server("last words");
    pair.run_for(Duration::ZERO);
    pair.close_server(Ending::Flush);
    pair.send_from_client("crosses");
    pair.run_for(Duration::from_secs(4));
    assert_eq!(pair.seen.at_client, ["last words".into()]);
    assert!(pair.seen.at_server.is_empty());
    let reason = DisconnectReason::ServerDisconnect;
    assert_eq!(pair.seen.client_closed.map(|closed| closed.1), Some(reason));
    assert_eq!(pair.seen.server_closed.map(|closed| closed.1), Some(reason));
}

#[test]
fn a_server_does_not_wait_long_for_a_client_whose_post_it_has_refused() {
    let mut pair = Pair::new(client::Config { upgrade: false, ..Default::default() });
    pair.run_for(LATENCY);
    pair.close_server(Ending::Flush);
    pair.run_for(Duration::ZERO);
    let server = pair.server.as_mut().unwrap();
    assert_eq!(server.handle_post(pair.now), Err(Refusal::UnknownSession));
    pair.go_silent();
    let start = pair.now;
    pair.run_for(Duration::from_secs(60));
    let (at, _) = pair.seen.server_closed.unwrap();
    assert_eq!(at - start, Duration::from_secs(1));
}

#[test]
fn a_client_whose_post_failed_does_not_wait_for_ever() {
    let limits = [(true, client::Config::default().close_timeout), (false, Duration::from_secs(1))];
    for (refused, limit) in limits {
        let mut pair = Pair::open(Transport::Polling);
        pair.client.handle_post_failed(pair.now, refused);
        let start = pair.now;
        pair.send_from_client("kept");
        pair.run_for(Duration::from_secs(30));
        let (at, reason) = pair.seen.client_closed.unwrap();
        assert_eq!(at - start, limit);
        assert_eq!(reason, DisconnectReason::TransportError);
        assert_eq!(pair.client_queue.drain().len(), 1, "it can be counted");
        assert!(pair.seen.posts.is_empty(), "nothing is sent any more");
    }
}
