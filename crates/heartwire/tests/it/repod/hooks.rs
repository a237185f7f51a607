//! What the application is told, and that it may fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use heartwire::blocking::repod::Client;
use heartwire::repod::client::{Event, State};
use heartwire::repod::{Actions, Channel, ChannelId, DisconnectReason, Server};
use serde_json::json;

use super::support::{Peer, echo, number, numbered, serve, silent, to_json, with};
use crate::support::{Log, run, wait_until, watched};

#[test]
fn hooks_are_called_in_order() {
    run(async {
        let server = Server::new();
        let log = Arc::new(Log::default());
        // A handler that has its server keeps it for ever, unless it gives it back.
        let all = Arc::new(Mutex::new(Some(server.clone())));
        let (mine, seen) = (all.clone(), log.clone());
        let (connect, message, disconnect) = (log.clone(), log.clone(), log.clone());
        server.set_handler(
            Actions::new()
                .on_connect(move |channel| {
                    let server = mine.lock().unwrap().clone().unwrap();
                    assert!(server.channel(channel.id()).is_some() && !channel.is_closed());
                    channel.try_send(&json!({"action": "welcome"})).unwrap();
                    connect.add("connect");
                })
                .on("number", move |_, message_| {
                    message.add(format!("number {:?}", message_.get("number").unwrap()));
                })
                .on_other(move |_, message| seen.add(format!("other {}", message.action())))
                .on_disconnect(move |channel, ended| {
                    assert!(channel.is_closed());
                    disconnect.add(format!("disconnect: {ended}"));
                }),
        );
        let mut peer = Peer::greeted(serve(&server).await);
        assert_eq!(peer.recv()["action"], "welcome", "what is sent by a hook follows the greeting");
        numbered(2).iter().for_each(|message| peer.send(message));
        peer.send(&json!({"action": 5}));
        peer.send(&json!({"action": null}));
        drop(peer);
        assert_eq!(
            log.wait_for(6),
            [
                "connect",
                "number Int(0)",
                "number Int(1)",
                "other 5",
                "other None",
                "disconnect: closed by peer",
            ]
        );
        all.lock().unwrap().take();
    });
}

#[test]
fn a_message_hook_that_panics_stops_nothing() {
    run(async {
        let server = Server::new();
        let log = Arc::new(Log::default());
        let seen = log.clone();
        server.set_handler(Actions::new().on("bad", |_, _| panic!("as the test wants it")).on(
            "number",
            move |context, message| {
                seen.add("number");
                context.forward(message).unwrap();
            },
        ));
        let mut peer = Peer::greeted(serve(&server).await);
        for message in numbered(10) {
            peer.send(&json!({"action": "bad"}));
            peer.send(&message);
            assert_eq!(peer.recv(), message);
        }
        assert_eq!(log.lines().len(), 10);
        assert_eq!(server.len(), 1);
    });
}

#[test]
fn connect_and_disconnect_hooks_that_panic_leave_nothing_behind() {
    run(async {
        let server = Server::builder().max_connections(1).build();
        let ended = Arc::new(AtomicUsize::new(0));
        let count = ended.clone();
        server.set_handler(
            Actions::new()
                .on_connect(|_| panic!("as the test wants it"))
                .on("number", |context, message| context.forward(message).unwrap())
                .on_disconnect(move |_, _| {
                    count.fetch_add(1, Ordering::SeqCst);
                    panic!("as the test wants it");
                }),
        );
        let addr = serve(&server).await;
        for round in 1..=5 {
            // There is room for one: it has to be given back each time.
            let mut peer = loop {
                let mut peer = Peer::connect(addr);
                if peer.try_recv().is_some() {
                    break peer;
                }
            };
            peer.send(&number(0));
            assert_eq!(peer.recv(), number(0));
            assert_eq!(server.len(), 1);
            drop(peer);
            wait_until(|| server.is_empty() && ended.load(Ordering::SeqCst) == round);
        }
    });
}

#[test]
fn a_channel_whose_future_panics_or_fails_is_closed() {
    run(async {
        let server = Server::new();
        let turn = AtomicUsize::new(0);
        server.on_connection(move |channel| {
            let turn = turn.fetch_add(1, Ordering::SeqCst);
            assert_ne!(turn, 0, "as the test wants it");
            async move {
                assert_ne!(turn, 1, "as the test wants it");
                let message = channel.recv().await;
                assert_ne!(turn, 2, "as the test wants it");
                message.map(drop).ok_or("no message").and(Err("as the test wants it"))
            }
        });
        let addr = serve(&server).await;
        for _ in 0..4 {
            let mut peer = Peer::greeted(addr);
            peer.send(&number(0));
            assert_eq!(peer.count(), 0);
            wait_until(|| server.is_empty());
        }
    });
}

#[test]
fn what_sounds_like_the_library_is_a_message_like_others() {
    watched(|| {
        let names = ["connected", "socketConnect", "error", "disconnected"];
        let (runtime, mut server) = with(silent(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        let channel = runtime.block_on(server.channel());
        client.recv().unwrap();
        for name in names {
            let message = json!({"action": name, "error": "none"});
            channel.try_send(&message).unwrap();
            let Some(Event::Message(received)) = client.next() else { panic!("{name}") };
            assert_eq!(to_json(&received), message);
            client.send(&message).unwrap();
            assert_eq!(runtime.block_on(server.message()), message);
        }
        assert_eq!(client.state(), State::Open);
        assert_eq!(client.pending(), 0);
        assert!(!channel.is_closed());
        client.send(&number(0)).unwrap();
        assert_eq!(runtime.block_on(server.message()), number(0));
    });
}

#[test]
fn each_client_that_has_come_goes_once_however_it_goes() {
    run(async {
        let server = Server::new();
        let counts: Arc<Mutex<HashMap<ChannelId, (u32, u32)>>> = Arc::default();
        let (came, went) = (counts.clone(), counts.clone());
        let of = |counts: &Mutex<HashMap<ChannelId, (u32, u32)>>,
                  channel: &Channel,
                  add: fn(&mut (u32, u32))| {
            add(counts.lock().unwrap().entry(channel.id()).or_default());
        };
        server.set_handler(
            Actions::new()
                .on_connect(move |channel| of(&came, channel, |count| count.0 += 1))
                .on_disconnect(move |channel, ended| {
                    let reasons = [DisconnectReason::ConnectionError, DisconnectReason::PeerClosed];
                    assert!(reasons.contains(&ended.reason), "{ended}");
                    of(&went, channel, |count| count.1 += 1);
                }),
        );
        let addr = serve(&server).await;
        let over = Arc::new(AtomicBool::new(false));
        let broadcasting = thread::spawn({
            let (server, over) = (server.clone(), over.clone());
            move || {
                let message = json!({"action": "a", "text": "x".repeat(1000)});
                while !over.load(Ordering::SeqCst) {
                    server.send_to_all(&message).unwrap();
                    thread::yield_now();
                }
            }
        });
        const CLIENTS: usize = 120;
        for round in 0..CLIENTS {
            let mut peer = Peer::connect(addr);
            if round % 3 > 0 {
                peer.recv(); // some reset before they have read anything
                peer.send(&number(round));
            }
            if round % 4 > 0 {
                peer.reset();
            }
        }
        // Those that were reset before they were accepted were never there.
        wait_until(|| {
            let counts = counts.lock().unwrap();
            server.is_empty() && !counts.is_empty() && counts.values().all(|count| *count == (1, 1))
        });
        over.store(true, Ordering::SeqCst);
        broadcasting.join().unwrap();
        let seen = counts.lock().unwrap();
        assert!(seen.len() >= CLIENTS * 2 / 3, "{} of {CLIENTS}", seen.len());
        assert!(seen.values().all(|count| *count == (1, 1)), "{seen:?}");
    });
}

#[test]
fn a_handler_that_panics_ends_nothing_else() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        let log = Arc::new(Log::default());
        let seen = log.clone();
        client.on_event(|_, event| {
            if let Event::Connected { .. } = event {
                panic!("as the test wants it");
            }
        });
        client.on_message(move |_, message| {
            assert_ne!(message.action(), "bad", "as the test wants it");
            seen.add(message.action());
        });
        client.start_background();
        client.send(&json!({"action": "bad"})).unwrap();
        client.send(&json!({"action": "good"})).unwrap();
        assert_eq!(log.wait_for(2), ["connected", "good"]);
        client.close();
    });
}

#[test]
fn a_handler_that_blocks_stops_neither_the_network_nor_others() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder()));
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Mutex::new(released);
        let blocked = Client::new("127.0.0.1", server.port());
        blocked.on_message(move |_, _| {
            let _ = released.lock().unwrap().recv();
        });
        blocked.start_background();
        runtime.block_on(server.channel());
        let log = Arc::new(Log::default());
        let seen = log.clone();
        let other = Client::new("127.0.0.1", server.port());
        other.on_message(move |_, message| seen.add(message.action()));
        other.start_background();
        blocked.send(&number(0)).unwrap();
        assert_eq!(runtime.block_on(server.message()), number(0));
        assert_eq!(log.wait_for(1), ["connected"]);
        drop(release);
    });
}
