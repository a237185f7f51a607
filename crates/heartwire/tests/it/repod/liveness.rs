//! How it is found out that a peer is there, and what that costs.
#![cfg(target_os = "linux")]

use std::fs;
use std::thread;
use std::time::Duration;

use heartwire::blocking::repod::Client;
use heartwire::repod::Server;

use super::support::{echo, listed, number, with};
use crate::support::{wait_until, watched};

/// The number that Linux gives to the timer of keep-alive.
const KEEP_ALIVE: u8 = 2;

#[test]
fn the_kernel_asks_whether_a_silent_peer_is_there() {
    watched(|| {
        let builder = Server::builder().keep_alive(Some(Duration::from_secs(40)));
        let (runtime, mut server) = with(echo(builder));
        let builder = Client::builder("127.0.0.1", server.port());
        let client = Client::with(builder.keep_alive(Some(Duration::from_secs(20))));
        client.start_background();
        let channel = runtime.block_on(server.channel());
        client.recv().unwrap();
        let (here, there) = (channel.addr().port(), server.port());
        // At first the timer is that of the bytes which are on their way.
        for (local, remote, seconds) in [(here, there, 20), (there, here, 40)] {
            wait_until(|| match &listed(Some(local), remote)[..] {
                [socket] => {
                    let soon = socket.due <= seconds * 100 && socket.due > (seconds - 10) * 100;
                    socket.timer == KEEP_ALIVE && soon
                }
                sockets => panic!("{sockets:?}"),
            });
        }
    });
}

#[test]
fn the_kernel_asks_nothing_where_it_is_not_to() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder().keep_alive(None)));
        let client = Client::with(Client::builder("127.0.0.1", server.port()).keep_alive(None));
        client.start_background();
        let channel = runtime.block_on(server.channel());
        client.recv().unwrap();
        for (local, remote) in
            [(channel.addr().port(), server.port()), (server.port(), channel.addr().port())]
        {
            wait_until(|| listed(Some(local), remote).iter().all(|socket| socket.timer == 0));
        }
    });
}

#[test]
fn round_trips_are_known_on_both_sides() {
    watched(|| {
        let (runtime, mut server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        assert_eq!(client.round_trip(), None);
        client.start_background();
        client.send(&number(0)).unwrap();
        client.messages().take(2).for_each(drop);
        let channel = runtime.block_on(server.channel());
        for trip in [client.round_trip().unwrap(), channel.round_trip().unwrap()] {
            assert!(trip.time > Duration::ZERO && trip.time < Duration::from_secs(10), "{trip:?}");
        }
    });
}

#[test]
fn a_connection_that_idles_wakes_nobody() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.send(&number(0)).unwrap();
        client.messages().take(2).for_each(drop);
        // The thread serves clients of other tests too, where they run in the same process: then one
        // second in which they rest is waited for.
        wait_until(|| {
            let before = switches("heartwire");
            thread::sleep(Duration::from_secs(1));
            switches("heartwire") == before
        });
        assert!(client.is_connected());
    });
}

/// How often the thread with this name has gone to sleep.
fn switches(name: &str) -> u64 {
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let read = |file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim() == name {
            let status = read("status");
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            return line.unwrap().trim().parse().unwrap();
        }
    }
    panic!("there is no thread {name}");
}
