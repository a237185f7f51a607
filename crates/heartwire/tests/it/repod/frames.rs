//! Frames over sockets: cut, huge, tiny, and those that are none.

use std::net::TcpListener;
use std::time::Duration;

use heartwire::blocking::repod::Client;
use heartwire::repod::{DisconnectReason, Frame, Message, Server};
use serde_json::json;

use super::support::{
    GREETING, Peer, Seen, echo, frame, greeting, number, numbered, silent, to_json, with,
};
use crate::support::{run, wait_until, watched};

#[test]
fn frames_that_come_in_pieces_are_put_together_by_servers() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let two = [frame(&number(0)), frame(&number(1))].concat();
        for cut in 1..two.len() {
            let mut peer = Peer::greeted(server.addr);
            let channel = server.channel().await;
            peer.write(&two[..cut]);
            wait_until(|| channel.statistics().bytes_received as usize == cut);
            peer.write(&two[cut..]);
            assert_eq!(server.messages(2).await, numbered(2), "cut at {cut}");
        }
        let mut peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        for (index, byte) in two.iter().enumerate() {
            peer.write(&[*byte]);
            wait_until(|| channel.statistics().bytes_received as usize == index + 1);
        }
        assert_eq!(server.messages(2).await, numbered(2));
    });
}

#[test]
fn frames_that_come_in_pieces_are_put_together_by_clients() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new("127.0.0.1", listener.local_addr().unwrap().port());
        let two = [frame(&number(0)), frame(&number(1))].concat();
        for cut in 1..two.len() {
            client.start_background();
            let mut peer = Peer::accept(&listener);
            peer.write(&two[..cut]);
            let so_far = GREETING.len() + cut;
            wait_until(|| client.statistics().bytes_received as usize == so_far);
            peer.write(&two[cut..]);
            let received: Vec<_> =
                client.messages().take(3).map(|message| to_json(&message)).collect();
            assert_eq!(received, [greeting(), number(0), number(1)], "cut at {cut}");
            drop(peer);
            client.close();
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn large_frames_cost_work_that_grows_with_their_size_alone() {
    watched(|| {
        let runtime = runtime("large frames");
        let server = runtime.block_on(echo(Server::builder()));
        let client = Client::new("127.0.0.1", server.port());
        client.start_background();
        client.recv().unwrap();
        let round_trip = |megabytes: usize| {
            let message = json!({"action": "a", "text": "x".repeat(megabytes << 20)});
            let before = cpu_time(&["large frames", "heartwire"]);
            client.send(&message).unwrap();
            let answer = client.recv().unwrap();
            assert_eq!(answer.payload().len(), frame(&message).len() - 4);
            cpu_time(&["large frames", "heartwire"]) - before
        };
        assert_growth(|| round_trip(1), || round_trip(8));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn many_tiny_frames_cost_work_that_grows_with_their_number_alone() {
    watched(|| {
        let runtime = runtime("tiny frames");
        let server = runtime.block_on(silent(Server::builder()));
        let peer = std::cell::RefCell::new(Peer::greeted(server.addr));
        let seen = std::cell::RefCell::new(server.seen);
        let last = frame(&json!({"action": "last"}));
        let tiny = frame(&json!({"tiny": 1}));
        let burst = |thousands: usize| {
            let bytes = [tiny.repeat(thousands * 1000), last.clone()].concat();
            let before = cpu_time(&["tiny frames"]);
            peer.borrow_mut().write(&bytes);
            while !matches!(seen.borrow_mut().blocking_recv(), Some(Seen::Message(_))) {}
            cpu_time(&["tiny frames"]) - before
        };
        assert_growth(|| burst(25), || burst(200));
    });
}

/// Checks that eight times the size costs ten times as much at most: what does not fit into a processor's
/// cache any more costs more a byte. The best of several attempts counts, as machines are shared; what grows
/// with the square of the size costs 64 times as much in all of them. Several rounds are taken together: a
/// short one may cost nothing that the system has noticed.
#[cfg(target_os = "linux")]
fn assert_growth(small: impl Fn() -> Duration, large: impl Fn() -> Duration) {
    let attempt = || {
        let rounds = (0..7).map(|_| (small(), large()));
        rounds.reduce(|sum, next| (sum.0 + next.0, sum.1 + next.1)).unwrap()
    };
    let mut attempts = vec![];
    while attempts.len() < 10 {
        let (small, large) = attempt();
        if large <= small * 10 {
            return;
        }
        attempts.push((small, large));
    }
    panic!("8 times the size cost too much: {attempts:?}");
}

/// A runtime with one thread of that name.
#[cfg(target_os = "linux")]
fn runtime(name: &str) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name(name).enable_all().build().unwrap()
}

/// The time that processors have spent on the threads of these names.
#[cfg(target_os = "linux")]
fn cpu_time(names: &[&str]) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let spent = tasks.filter_map(|task| {
        let task = task.unwrap().path();
        let read = |file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        let nanoseconds = read("schedstat").split(' ').next()?.parse().ok()?;
        names.contains(&read("comm").trim()).then(|| Duration::from_nanos(nanoseconds))
    });
    spent.sum()
}

#[test]
fn what_is_no_message_is_ignored_and_counted() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut peer = Peer::greeted(server.addr);
        let channel = server.channel().await;
        // Nil, a number, a list, a map without an action, a map with bytes for the key.
        for payload in
            [&b"\xc0"[..], b"\x05", b"\x91\x01", b"\x81\xa1x\x01", b"\x81\xc4\x06action\x01"]
        {
            peer.write(&[&(payload.len() as u32).to_be_bytes(), payload].concat());
        }
        peer.send(&number(0));
        assert_eq!(server.message().await, number(0));
        wait_until(|| channel.statistics().ignored == 5);
        wait_until(|| channel.statistics().messages_received == 1);
    });
}

/// Whoever reads messages as deep as they may be has room for it on an ordinary thread.
#[test]
fn messages_as_deep_as_allowed_are_read_and_sent_on_an_ordinary_stack() {
    const MAX_DEPTH: usize = 512;
    // The outermost map is a level, and the list in the innermost map is one.
    let maps = (1..MAX_DEPTH - 1).fold(json!([]), |inner, _| json!({"": inner}));
    let lists = (1..MAX_DEPTH - 1).fold(json!([]), |inner, _| json!([inner]));
    for deep in [maps, lists] {
        let frame = Frame::encode(&json!({"action": "a", "deep": deep})).unwrap();
        let message = Message::decode(&frame.as_bytes()[4..]).unwrap().unwrap();
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let walk = move || {
            assert_eq!(Frame::encode(&message), Ok(frame));
            assert!(message.parse::<serde_json::Value>().unwrap()["deep"] == deep);
            assert!(message.get("deep").unwrap().to_string().len() > MAX_DEPTH);
            assert!(format!("{message:?}").len() > MAX_DEPTH);
        };
        thread.spawn(walk).unwrap().join().unwrap();
    }
    let deeper = (0..MAX_DEPTH).fold(json!([]), |inner, _| json!([inner]));
    assert!(Frame::encode(&json!({"action": "a", "deep": deeper})).is_err());
}

#[test]
fn malformed_frames_end_the_connection_and_say_why() {
    ends(b"\x00\x00\x00\x00", DisconnectReason::ProtocolError, "empty frame");
    ends(b"\x00\x00\x00\x02\x01\x02", DisconnectReason::ProtocolError, "1 bytes behind the value");
    ends(b"\x00\x00\x00\x02\xa1\xff", DisconnectReason::ProtocolError, "text that is not UTF-8");
}

#[test]
fn frames_that_are_too_long_end_the_connection_before_they_arrive() {
    let expected = "frame of 4294967295 bytes, at most 16777216 accepted";
    ends(b"\xff\xff\xff\xff", DisconnectReason::TooLarge, expected);
}

/// Checks how both sides end a connection over which these bytes come.
#[track_caller]
fn ends(bytes: &'static [u8], reason: DisconnectReason, detail: &str) {
    let detail = detail.to_owned();
    watched(move || {
        let (runtime, mut server) = with(silent(Server::builder()));
        let mut peer = Peer::greeted(server.addr);
        peer.write(bytes);
        let there = runtime.block_on(server.disconnected());
        assert_eq!((there.reason, there.detail.as_deref()), (reason, Some(&*detail)));
        assert_eq!(peer.rest(), [] as [serde_json::Value; 0]);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new("127.0.0.1", listener.local_addr().unwrap().port());
        client.start_background();
        let mut peer = Peer::accept(&listener);
        peer.write(bytes);
        while client.next().is_some() {}
        let here = client.disconnected().unwrap();
        assert_eq!((here.reason, here.detail.as_deref()), (reason, Some(&*detail)));
        assert_eq!(peer.rest(), [] as [serde_json::Value; 0]);
    });
}

#[test]
fn messages_before_a_malformed_frame_are_delivered() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut peer = Peer::greeted(server.addr);
        let bytes: Vec<_> = numbered(3).iter().flat_map(frame).collect();
        peer.write(&[&bytes[..], b"\x00\x00\x00\x01\xc1", &bytes[..]].concat());
        assert_eq!(server.messages(3).await, numbered(3));
        assert_eq!(server.count().await, 0, "nothing after it");
    });
}

#[test]
fn messages_before_the_end_of_the_stream_are_delivered() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut peer = Peer::connect(server.addr); // which does not even read the greeting
        numbered(100).iter().for_each(|message| peer.send(message));
        peer.0.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(server.messages(100).await, numbered(100));
        assert_eq!(server.disconnected().await.reason, DisconnectReason::PeerClosed);
    });
}

#[test]
fn a_frame_that_does_not_end_in_time_ends_the_connection() {
    watched(|| {
        let time = Duration::from_millis(50);
        let (runtime, mut server) = with(silent(Server::builder().frame_timeout(time)));
        let message = frame(&number(0));
        let mut peer = Peer::greeted(server.addr);
        peer.write(&message);
        peer.write(&message[..10]);
        assert_eq!(runtime.block_on(server.disconnected()).reason, DisconnectReason::FrameTimeout);
        assert_eq!(peer.rest(), [] as [serde_json::Value; 0]);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let builder = Client::builder("127.0.0.1", listener.local_addr().unwrap().port());
        let client = Client::with(builder.frame_timeout(time));
        client.start_background();
        let mut peer = Peer::accept(&listener);
        peer.write(&message[..10]);
        while client.next().is_some() {}
        assert_eq!(client.disconnected().unwrap().reason, DisconnectReason::FrameTimeout);
    });
}
