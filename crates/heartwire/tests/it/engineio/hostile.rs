//! Clients that take as much of the server as it lets them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use heartwire::engineio::{
    Connection, Context, DisconnectReason, Handler, MessageRef, Server, ServerBuilder,
};
use tokio::runtime::Runtime;

use super::support::{TestServer, listen};
use super::wire::{OPEN, begin, connect, get, post, receive, session, start, upgrade, websocket};
use crate::support::wait_until;

#[test]
fn a_full_inbox_takes_no_more_than_one_message() {
    let (server, connections) = receiving(Server::builder().receive_limit(1000));
    let (runtime, addr) = listen(&server);
    let mut socket = websocket(addr);
    let connection = connections.recv().unwrap();
    // All of them fit into one read.
    let mut frames = vec![];
    for number in 0..1000 {
        frames.extend([0x81, 0x80 | 6, 0, 0, 0, 0]);
        frames.extend(format!("4m{number:04}").as_bytes());
    }
    socket.write_all(&frames).unwrap();
    wait_until(|| server.stats().messages_received > 0);
    // Each counts as its five bytes and 64 more.
    assert_eq!(server.stats().messages_received, 1000_u64.div_ceil(64 + 5));
    runtime.block_on(async {
        for number in 0..1000 {
            let message = connection.recv().await.unwrap();
            assert_eq!(message.as_text(), Some(format!("m{number:04}").as_str()));
        }
    });
}

#[test]
fn reading_that_goes_on_at_once_keeps_the_order() {
    let (server, connections) = pausing();
    let (_runtime, addr) = listen(&server);
    let mut socket = websocket(addr);
    let connection = connections.recv().unwrap();
    let resuming = std::thread::spawn(move || {
        while !connection.is_closed() {
            connection.resume_reading();
        }
    });
    for block in 0..COUNT / 500 {
        let mut frames = vec![];
        for number in block * 500..(block + 1) * 500 {
            frames.extend([0x81, 0x80 | 6, 0, 0, 0, 0]);
            frames.extend(format!("4{number:05}").as_bytes());
        }
        socket.write_all(&frames).unwrap();
    }
    wait_until(|| server.stats().messages_received == COUNT as u64 || server.is_empty());
    assert!(!server.is_empty(), "a message has overtaken another");
    drop(socket);
    resuming.join().unwrap();
}

#[test]
fn a_client_that_waits_for_a_slow_application_is_not_late() {
    let builder = Server::builder()
        .receive_limit(1)
        .ping_interval(Duration::from_millis(20))
        .ping_timeout(Duration::from_millis(20));
    let (server, connections) = receiving(builder);
    let (runtime, addr) = listen(&server);
    let target = session(&get(addr, OPEN, &[]).sid());
    let connection = connections.recv().unwrap();
    assert_eq!(post(addr, &target, &[], b"4first").text(), "ok");
    let mut posting = connect(addr);
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n4second");
    posting.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500)); // many times what a client has
    assert!(!connection.is_closed());
    runtime.block_on(async {
        assert_eq!(connection.recv().await.unwrap().as_text(), Some("first"));
        assert_eq!(connection.recv().await.unwrap().as_text(), Some("second"));
    });
}

#[test]
fn a_probe_that_does_not_read_its_pongs_is_not_read() {
    let (_runtime, server) = start(Server::builder().upgrade_timeout(Duration::from_secs(600)));
    let sid = get(server.addr, OPEN, &[]).sid();
    let (mut socket, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!(answer.status, 101);
    socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Pings of 125 bytes, as many as fit into a write.
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[7; 125]].concat();
    let pings = ping.repeat(500);
    let mut sent = 0;
    let stopped = loop {
        match socket.write(&pings[sent % ping.len()..]) {
            Ok(count) => sent += count,
            Err(error) => break error.kind(),
        }
        // Many times what the kernel holds in both directions.
        assert!(sent < 200 << 20, "{sent} bytes of pings were read");
    };
    assert!(matches!(stopped, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped:?}");

    // Whoever reads is read from: the rest of a ping, and then the probe.
    let mut writing = socket.try_clone().unwrap();
    writing.set_write_timeout(None).unwrap();
    let rest = ping[sent % ping.len()..].to_vec();
    let writer = std::thread::spawn(move || {
        if rest.len() < 131 {
            writing.write_all(&rest).unwrap();
        }
        writing.write_all(&[0x81, 0x86, 0, 0, 0, 0]).unwrap();
        writing.write_all(b"2probe").unwrap();
    });
    let (mut pongs, pong) = (0, [&[0x8a, 125][..], &[7; 125]].concat());
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).unwrap();
        let mut frame = head.to_vec();
        frame.resize(2 + usize::from(head[1]), 0);
        socket.read_exact(&mut frame[2..]).unwrap();
        if frame != pong {
            assert_eq!(frame, b"\x81\x063probe");
            break;
        }
        pongs += 1;
    }
    assert_eq!(pongs, sent.div_ceil(ping.len()), "none is lost");
    writer.join().unwrap();
}

#[test]
fn an_answer_that_is_not_taken_is_not_held() {
    let (runtime, _server, _getting) =
        unread(Server::builder().stall_timeout(Duration::from_millis(50)));
    wait_until(|| tasks(&runtime) == 1);
}

#[test]
fn no_connection_outlives_its_server() {
    let (runtime, server, _getting) = unread(Server::builder().stall_timeout(Duration::MAX));
    runtime.block_on(server.server.close(Duration::ZERO));
    // The one that accepts connections is gone, too.
    wait_until(|| runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn a_client_that_is_still_sending_gets_its_answer() {
    let (_runtime, server) = start(Server::builder().max_payload(1000));
    for _ in 0..20 {
        let target = session(&get(server.addr, OPEN, &[]).sid());
        let mut posting = connect(server.addr);
        begin(&mut posting, &format!("POST {target}"), &["Content-Length: 8000000"]);
        posting.write_all(b"\r\n").unwrap();
        // As clients do that look at the answer when all is sent. A reset would end that, and on some
        // systems take the answer along.
        for _ in 0..80 {
            posting.write_all(&[b'4'; 100_000]).unwrap();
        }
        assert_eq!(receive(&mut posting).status, 413);
    }
}

#[test]
fn a_message_that_does_not_end_is_given_up() {
    let builder = Server::builder().message_timeout(Duration::from_millis(100));
    let (runtime, mut server) = start(builder);
    let mut socket = websocket(server.addr);
    let connection = runtime.block_on(server.connection());
    // A fragment, and then an empty one now and then, for as long as the server listens.
    socket.write_all(&[0x01, 0x81, 0, 0, 0, 0, b'4']).unwrap();
    while !connection.is_closed() {
        let _ = socket.write_all(&[0x00, 0x80, 0, 0, 0, 0]);
        std::thread::sleep(Duration::from_millis(5));
    }
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::SlowPeer);
}

/// A server with a client that has asked for more than buffers take, and reads nothing of it. Two tasks
/// go on if nothing ends the client's connection: that, and the session's.
fn unread(builder: ServerBuilder) -> (Runtime, TestServer, TcpStream) {
    let builder = builder.max_payload(2 * LARGE).send_limits(1, 2 * LARGE);
    let (runtime, mut server) = start(builder);
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    connection.try_send("x".repeat(LARGE)).unwrap();
    let mut getting = connect(server.addr);
    begin(&mut getting, &format!("GET {target}"), &[]);
    getting.write_all(b"\r\n").unwrap();
    wait_until(|| server.server.stats().messages_sent == 1);
    (runtime, server, getting)
}

/// Tasks that are alive besides the one that accepts connections.
fn tasks(runtime: &Runtime) -> usize {
    runtime.metrics().num_alive_tasks() - 1
}

/// More than every buffer between two sockets holds.
const LARGE: usize = 32 << 20;

/// A server whose connections are received from by the test, or by nobody.
fn receiving(builder: ServerBuilder) -> (Server, Receiver<Connection>) {
    let server = builder.build().unwrap();
    let (report, connections) = channel();
    server.on_connection(move |connection| {
        report.send(connection.clone()).unwrap();
        async move {
            connection.closed().await;
        }
    });
    (server, connections)
}

/// A server that pauses after each message, of which each has to follow the one before.
fn pausing() -> (Server, Receiver<Connection>) {
    struct Pausing {
        report: Sender<Connection>,
        next: AtomicUsize,
    }
    impl Handler for Pausing {
        fn connect(&self, connection: &Connection) {
            self.report.send(connection.clone()).unwrap();
        }

        fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let MessageRef::Text(text) = message else { panic!("{message:?}") };
            if text != format!("{next:05}") {
                context.connection().close_now();
            }
            context.connection().pause_reading();
        }
    }
    let server = Server::new();
    let (report, connections) = channel();
    server.set_handler(Pausing { report, next: AtomicUsize::new(0) });
    (server, connections)
}

/// Messages that have to arrive in order.
const COUNT: usize = 10_000;
