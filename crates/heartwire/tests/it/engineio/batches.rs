//! Many packets in one POST: all are delivered, or the client is told.

use heartwire::engineio::{DisconnectReason, Server};
use tokio::runtime::Runtime;

use super::support::{Seen, silent};
use super::wire::{OPEN, get, post, session};

#[test]
fn every_packet_of_a_body_is_delivered() {
    let runtime = Runtime::new().unwrap();
    let mut server = runtime.block_on(silent(Server::builder()));
    for count in [1, 2, 15, 16, 17, 100, 1000, 10_000] {
        let target = session(&get(server.addr, OPEN, &[]).sid());
        let texts: Vec<_> = (0..count).map(|number| number.to_string()).collect();
        assert_eq!(post(server.addr, &target, &[], &body(&texts)).text(), "ok", "{count}");
        let messages = runtime.block_on(server.messages(count));
        let delivered: Vec<_> = messages.iter().map(|message| message.as_text().unwrap()).collect();
        assert_eq!(delivered, texts, "{count}");
    }
}

#[test]
fn a_bad_packet_at_any_place_is_told_and_what_was_before_it_delivered() {
    let runtime = Runtime::new().unwrap();
    for count in [1, 2, 16, 17, 40] {
        for place in 0..count {
            let mut server = runtime.block_on(silent(Server::builder()));
            let target = session(&get(server.addr, OPEN, &[]).sid());
            let texts: Vec<_> = (0..count).map(|number| number.to_string()).collect();
            let mut packets: Vec<_> = texts.iter().map(|text| format!("4{text}")).collect();
            packets[place] = "x".to_owned();
            let answer = post(server.addr, &target, &[], packets.join("\u{1e}").as_bytes());
            assert_eq!(answer.status, 400, "{place} of {count}");
            let mut delivered = vec![];
            let end = runtime.block_on(async {
                loop {
                    match server.seen.recv().await.unwrap() {
                        Seen::Connected(_) => {}
                        Seen::Message(message) => {
                            delivered.push(message.as_text().unwrap().to_owned());
                        }
                        Seen::Disconnected(disconnected) => break disconnected,
                    }
                }
            });
            assert_eq!(end.reason, DisconnectReason::ParseError, "{place} of {count}");
            assert_eq!(delivered, texts[..place], "{place} of {count}");
        }
    }
}

fn body(texts: &[String]) -> Vec<u8> {
    let packets: Vec<_> = texts.iter().map(|text| format!("4{text}")).collect();
    packets.join("\u{1e}").into_bytes()
}
