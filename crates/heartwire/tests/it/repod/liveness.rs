//! How it is found out that a peer is there, and what that costs.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use heartwire::blocking::repod::Client;
use heartwire::repod::{DisconnectReason, Server};
use socket2::{SockFilter, SockRef};

use super::support::{Peer, echo, frame, listed, number, with};
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

/// A peer whose machine is gone answers nothing any more, not even with a reset. A filter that takes nothing
/// makes one of it.
#[test]
fn a_dead_peer_ends_an_idle_connection_of_either_side() {
    fn die(peer: &Peer) {
        const RETURN: u16 = 0x06;
        let nothing = SockFilter::new(RETURN, 0, 0, 0);
        SockRef::from(&peer.0).attach_filter(&[nothing]).unwrap();
    }

    watched(|| {
        let second = Duration::from_secs(1);
        let builder = Server::builder().keep_alive(Some(second)).dead_peer_timeout(second);
        let (runtime, mut server) = with(echo(builder));
        let client_of_server = Peer::greeted(server.addr);
        let channel = runtime.block_on(server.channel());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
        let client = Client::with(builder.keep_alive(Some(second)).dead_peer_timeout(second));
        client.start_background();
        let server_of_client = Peer::accept(&listener);
        client.recv().unwrap();

        die(&client_of_server);
        die(&server_of_client);
        while client.next().is_some() {}
        let ended = client.disconnected().unwrap();
        assert_eq!(ended.reason, DisconnectReason::ConnectionError, "{ended}");
        let ended = runtime.block_on(channel.closed());
        assert_eq!(ended.reason, DisconnectReason::ConnectionError, "{ended}");
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

/// The client's median against that of a bare socket which exchanges the same frames with the same server, in
/// turns. Machines are shared, so the best of several rounds counts; what polls is slower in all of them.
#[test]
fn a_round_trip_takes_at_most_twice_as_long_as_with_a_bare_socket() {
    watched(|| {
        let (_runtime, server) = with(echo(Server::builder()));
        let mut bare = Peer::greeted(server.addr);
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.recv().unwrap();
        let message = number(0);
        let sent = frame(&message);
        let mut answer = vec![0; sent.len()];
        let mut bare_trip = || {
            bare.write(&sent);
            bare.0.read_exact(&mut answer).unwrap();
        };
        let client_trip = || {
            client.send(&message).unwrap();
            client.recv().unwrap();
        };
        let mut rounds = vec![];
        while rounds.len() < 30 {
            let (bare, ours) = (median(&mut bare_trip), median(client_trip));
            if ours <= bare * 2 {
                return;
            }
            rounds.push((bare, ours));
        }
        panic!("medians of bare sockets and of clients: {rounds:?}");
    });
}

/// The median time of a step that is taken many times.
fn median(mut step: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..301)
        .map(|_| {
            let start = Instant::now();
            step();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
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
