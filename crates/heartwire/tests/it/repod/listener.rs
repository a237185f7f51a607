//! Handlers on the caller's thread, when the caller wants them to run.

use std::fmt::Debug;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use heartwire::blocking::repod::{Client, ConnectionListener};
use heartwire::repod::Server;
use serde_json::json;
use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use super::support::{Peer, closed_port, echo, number, numbered, silent, with};
use crate::support::{Log, wait_until, watched};

/// A game that remembers what it was told.
#[derive(Default)]
struct Game {
    told: Vec<String>,
}

/// A listener that tells the game everything.
fn listener(client: Client) -> ConnectionListener<Game> {
    let mut listener = ConnectionListener::new(client);
    listener.on_connect(|game: &mut Game, _| game.told.push("connect".to_owned()));
    listener.on("number", |game, _, message| {
        game.told.push(format!("number {}", message.get("number").unwrap()));
    });
    listener.on("5", |game, _, _| game.told.push("five".to_owned()));
    listener.on_other(|game, _, message| game.told.push(format!("other {}", message.action())));
    listener.on_disconnect(|game, _, ended| game.told.push(format!("disconnect: {ended}")));
    listener.on_connect_error(|game, _, error| game.told.push(format!("{:?}", error.kind())));
    listener.on_give_up(|game, _, unsent| game.told.push(format!("gave up, {unsent} unsent")));
    listener
}

#[test]
fn handlers_run_by_action_and_in_order() {
    watched(|| {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new("127.0.0.1", tcp.local_addr().unwrap().port());
        let mut listener = listener(client.clone());
        let mut game = Game::default();
        assert_eq!(listener.pump(&mut game), 0, "it was not started");
        client.start_background();
        let mut peer = Peer::accept(&tcp);
        numbered(2).iter().for_each(|message| peer.send(message));
        peer.send(&json!({"action": 5}));
        peer.send(&json!({"action": "disconnected"}));
        drop(peer);
        wait_until(|| client.disconnected().is_some() && client.pending() == 7);
        assert_eq!(listener.pump(&mut game), 7);
        assert_eq!(
            game.told,
            [
                "connect",
                "other connected",
                "number 0",
                "number 1",
                "five",
                "other disconnected",
                "disconnect: closed by peer",
            ]
        );
        assert_eq!(listener.pump(&mut game), 0);
    });
}

#[test]
fn handlers_run_on_the_thread_that_pumps_and_may_send() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let mut listener = ConnectionListener::connect("127.0.0.1", server.port());
        let here = thread::current().id();
        listener.on("connected", move |_: &mut usize, client, _| {
            assert_eq!(thread::current().id(), here);
            assert!(client.send(&number(1)).unwrap() > 0);
        });
        listener.on("number", move |count, _, _| {
            assert_eq!(thread::current().id(), here);
            *count += 1;
        });
        let mut count = 0;
        wait_until(|| {
            listener.pump(&mut count);
            count == 1
        });
        assert!(listener.client().is_connected());
    });
}

#[test]
fn a_pump_handles_what_is_there_and_not_what_comes() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        let mut listener = ConnectionListener::new(client.clone());
        listener.on("number", |handled: &mut usize, client: &Client, message| {
            // Each one brings another, which is there before the handler returns.
            *handled += 1;
            let before = client.pending();
            client.send(message).unwrap();
            wait_until(|| client.pending() > before);
        });
        client.start_background();
        numbered(3).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        wait_until(|| client.pending() == 5);
        let mut handled = 0;
        assert_eq!(listener.pump(&mut handled), 5);
        assert_eq!(handled, 3);
        assert_eq!(listener.pump(&mut handled), 3);
        assert_eq!(handled, 6);
    });
}

#[test]
fn a_pump_can_be_bounded() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        let mut listener = listener(client.clone());
        let mut game = Game::default();
        client.start_background();
        numbered(98).iter().for_each(|message| assert!(client.send(message).unwrap() > 0));
        wait_until(|| client.pending() == 100);
        assert_eq!(listener.pump_at_most(&mut game, 0), 0);
        assert_eq!(listener.pump_at_most(&mut game, 10), 10);
        assert_eq!(game.told.len(), 10);
        assert_eq!(listener.pump_for(&mut game, Duration::ZERO), 1, "one in any case");
        assert_eq!(listener.pump_for(&mut game, Duration::MAX), 89);
        assert_eq!(listener.pump_for(&mut game, Duration::MAX), 0);
        assert_eq!(game.told.last().unwrap(), "number 97");
    });
}

#[test]
fn what_follows_a_panic_is_left_for_the_next_time() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        let mut listener = listener(client.clone());
        listener.on("bad", |_, _, _| panic!("as the test wants it"));
        let mut game = Game::default();
        client.start_background();
        for message in [number(0), json!({"action": "bad"}), number(1)] {
            client.send(&message).unwrap();
        }
        wait_until(|| client.pending() == 5);
        assert!(catch_unwind(AssertUnwindSafe(|| listener.pump(&mut game))).is_err());
        assert_eq!(game.told, ["connect", "other connected", "number 0"]);
        assert_eq!(listener.pump(&mut game), 1);
        assert_eq!(game.told[3], "number 1");
    });
}

#[test]
fn a_connection_that_does_not_come_is_told() {
    watched(|| {
        let client = Client::new("127.0.0.1", closed_port());
        let mut listener = listener(client.clone());
        let mut game = Game::default();
        client.start_background();
        wait_until(|| listener.pump(&mut game) == 0 && game.told.len() == 2);
        assert_eq!(game.told, ["Unreachable", "gave up, 0 unsent"]);
    });
}

/// What a peer has written goes to logs as an excerpt, in which nothing moves a terminal's cursor.
#[test]
fn an_action_without_a_handler_is_logged_in_short() {
    struct Recorder(Arc<Log>);

    impl Subscriber for Recorder {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut |field: &Field, value: &dyn Debug| {
                if field.name() == "action" {
                    self.0.add(format!("{value:?}"));
                }
            });
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    watched(|| {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new("127.0.0.1", tcp.local_addr().unwrap().port());
        let mut listener = ConnectionListener::<()>::new(client.clone());
        client.start_background();
        let mut peer = Peer::accept(&tcp);
        peer.send(&json!({"action": "\u{1b}[2J"}));
        peer.send(&json!({"action": "a".repeat(100_000)}));
        wait_until(|| client.pending() == 4);
        let log = Arc::new(Log::default());
        tracing::subscriber::with_default(Recorder(Arc::clone(&log)), || listener.pump(&mut ()));
        let long = format!("\"{}…\"", "a".repeat(256));
        assert_eq!(log.lines(), ["\"connected\"", "\"\\u{1b}[2J\"", &long]);
    });
}

#[test]
fn several_listeners_live_side_by_side() {
    watched(|| {
        let (runtime, mut server) = with(silent(Server::builder()));
        let mut games = vec![];
        for index in 0..3 {
            let client = Client::new("127.0.0.1", server.port());
            client.start_background();
            let channel = runtime.block_on(server.channel());
            channel.try_send(&number(index)).unwrap();
            games.push((listener(client), Game::default()));
        }
        for (index, (listener, game)) in games.iter_mut().enumerate() {
            wait_until(|| {
                listener.pump(game);
                game.told.len() == 3
            });
            assert_eq!(game.told[2], format!("number {index}"));
        }
    });
}
