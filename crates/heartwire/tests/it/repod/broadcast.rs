//! Messages to many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use heartwire::repod::{EncodeError, Frame, Server};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::support::{Peer, number, numbered, silent};
use crate::support::{run, wait_until};

/// A message that counts how often it is encoded.
struct Counted(AtomicUsize);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        number(0).serialize(serializer)
    }
}

#[test]
fn a_broadcast_reaches_everybody_and_is_encoded_once() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut peers = vec![];
        for _ in 0..20 {
            peers.push(Peer::greeted(server.addr));
            server.channel().await;
        }
        let message = Counted(AtomicUsize::new(0));
        assert_eq!(server.server.send_to_all(&message), Ok(vec![]));
        assert_eq!(message.0.load(Ordering::SeqCst), 1);
        for peer in &mut peers {
            assert_eq!(peer.recv(), number(0));
        }
        let error = server.server.send_to_all("no map").unwrap_err();
        assert_eq!(error, EncodeError::NotAMap("no map".to_owned()));
    });
}

#[test]
fn broadcasts_go_on_while_clients_come_and_go() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut stays = Peer::greeted(server.addr);
        let channel = server.channel().await;
        let over = Arc::new(AtomicBool::new(false));
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                let (over, addr) = (over.clone(), server.addr);
                thread::spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        drop(Peer::greeted(addr));
                    }
                })
            })
            .collect();
        let message = Counted(AtomicUsize::new(0));
        for round in 1..=2000 {
            let full = server.server.send_to_all(&message).unwrap();
            assert!(!full.contains(&channel));
            assert_eq!(message.0.load(Ordering::SeqCst), round);
            // Those who are there can be looked at in peace.
            for channel in server.server.channels() {
                let _ = (channel.addr(), channel.statistics());
            }
            assert_eq!(stays.recv(), number(0));
        }
        over.store(true, Ordering::SeqCst);
        visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
        wait_until(|| server.server.len() == 1);
    });
}

#[test]
fn a_broadcast_may_leave_some_out() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let (mut peers, mut channels) = (vec![], vec![]);
        for _ in 0..4 {
            peers.push(Peer::greeted(server.addr));
            channels.push(server.channel().await);
        }
        let frame = Frame::encode(&number(0)).unwrap();
        let all = server.server.clone();
        let full = server.server.send_frame_where(&frame, |channel| {
            // Whoever decides may do everything meanwhile.
            assert_eq!(all.channel(channel.id()).as_ref(), Some(channel));
            assert!(!all.is_empty());
            if *channel == channels[1] {
                channel.close();
            }
            *channel != channels[0]
        });
        assert!(full.is_empty());
        let goodbye = json!({"action": "goodbye"});
        server.server.send_to_all(&goodbye).unwrap();
        server.server.close(std::time::Duration::from_secs(10)).await;
        let received: Vec<_> = peers.into_iter().map(Peer::rest).collect();
        assert_eq!(received[0], std::slice::from_ref(&goodbye));
        assert_eq!(received[1], numbered(0), "it was closed before");
        assert_eq!(received[2..], [[number(0), goodbye.clone()], [number(0), goodbye]]);
    });
}
