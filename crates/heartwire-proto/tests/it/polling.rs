//! Requests and their bodies. Source: Engine.IO protocol v4, § HTTP long-polling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heartwire_proto::engineio::server::{Config, Output, ServerSession};
use heartwire_proto::engineio::{
    DisconnectReason, Message, MessageRef, Packet, PacketError, Refusal, Transport,
};
use heartwire_proto::shared::{Ending, Limits, SendQueue};

use crate::pair::{Pair, numbered};

#[test]
fn bursts_go_in_batches_that_every_receiver_takes() {
    let mut pair = Pair::open(Transport::Polling);
    let (up, down) = (numbered("up", 1000), numbered("down", 1000));
    up.iter().for_each(|message| pair.send_from_client(message.clone()));
    down.iter().for_each(|message| pair.send_from_server(message.clone()));
    pair.run_for(Duration::from_secs(20));
    assert_eq!(pair.seen.at_server, up);
    assert_eq!(pair.seen.at_client, down);
    let packets = |body: &String| body.split('\x1e').count();
    assert_eq!(pair.seen.posts.iter().map(packets).max(), Some(16));
    assert_eq!(pair.seen.polls.iter().map(packets).max(), Some(16));
    assert_eq!(
        pair.seen.posts.len(),
        1000_usize.div_ceil(16),
        "no batch is smaller than it must be"
    );
}

#[test]
fn bodies_stay_within_the_servers_limit() {
    let config = Config { max_payload: 100, ..Default::default() };
    let client = heartwire_proto::engineio::client::Config { upgrade: false, ..Default::default() };
    let mut pair = Pair::with(client, config);
    // 30 + 30 + 35 bytes with their types, and three separators and one more: 100 bytes exactly.
    let lengths = [29, 29, 33, 1, 2, 90, 10];
    let sent: Vec<_> = lengths.iter().map(|&length| Message::from("x".repeat(length))).collect();
    sent.iter().for_each(|message| pair.send_from_client(message.clone()));
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.seen.at_server, sent);
    let bodies: Vec<_> = pair.seen.posts.iter().map(String::len).collect();
    assert_eq!(bodies, [30 + 1 + 30 + 1 + 34 + 1 + 2, 3 + 1 + 91, 11]);
}

#[test]
fn what_the_server_would_not_take_is_given_back() {
    for transport in Transport::ALL {
        let config = Config { max_payload: 100, ..Default::default() };
        let client = heartwire_proto::engineio::client::Config {
            transport,
            upgrade: false,
            ..Default::default()
        };
        let mut pair = Pair::with(client, config);
        let text = |length| Message::from("x".repeat(length));
        let binary = Message::from(vec![7; 100]);
        for message in [text(99), text(100), binary.clone(), text(1)] {
            pair.send_from_client(message);
        }
        pair.run_for(Duration::from_secs(1));
        match transport {
            // Base64 makes four bytes of three, and has a letter before it.
            Transport::Polling => {
                assert_eq!(pair.seen.at_server, [text(99), text(1)]);
                assert_eq!(pair.seen.too_large, [(text(100), 101, 100), (binary, 137, 100)]);
            }
            Transport::WebSocket => {
                assert_eq!(pair.seen.at_server, [text(99), binary, text(1)]);
                assert_eq!(pair.seen.too_large, [(text(100), 101, 100)]);
            }
        }
        assert_eq!(pair.seen.client_closed, None);
    }
}

#[test]
fn text_and_binary_stay_what_they_are() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        let sent: Vec<Message> = vec![
            "text".into(),
            "".into(),
            "ünï€🎈".into(),
            b"\x00\x01\xff".into(),
            b"".into(),
            "looks like a packet: 2probe".into(),
            b"4".into(),
        ];
        sent.iter().for_each(|message| pair.send_from_client(message.clone()));
        sent.iter().for_each(|message| pair.send_from_server(message.clone()));
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.seen.at_server, sent, "{transport}");
        assert_eq!(pair.seen.at_client, sent, "{transport}");
    }
}

#[test]
fn a_second_get_ends_the_session() {
    let mut server = Server::new();
    let first = server.session.handle_poll(server.now).unwrap();
    assert_eq!(server.session.handle_poll(server.now), Err(Refusal::ConcurrentRequest));
    server.orders(vec![
        Output::Respond { poll: first, body: b"1".to_vec(), messages: vec![] },
        Output::Closed(DisconnectReason::TransportError),
    ]);
    assert_eq!(server.session.handle_poll(server.now), Err(Refusal::UnknownSession));
}

#[test]
fn a_second_post_ends_the_session() {
    let mut server = Server::new();
    server.session.handle_post(server.now).unwrap();
    assert_eq!(server.session.handle_post(server.now), Err(Refusal::ConcurrentRequest));
    server.orders(vec![Output::Closed(DisconnectReason::TransportError)]);
    let rest = server.session.handle_packet(server.now, Ok(Packet::Noop));
    assert_eq!(rest, Err(Refusal::UnknownSession), "the first one is told as well");
}

#[test]
fn packets_before_a_bad_one_count() {
    let mut server = Server::new();
    let now = server.now;
    server.session.handle_post(now).unwrap();
    let text = MessageRef::Text("a");
    assert_eq!(server.session.handle_packet(now, Ok(Packet::Message(text))), Ok(Some(text)));
    let bad = server.session.handle_packet(now, Err(PacketError::Empty));
    assert_eq!(bad, Err(Refusal::ParseError));
    server.orders(vec![Output::Closed(DisconnectReason::ParseError)]);
}

#[test]
fn packets_after_a_close_do_not_count() {
    let mut server = Server::new();
    let poll = server.session.handle_poll(server.now).unwrap();
    server.session.handle_post(server.now).unwrap();
    assert_eq!(server.session.handle_packet(server.now, Ok(Packet::Close)), Ok(None));
    assert!(server.session.is_closed());
    server.orders(vec![
        Output::Respond { poll, body: b"6".to_vec(), messages: vec![] },
        Output::Closed(DisconnectReason::ClientDisconnect),
    ]);
}

#[test]
fn clients_do_not_ping() {
    let mut server = Server::new();
    server.session.handle_post(server.now).unwrap();
    let answer = server.session.handle_packet(server.now, Ok(Packet::Ping("")));
    assert_eq!(answer, Err(Refusal::ParseError));
    server.orders(vec![Output::Closed(DisconnectReason::TransportError)]);
}

#[test]
fn what_means_nothing_to_a_server_is_ignored() {
    let mut server = Server::new();
    server.session.handle_post(server.now).unwrap();
    for packet in [Packet::Open("{}"), Packet::Upgrade, Packet::Noop, Packet::Pong("")] {
        assert_eq!(server.session.handle_packet(server.now, Ok(packet)), Ok(None), "{packet:?}");
    }
    server.session.handle_post_end();
    server.orders(vec![]);
}

#[test]
fn a_get_that_is_left_ends_the_session() {
    let mut server = Server::new();
    let poll = server.session.handle_poll(server.now).unwrap();
    server.session.handle_poll_gone(poll);
    server.orders(vec![Output::Closed(DisconnectReason::TransportClose)]);
}

#[test]
fn a_server_that_leaves_takes_no_rest_of_a_post_and_waits_for_the_get_that_it_tells_so() {
    let mut server = Server::new();
    server.session.handle_post(server.now).unwrap();
    server.queue.close(Ending::Flush);
    server.orders(vec![]);
    let rest = server.session.handle_packet(server.now, Ok(Packet::Noop));
    assert_eq!(rest, Err(Refusal::UnknownSession));
    server.session.handle_post_failed(Some(Refusal::UnknownSession));
    assert!(!server.session.is_closed(), "nobody was told");
    let poll = server.session.handle_poll(server.now).unwrap();
    server.orders(vec![
        Output::Respond { poll, body: b"1".to_vec(), messages: vec![] },
        Output::Closed(DisconnectReason::ServerDisconnect),
    ]);
}

/// A close packet says that the server wants the client to go, and a client that is told so does not come again.
#[test]
fn a_client_whose_post_was_lost_is_not_told_to_leave() {
    let mut server = Server::new();
    let poll = server.session.handle_poll(server.now).unwrap();
    server.session.handle_post(server.now).unwrap();
    server.session.handle_post_failed(None);
    server.orders(vec![
        Output::Respond { poll, body: b"6".to_vec(), messages: vec![] },
        Output::Closed(DisconnectReason::TransportClose),
    ]);
    assert_eq!(server.session.handle_poll(server.now), Err(Refusal::UnknownSession));
}

struct Server {
    session: ServerSession<Message>,
    queue: SendQueue<Message>,
    now: Instant,
}

impl Server {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            session: ServerSession::open(now, Arc::new(Config::default()), Transport::Polling),
            queue: SendQueue::new(Limits { messages: 10, bytes: 1000 }),
            now,
        }
    }

    #[track_caller]
    fn orders(&mut self, expected: Vec<Output<Message>>) {
        let orders: Vec<_> =
            std::iter::from_fn(|| self.session.poll_output(self.now, &mut self.queue)).collect();
        assert_eq!(orders, expected);
    }
}
