//! One connection, as the application sees it.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use heartwire::engineio::{
    Connection, Context, DisconnectReason, Disconnected, Handler, MessageRef, NotWritten,
    PreparedMessage, Refusal, SendError, Server, Transport, Written,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::wire::{
    OPEN, connect, get, post, read_close, read_frame, read_text, session, start, upgrade,
    websocket, write_frame, write_text,
};

#[test]
fn a_message_is_written_when_the_network_has_taken_it() {
    let (runtime, mut server) = start(Server::builder());
    let mut socket = websocket(server.addr);
    let connection = runtime.block_on(server.connection());
    let small = connection.try_send_tracked("small").unwrap();
    assert_eq!(runtime.block_on(small), Ok(()));

    // Far more than buffers take.
    let large = vec![7; 64 << 20];
    let mut before = runtime.block_on(connection.send_tracked("before")).unwrap();
    let mut written = connection.try_send_tracked(large.clone()).unwrap();
    runtime.block_on(async { (&mut before).await }).unwrap();
    // It has left the queue, and is counted until the network has taken it.
    wait_until(|| connection.waiting().0 == 1 && connection.waiting().1 < large.len());
    assert!(connection.waiting().1 > large.len() / 2, "{:?}", connection.waiting());
    assert!(!is_ready(&mut written), "it waits for a client that does not read");
    assert_eq!(read_text(&mut socket), "4small");
    assert_eq!(read_text(&mut socket), "4before");
    assert_eq!(read_frame(&mut socket), (0x82, large));
    assert_eq!(runtime.block_on(written), Ok(()));
    wait_until(|| connection.waiting() == (0, 0));
}

#[test]
fn a_client_that_never_polls_fills_its_queue_and_no_more() {
    let builder = Server::builder().send_limits(3, 100);
    let (runtime, mut server) = start(builder);
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    for text in ["a", "b", "c"] {
        connection.try_send(text).unwrap();
    }
    let full = |error: SendError| matches!(error, SendError::Full { .. });
    assert!(full(connection.try_send("d").unwrap_err()));
    assert!(full(connection.try_send_tracked("d").unwrap_err()));
    assert!(full(connection.try_send_prepared(&PreparedMessage::new("d")).unwrap_err()));
    assert_eq!(server.server.broadcast("d"), std::slice::from_ref(&connection));
    assert_eq!(connection.waiting(), (3, 3), "what was refused leaves nothing");
    let mut patient = pin!(connection.send("e"));
    let mut cx = TaskContext::from_waker(Waker::noop());
    assert!(patient.as_mut().poll(&mut cx).is_pending(), "there is no room");
    assert_eq!(get(server.addr, &target, &[]).text(), "4a\u{1e}4b\u{1e}4c");
    runtime.block_on(patient).unwrap();
    assert!(full(connection.try_send(vec![0; 101]).unwrap_err()), "bytes count too");
    assert_eq!(get(server.addr, &target, &[]).text(), "4e");
    connection.close_now();
    assert!(matches!(connection.try_send("late"), Err(SendError::Closed(_))));
}

#[test]
fn a_message_that_was_not_written_is_told() {
    let (runtime, mut server) = start(Server::builder().send_limits(2, usize::MAX));
    let socket = websocket(server.addr);
    let connection = runtime.block_on(server.connection());
    let written = connection.try_send_tracked(vec![7; 64 << 20]).unwrap();
    let behind = connection.try_send_tracked("behind").unwrap();
    drop(socket);
    assert_eq!(runtime.block_on(written), Err(NotWritten));
    assert_eq!(runtime.block_on(behind), Err(NotWritten));
    assert_eq!(runtime.block_on(server.disconnected()).unsent, 2);

    let _sid = get(server.addr, OPEN, &[]).sid();
    let connection = runtime.block_on(server.connection());
    let written = connection.try_send_tracked("for nobody").unwrap();
    connection.close_now();
    assert_eq!(runtime.block_on(written), Err(NotWritten));
    assert_eq!(runtime.block_on(server.disconnected()).unsent, 1);
    assert!(connection.try_send_tracked("late").is_err());
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let builder = Server::builder().stall_timeout(Duration::from_millis(100));
    let (runtime, mut server) = start(builder);
    let _socket = websocket(server.addr);
    let connection = runtime.block_on(server.connection());
    let written = connection.try_send_tracked(vec![7; 64 << 20]).unwrap();
    let end = runtime.block_on(server.disconnected());
    assert_eq!((end.reason, end.unsent), (DisconnectReason::SlowPeer, 1));
    assert_eq!(runtime.block_on(written), Err(NotWritten));
}

#[test]
fn over_polling_a_message_is_written_with_the_answer_to_a_get() {
    let (runtime, mut server) = start(Server::builder());
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    let mut first = connection.try_send_tracked("first").unwrap();
    let second = connection.try_send_tracked(&[1, 2][..]).unwrap();
    assert!(!is_ready(&mut first), "nobody has asked for it");
    assert_eq!(get(server.addr, &target, &[]).text(), "4first\u{1e}bAQI=");
    assert_eq!(runtime.block_on(first), Ok(()));
    assert_eq!(runtime.block_on(second), Ok(()));
}

#[test]
fn what_waits_during_an_upgrade_is_written_after_it() {
    let (runtime, mut server) = start(Server::builder());
    let sid = get(server.addr, OPEN, &[]).sid();
    let connection = runtime.block_on(server.connection());
    let mut written = connection.try_send_tracked("waits").unwrap();
    let (mut socket, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    assert!(!is_ready(&mut written));
    write_text(&mut socket, "5");
    assert_eq!(read_text(&mut socket), "4waits");
    assert_eq!(runtime.block_on(written), Ok(()));
}

#[test]
fn a_prepared_message_reaches_every_transport() {
    let (runtime, mut server) = start(Server::builder());
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let polling = runtime.block_on(server.connection());
    let mut socket = websocket(server.addr);
    let websocket = runtime.block_on(server.connection());
    for message in [PreparedMessage::new("é"), PreparedMessage::new(vec![0xff; 3])] {
        for connection in [&polling, &websocket] {
            runtime.block_on(connection.send_prepared(&message)).unwrap();
            connection.try_send_prepared(&message).unwrap();
        }
    }
    assert_eq!(get(server.addr, &target, &[]).text(), "4é\u{1e}4é\u{1e}b////\u{1e}b////");
    for expected in [(0x81, "4é".as_bytes()), (0x82, &[0xff; 3])] {
        for _ in 0..2 {
            assert_eq!(read_frame(&mut socket), (expected.0, expected.1.to_vec()));
        }
    }
}

#[test]
fn what_waits_is_counted() {
    let (runtime, mut server) = start(Server::builder().send_limits(3, 100));
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    assert_eq!(connection.waiting(), (0, 0));
    connection.try_send("12345").unwrap();
    connection.try_send(vec![0; 20]).unwrap();
    assert_eq!(connection.waiting(), (2, 25));
    get(server.addr, &target, &[]);
    assert_eq!(connection.waiting(), (0, 0));
}

#[test]
fn closing_flushes_or_discards() {
    let (runtime, mut server) = start(Server::builder());
    // Over polling with nobody there: what is flushed waits for the next GET.
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    connection.try_send("last words").unwrap();
    connection.close();
    assert!(connection.try_send("too late").is_err());
    assert_eq!(get(server.addr, &target, &[]).text(), "4last words\u{1e}1");
    let end = runtime.block_on(server.disconnected());
    assert_eq!((end.reason, end.unsent), (DisconnectReason::ServerDisconnect, 0));

    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    connection.try_send("never heard").unwrap();
    connection.close_now();
    let end = runtime.block_on(server.disconnected());
    assert_eq!((end.reason, end.unsent), (DisconnectReason::ServerDisconnect, 1));
    assert_eq!(get(server.addr, &target, &[]).status, 400);

    let mut socket = websocket(server.addr);
    let connection = runtime.block_on(server.connection());
    connection.try_send("last words").unwrap();
    connection.close();
    assert_eq!(read_text(&mut socket), "4last words");
    assert_eq!(read_text(&mut socket), "1");
    assert_eq!(read_close(&mut socket), None);
}

#[test]
fn the_end_of_a_connection_is_described() {
    use DisconnectReason::{ParseError, PayloadTooLarge, TransportClose, TransportError};
    let (runtime, mut server) = start(Server::builder().max_payload(100));
    let long = "4".repeat(101);
    for (body, headers, reason, detail) in [
        ("4a\u{1e}7x", &[][..], ParseError, "packet type '7', expected 0 to 6 or b"),
        ("b!", &[], ParseError, "binary packet that is not base64"),
        ("", &[], ParseError, "empty packet"),
        ("2", &[], TransportError, "ping from a client"),
        (&*long, &[], PayloadTooLarge, "Payload too large"),
        ("4a", &["Content-Encoding: gzip"], TransportError, "Unsupported content encoding"),
    ] {
        let target = session(&get(server.addr, OPEN, &[]).sid());
        post(server.addr, &target, headers, body.as_bytes());
        let end = runtime.block_on(server.disconnected());
        assert_eq!((end.reason, end.detail.as_deref()), (reason, Some(detail)), "{body:?}");
    }
    for (first, payload, reason, detail) in [
        (0x81, &b"7x"[..], ParseError, "packet type '7', expected 0 to 6 or b"),
        (0x81, b"", ParseError, "empty packet"),
        (0x81, b"2probe", TransportError, "ping from a client"),
        (0x81, b"4\xff", TransportError, "text that is not UTF-8"),
        (0xc1, b"4a", TransportError, "reserved bits 100 are set"),
    ] {
        let mut socket = websocket(server.addr);
        write_frame(&mut socket, first, payload);
        let end = runtime.block_on(server.disconnected());
        assert_eq!((end.reason, end.detail.as_deref()), (reason, Some(detail)), "{payload:?}");
    }
    // Two GETs at once.
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let mut waiting = connect(server.addr);
    write!(waiting, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut second = get(server.addr, &target, &[]);
    if second.status == 200 {
        // It has come first.
        assert_eq!(second.text(), "1");
        second = super::wire::receive(&mut waiting);
    }
    assert_eq!(second.status, 400);
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.detail.as_deref(), Some("GET while another one waits"));
    // Ends that need no words have none.
    drop(websocket(server.addr));
    let end = runtime.block_on(server.disconnected());
    assert_eq!((end.reason, end.detail), (TransportClose, None));
}

#[test]
fn a_paused_websocket_is_not_read() {
    let (runtime, mut server) = start_pausing(Server::builder());
    let mut socket = websocket(server.addr);
    let connection = server.connection(&runtime);
    let mut frames = vec![];
    for number in 0..1000 {
        let text = if number % 100 == 0 { "4pause".to_owned() } else { format!("4{number}") };
        frames.extend([0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
        frames.extend_from_slice(text.as_bytes());
    }
    socket.write_all(&frames).unwrap();
    let mut other = websocket(server.addr);
    for number in 0..1000 {
        let expected = if number % 100 == 0 { "pause".to_owned() } else { number.to_string() };
        assert_eq!(server.message(&runtime), expected);
        if number % 100 == 0 {
            // Others are served meanwhile, and nothing comes from this one.
            write_text(&mut other, "4other");
            assert_eq!(server.message(&runtime), "other");
            assert!(server.messages.try_recv().is_err());
            connection.resume_reading();
        }
    }
    // A paused connection can be sent to, and closed.
    write_text(&mut socket, "4pause");
    assert_eq!(server.message(&runtime), "pause");
    connection.try_send("down").unwrap();
    assert_eq!(read_text(&mut socket), "4down");
    connection.close();
    assert_eq!(read_text(&mut socket), "1");
    assert_eq!(read_close(&mut socket), None);
}

#[test]
fn a_paused_post_is_answered_when_reading_goes_on() {
    let (runtime, mut server) = start_pausing(Server::builder());
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = server.connection(&runtime);
    let addr = server.addr;
    let posted = target.clone();
    let post = std::thread::spawn(move || {
        post(addr, &posted, &[], "4pause\u{1e}4next".as_bytes()).text().to_owned()
    });
    assert_eq!(server.message(&runtime), "pause");
    connection.try_send("down").unwrap();
    assert_eq!(get(addr, &target, &[]).text(), "4down", "the way down is open");
    assert!(!post.is_finished());
    assert!(server.messages.try_recv().is_err());
    connection.resume_reading();
    assert_eq!(post.join().unwrap(), "ok");
    assert_eq!(server.message(&runtime), "next");
}

#[test]
fn a_paused_session_can_end() {
    // Whether the second message was taken before the session ended is chance; if it was, it is delivered.
    let delivered = (0..50).any(|_| paused_session_delivers_what_was_taken());
    assert!(delivered, "what was taken is delivered");
}

fn paused_session_delivers_what_was_taken() -> bool {
    let (runtime, mut server) = start_pausing(Server::builder());
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let _connection = server.connection(&runtime);
    let mut posting = connect(server.addr);
    write!(
        posting,
        "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n4pause\u{1e}4after"
    )
    .unwrap();
    assert_eq!(server.message(&runtime), "pause");
    std::thread::sleep(Duration::from_millis(20));
    // A second POST ends the session.
    let second = post(server.addr, &target, &[], b"4x");
    assert_eq!(second.status, 400);
    let end = runtime.block_on(server.ends.recv()).unwrap();
    assert_eq!(end.detail.as_deref(), Some("POST while another one is under way"));
    let message = async {
        tokio::time::timeout(Duration::from_secs(1), server.messages.recv()).await.ok().flatten()
    };
    runtime.block_on(message).is_some_and(|message| message == "after")
}

#[test]
fn who_is_not_read_from_is_not_late() {
    let builder = Server::builder()
        .ping_interval(Duration::from_millis(20))
        .ping_timeout(Duration::from_millis(20));
    let (runtime, mut server) = start_pausing(builder);
    let mut socket = websocket(server.addr);
    let connection = server.connection(&runtime);
    write_text(&mut socket, "4pause");
    assert_eq!(server.message(&runtime), "pause");
    std::thread::sleep(Duration::from_millis(500)); // many times what a client has
    assert!(!connection.is_closed());
    connection.resume_reading();
    let end = runtime.block_on(server.ends.recv()).unwrap();
    assert_eq!(end.reason, DisconnectReason::PingTimeout, "now it is");
}

#[test]
fn a_server_counts() {
    let (runtime, mut server) = start(Server::builder());
    let sid = get(server.addr, OPEN, &[]).sid();
    let target = session(&sid);
    assert_eq!(post(server.addr, &target, &[], "4ab\u{1e}4c".as_bytes()).text(), "ok");
    runtime.block_on(server.messages(2));
    assert_eq!(get(server.addr, &target, &[]).text(), "4ab\u{1e}4c");
    let mut socket = websocket(server.addr);
    write_text(&mut socket, "4hello");
    assert_eq!(read_text(&mut socket), "4hello");
    for query in ["", "?EIO=4", "?EIO=4&transport=polling&sid=no"] {
        get(server.addr, &format!("/engine.io/{query}"), &[]);
    }
    get(server.addr, "/elsewhere", &[]);
    let stats = server.server.stats();
    assert_eq!((stats.polling, stats.websocket, stats.connected), (1, 1, 2));
    assert_eq!((stats.messages_received, stats.messages_sent), (3, 3));
    // The bodies of two requests; and frames as RFC 6455 has them: 2 bytes, 4 of a mask, 6 of text.
    assert_eq!(stats.bytes_received, 6 + 12);
    assert_eq!(stats.bytes_sent, 6 + 8);
    let refused: Vec<_> = stats.refused.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(
        refused,
        [(Refusal::NotFound, 1), (Refusal::UnknownTransport, 2), (Refusal::UnknownSession, 1)]
    );

    let (mut probe, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    write_text(&mut probe, "4wrong");
    assert_eq!(read_close(&mut probe), None);
    wait_until(|| server.server.stats().upgrades_abandoned == 1);
    let (mut probe, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    write_text(&mut probe, "2probe");
    assert_eq!(read_text(&mut probe), "3probe");
    write_text(&mut probe, "5");
    write_text(&mut probe, "4over");
    assert_eq!(read_text(&mut probe), "4over");
    let stats = server.server.stats();
    assert_eq!((stats.polling, stats.websocket, stats.upgraded), (0, 2, 1));

    drop((socket, probe));
    runtime.block_on(server.disconnected());
    runtime.block_on(server.disconnected());
    let stats = server.server.stats();
    assert_eq!((stats.polling, stats.websocket, stats.connected), (0, 0, 2));
    let gone: Vec<_> = stats.disconnected.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(gone, [(DisconnectReason::TransportClose, 2)]);
}

#[test]
fn unsent_messages_are_counted() {
    let (runtime, mut server) = start(Server::builder());
    get(server.addr, OPEN, &[]);
    let connection = runtime.block_on(server.connection());
    assert_eq!(connection.transport(), Transport::Polling);
    connection.try_send("a").unwrap();
    connection.try_send("b").unwrap();
    connection.close_now();
    runtime.block_on(server.disconnected());
    assert_eq!(server.server.stats().messages_unsent, 2);
}

/// A server that pauses a connection that says so, and what it hears.
struct PausingServer {
    addr: SocketAddr,
    connections: mpsc::UnboundedReceiver<Connection>,
    messages: mpsc::UnboundedReceiver<String>,
    ends: mpsc::UnboundedReceiver<Disconnected>,
}

impl PausingServer {
    fn connection(&mut self, runtime: &Runtime) -> Connection {
        runtime.block_on(self.connections.recv()).unwrap()
    }

    fn message(&mut self, runtime: &Runtime) -> String {
        runtime.block_on(self.messages.recv()).unwrap()
    }
}

struct Pausing {
    connections: mpsc::UnboundedSender<Connection>,
    messages: mpsc::UnboundedSender<String>,
    ends: mpsc::UnboundedSender<Disconnected>,
}

impl Handler for Pausing {
    fn connect(&self, connection: &Connection) {
        self.connections.send(connection.clone()).unwrap();
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let text = message.to_message().as_text().unwrap().to_owned();
        if text == "pause" {
            context.connection().pause_reading();
        }
        self.messages.send(text).unwrap();
    }

    fn disconnect(&self, _: &Connection, disconnected: &Disconnected) {
        // The last one may come when the test is over.
        let _ = self.ends.send(disconnected.clone());
    }
}

fn start_pausing(builder: heartwire::engineio::ServerBuilder) -> (Runtime, PausingServer) {
    let runtime = Runtime::new().unwrap();
    let server = builder.build().unwrap();
    let (connections, connected) = mpsc::unbounded_channel();
    let (messages, heard) = mpsc::unbounded_channel();
    let (ends, ended) = mpsc::unbounded_channel();
    server.set_handler(Pausing { connections, messages, ends });
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    runtime.spawn(async move { server.serve(listener).await });
    (runtime, PausingServer { addr, connections: connected, messages: heard, ends: ended })
}

fn is_ready(written: &mut Written) -> bool {
    let mut cx = TaskContext::from_waker(Waker::noop());
    matches!(pin!(written).poll(&mut cx), Poll::Ready(_))
}

#[track_caller]
fn wait_until(holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < crate::support::WATCHDOG, "it never holds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_new_certificate_serves_new_connections_and_keeps_the_old() {
    use heartwire::engineio::Client;
    use heartwire::engineio::client::Event;
    use heartwire::tls::ServerTls;

    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (old, new) = (make(), make());
    let tls = ServerTls::from_pem(old.cert.pem(), old.signing_key.serialize_pem()).unwrap();
    crate::support::run(async {
        let server = Server::builder().cookie(heartwire::engineio::Cookie::new("io"));
        let server = server.build().unwrap();
        server.on_connection(|connection| async move {
            while let Some(message) = connection.recv().await {
                let _ = connection.send(message).await;
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (serving, shown) = (server.clone(), tls.clone());
        tokio::spawn(async move { serving.serve_tls(listener, &shown).await });
        let connect = async |trusted: &str, transports: &[Transport]| {
            Client::builder(&url)
                .transports(transports.iter().copied())
                .authorities(trusted)
                .connect()
                .await
        };
        let echo = async |client: &Client| {
            client.send("there?").await.unwrap();
            loop {
                match client.next().await.unwrap() {
                    Event::Message(message) => break assert_eq!(message.as_text(), Some("there?")),
                    Event::Disconnected(end) => panic!("{end}"),
                    _ => {}
                }
            }
        };
        let first = connect(&old.cert.pem(), &[Transport::WebSocket]).await.unwrap();
        echo(&first).await;
        assert!(tls.reload("nonsense", "nonsense").is_err());
        let second = connect(&old.cert.pem(), &Transport::ALL).await.unwrap();
        echo(&second).await;
        tls.reload(new.cert.pem(), new.signing_key.serialize_pem()).unwrap();
        assert!(connect(&old.cert.pem(), &Transport::ALL).await.is_err());
        let third = connect(&new.cert.pem(), &Transport::ALL).await.unwrap();
        for client in [&first, &second, &third] {
            echo(client).await;
        }
    });
}
