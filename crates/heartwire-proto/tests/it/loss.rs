//! Connections that break: what was accepted has arrived, or somebody is told that it may not have.

use std::time::Duration;

use heartwire_proto::engineio::{DisconnectReason, Transport, client};

use crate::pair::{LATENCY, Pair, numbered};

#[test]
fn a_reset_at_any_moment_loses_nothing_silently() {
    for transport in [None, Some(Transport::Polling), Some(Transport::WebSocket)] {
        for millis in 0..120 {
            let mut pair = match transport {
                Some(transport) => Pair::open(transport),
                None => Pair::new(client::Config::default()),
            };
            let (up, down) = (numbered("up", 120), numbered("down", 120));
            for index in 0..millis {
                pair.send_from_client(up[index].clone());
                pair.send_from_server(down[index].clone());
                pair.run_for(Duration::from_millis(1));
            }
            pair.cut();
            pair.refuse_sockets();
            pair.run_for(Duration::from_secs(120));

            let name = transport.map_or("upgrade", Transport::name);
            let left = pair.client_queue.len() + pair.server_queue.len();
            let arrived = pair.seen.at_server.len() + pair.seen.at_client.len();
            assert_eq!(
                arrived + left + pair.seen.undelivered,
                2 * millis,
                "{name}, cut after {millis} ms: every message arrived or is accounted for"
            );
            assert_eq!(pair.seen.at_server, up[..pair.seen.at_server.len()], "a prefix, {name}");
            assert_eq!(pair.seen.at_client, down[..pair.seen.at_client.len()], "a prefix, {name}");
        }
    }
}

#[test]
fn a_reset_is_reported_at_once() {
    for transport in Transport::ALL {
        let mut pair = Pair::open(transport);
        let start = pair.now;
        pair.cut();
        pair.run_for(Duration::from_secs(1));
        let (at, reason) = pair.seen.client_closed.expect("the client is told");
        assert_eq!((at - start, reason), (LATENCY, DisconnectReason::TransportError));
        let (at, reason) = pair.seen.server_closed.expect("the server is told");
        assert_eq!(at - start, LATENCY);
        let expected = match transport {
            Transport::Polling => DisconnectReason::TransportClose,
            Transport::WebSocket => DisconnectReason::TransportError,
        };
        assert_eq!(reason, expected);
    }
}
