//! Polling to WebSocket. Source: Engine.IO protocol v4, § Upgrade.

use std::time::Duration;

use heartwire_proto::engineio::{DisconnectReason, Message, Transport, client, server};
use heartwire_proto::shared::Ending;

use crate::pair::{LATENCY, Pair, numbered};

#[test]
fn takes_two_round_trips_after_the_handshake() {
    let mut pair = Pair::new(Default::default());
    pair.run_for(Duration::from_secs(1));
    let taken = pair.seen.upgraded.expect("upgraded") - pair.seen.opened.unwrap();
    // The WebSocket's own handshake is one, the probe the other; the waiting GET ends beside it.
    assert_eq!(taken, 4 * LATENCY);
    assert_eq!(pair.client.transport(), Some(Transport::WebSocket));
    assert_eq!(pair.server.unwrap().transport(), Some(Transport::WebSocket));
}

#[test]
fn messages_in_both_directions_survive_in_order() {
    // One message a millisecond from each side, from the handshake to well after the upgrade.
    let mut pair = Pair::new(Default::default());
    pair.run_for(2 * LATENCY);
    let (up, down) = (numbered("up", 200), numbered("down", 200));
    for (to_server, to_client) in up.iter().zip(&down) {
        pair.send_from_client(to_server.clone());
        pair.send_from_server(to_client.clone());
        pair.run_for(Duration::from_millis(1));
    }
    pair.run_for(Duration::from_secs(1));
    assert!(pair.seen.upgraded.is_some());
    assert!(pair.seen.posts.len() > 1 && pair.seen.polls.len() > 1, "some went over polling");
    assert_eq!(pair.seen.at_server, up);
    assert_eq!(pair.seen.at_client, down);
}

#[test]
fn bytes_that_only_a_frame_can_carry_wait_for_the_upgrade() {
    let config = server::Config { max_payload: 100, ..Default::default() };
    let binary = Message::from(vec![7; 100]);
    let sent = [Message::from("before"), binary.clone(), Message::from("behind")];

    let mut pair = Pair::with(Default::default(), config.clone());
    sent.iter().for_each(|message| pair.send_from_client(message.clone()));
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.seen.at_server, sent);
    assert_eq!(pair.seen.posts, ["4before"]);

    let mut pair = Pair::with(Default::default(), config);
    pair.refuse_sockets();
    sent.iter().for_each(|message| pair.send_from_client(message.clone()));
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.seen.at_server, [Message::from("before"), Message::from("behind")]);
    assert_eq!(pair.seen.too_large, [(binary, 137, 100)]);
}

#[test]
fn nothing_but_the_probe_travels_before_the_upgrade_packet() {
    let mut pair = Pair::new(Default::default());
    pair.send_from_client("early");
    pair.run_for(Duration::from_secs(1));
    pair.send_from_client("late");
    pair.send_from_server("back");
    pair.settle();
    assert_eq!(pair.seen.frames, ["2probe", "3probe", "5", "4late", "4back"]);
    assert_eq!(pair.seen.at_server, [Message::from("early"), Message::from("late")]);
    assert_eq!(pair.seen.at_client, [Message::from("back")]);
}

#[test]
fn a_waiting_get_is_answered_at_once() {
    let mut pair = Pair::new(Default::default());
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.seen.polls, ["6"]);
}

#[test]
fn a_refused_socket_leaves_the_session_on_polling() {
    let mut pair = Pair::new(Default::default());
    pair.refuse_sockets();
    pair.run_for(Duration::from_secs(1));
    assert!(pair.seen.upgrade_failed.is_some());
    exchange_over_polling(&mut pair);
}

#[test]
fn a_deaf_socket_leaves_the_session_on_polling() {
    let mut pair = Pair::new(Default::default());
    pair.deafen_sockets();
    pair.run_for(Duration::from_secs(11));
    let took = pair.seen.upgrade_failed.expect("the client gives up") - pair.seen.opened.unwrap();
    assert_eq!(took, client::Config::default().upgrade_timeout);
    exchange_over_polling(&mut pair);
}

#[test]
fn servers_may_forbid_it() {
    let config = server::Config { allow_upgrades: false, ..Default::default() };
    let mut pair = Pair::with(Default::default(), config);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.seen.frames.is_empty());
    exchange_over_polling(&mut pair);
}

#[test]
fn clients_may_forgo_it() {
    let mut pair = Pair::new(client::Config { upgrade: false, ..Default::default() });
    pair.run_for(Duration::from_secs(1));
    assert!(pair.seen.frames.is_empty());
    exchange_over_polling(&mut pair);
}

#[test]
fn a_session_survives_any_moment_of_its_socket_failing() {
    // Whatever the moment, before `5` leaves the client: polling goes on and nothing is lost.
    for millis in 0..40 {
        let mut pair = Pair::new(Default::default());
        pair.run_for(2 * LATENCY);
        let (up, down) = (numbered("up", 30), numbered("down", 30));
        up.iter().for_each(|message| pair.send_from_client(message.clone()));
        down.iter().for_each(|message| pair.send_from_server(message.clone()));
        pair.run_for(Duration::from_millis(millis));
        if pair.seen.upgraded.is_some() {
            break;
        }
        pair.refuse_sockets();
        pair.client.handle_socket_end(heartwire_proto::engineio::SocketEnd::Failed);
        pair.run_for(Duration::from_secs(30));
        assert_eq!(pair.seen.client_closed, None, "socket failed after {millis} ms");
        assert_eq!(pair.seen.at_server, up, "socket failed after {millis} ms");
        assert_eq!(pair.seen.at_client, down, "socket failed after {millis} ms");
    }
}

#[test]
fn a_client_learns_at_any_moment_that_the_server_ends_the_session() {
    for millis in 0..100 {
        let mut pair = Pair::new(Default::default());
        pair.run_for(2 * LATENCY);
        pair.send_from_server("last words");
        pair.run_for(Duration::from_millis(millis));
        pair.close_server(Ending::Flush);
        pair.run_for(Duration::from_secs(60));
        let reason = |closed: Option<(_, DisconnectReason)>| closed.map(|(_, reason)| reason);
        let ended = Some(DisconnectReason::ServerDisconnect);
        assert_eq!(reason(pair.seen.client_closed), ended, "closed after {millis} ms");
        assert_eq!(reason(pair.seen.server_closed), ended, "closed after {millis} ms");
        assert_eq!(pair.seen.at_client, [Message::from("last words")], "closed after {millis} ms");
    }
}

#[track_caller]
fn exchange_over_polling(pair: &mut Pair) {
    pair.send_from_client("question");
    pair.send_from_server("answer");
    pair.run_for(Duration::from_secs(60));
    assert_eq!(pair.seen.at_server, [Message::from("question")]);
    assert_eq!(pair.seen.at_client, [Message::from("answer")]);
    assert_eq!(pair.client.transport(), Some(Transport::Polling));
    assert_eq!((pair.seen.client_closed, pair.seen.server_closed), (None, None));
}
