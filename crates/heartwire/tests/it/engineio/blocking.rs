//! The blocking client against the server.

use std::sync::Arc;
use std::time::Duration;

use heartwire::Backoff;
use heartwire::blocking::engineio::Client;
use heartwire::engineio::client::Event;
use heartwire::engineio::{DisconnectReason, SendError, Server, Transport};
use tokio::runtime::Runtime;

use super::support::{TestServer, WAYS, client, echo, silent};
use crate::support::{Log, watched};

#[test]
fn handlers_run_in_order() {
    for (name, transports) in WAYS {
        let (_runtime, server) = with(echo(Server::builder()));
        let log = Arc::new(Log::default());
        let client_ = Client::new();
        log_everything(&client_, &log);
        client_.connect_with(client(server.url(), transports)).unwrap();
        for number in 0..100 {
            client_.send(number.to_string()).unwrap();
        }
        log.wait_for(101);
        client_.disconnect();
        let mut expected = vec!["connect".to_owned()];
        expected.extend((0..100).map(|number| format!("message {number}")));
        expected.push("disconnect client disconnect".to_owned());
        assert_eq!(log.lines(), expected, "{name}");
    }
}

#[test]
fn a_handler_may_send_and_disconnect() {
    let (_runtime, server) = with(echo(Server::builder()));
    let log = Arc::new(Log::default());
    let client = Client::new();
    log_everything(&client, &log);
    client.on_connect(|client| client.send("ping").unwrap());
    client.on_message(|client, message| {
        if message.as_text() == Some("ping") {
            client.send("pong").unwrap();
        } else {
            client.disconnect();
        }
    });
    client.connect(server.url()).unwrap();
    client.wait();
    assert_eq!(log.lines(), ["disconnect client disconnect"]);
    assert!(!client.is_connected());
}

#[test]
fn the_connect_handler_may_disconnect() {
    let (_runtime, server) = with(echo(Server::builder()));
    watched(move || {
        let log = Arc::new(Log::default());
        let client = Client::new();
        log_everything(&client, &log);
        let seen = log.clone();
        client.on_connect(move |client| {
            client.send("last words").unwrap();
            client.disconnect();
            seen.add("left");
        });
        // Often: it must not wait for what can only come later.
        for round in 1..=30 {
            client.connect(server.url()).unwrap();
            client.wait();
            let lines = log.lines();
            let ends = lines.iter().filter(|line| *line == "disconnect client disconnect").count();
            assert_eq!(ends, round, "{lines:?}");
        }
        assert_eq!(log.lines().iter().filter(|line| *line == "left").count(), 30);
    });
}

#[test]
fn reconnecting_in_the_disconnect_handler_keeps_waiters_waiting() {
    let (runtime, mut server) = with(silent(Server::builder()));
    let log = Arc::new(Log::default());
    let client = Client::new();
    let (url, seen) = (server.url(), log.clone());
    client.on_disconnect(move |client, disconnected| {
        seen.add(disconnected.reason.name());
        if seen.lines().len() < 3 {
            client.connect(&url).unwrap();
        }
    });
    client.connect(server.url()).unwrap();
    let waiter = std::thread::spawn({
        let client = client.clone();
        move || client.wait()
    });
    for round in 1..=3 {
        let connection = runtime.block_on(server.connection());
        assert!(!waiter.is_finished(), "round {round}");
        connection.close();
        log.wait_for(round);
    }
    waiter.join().unwrap();
    assert_eq!(log.lines(), ["server disconnect"; 3]);
}

#[test]
fn nothing_can_be_sent_without_a_connection() {
    let client = Client::new();
    assert!(matches!(client.send("x"), Err(SendError::Closed(_))));
    assert_eq!(client.transport(), None);
    client.wait();
    client.disconnect();
}

#[test]
fn a_client_connects_once_at_a_time() {
    let (_runtime, server) = with(echo(Server::builder()));
    let client = Client::new();
    client.connect(server.url()).unwrap();
    assert!(client.connect(server.url()).is_err());
    client.disconnect();
    client.connect(server.url()).unwrap();
    assert!(client.is_connected());
    client.disconnect();
}

#[test]
fn works_inside_an_async_runtime() {
    let (runtime, server) = with(echo(Server::builder()));
    runtime.block_on(async {
        let log = Arc::new(Log::default());
        let client = Client::new();
        log_everything(&client, &log);
        client.connect(server.url()).unwrap();
        client.send("from within").unwrap();
        log.wait_for(2);
        drop(client); // neither blocks nor panics
    });
}

#[test]
fn a_panicking_handler_ends_nothing_else() {
    let (_runtime, server) = with(echo(Server::builder()));
    let log = Arc::new(Log::default());
    let client = Client::new();
    let seen = log.clone();
    client.on_message(move |_, message| {
        if message.as_text() == Some("bad") {
            panic!("as the test wants it");
        }
        seen.add(message.as_text().unwrap());
    });
    client.connect(server.url()).unwrap();
    client.send("bad").unwrap();
    client.send("good").unwrap();
    assert_eq!(log.wait_for(1), ["good"]);
    client.disconnect();
}

#[test]
fn a_dropped_client_is_gone() {
    let (runtime, mut server) = with(silent(Server::builder()));
    let client = Client::new();
    client.on_message(|_, _| {});
    client.connect(server.url()).unwrap();
    drop(client);
    let there = runtime.block_on(server.disconnected());
    assert_eq!(there.reason, DisconnectReason::ClientDisconnect);
}

#[test]
fn a_blocked_handler_does_not_stop_the_heartbeat() {
    let builder = Server::builder()
        .ping_interval(Duration::from_millis(50))
        .ping_timeout(Duration::from_millis(50));
    let (runtime, mut server) = with(silent(builder));
    for transports in [&[Transport::Polling], &[Transport::WebSocket]] {
        let client_ = Client::new();
        let log = Arc::new(Log::default());
        let seen = log.clone();
        client_.on_message(move |_, _| {
            std::thread::sleep(Duration::from_millis(500)); // five times what the server allows
            seen.add("awake");
        });
        client_.connect_with(client(server.url(), transports)).unwrap();
        let connection = runtime.block_on(server.connection());
        connection.try_send("sleep").unwrap();
        log.wait_for(1);
        assert!(client_.is_connected() && !connection.is_closed());
        client_.disconnect();
    }
}

#[test]
fn everything_that_happens_is_told_before_it_is_handled() {
    let (_runtime, server) = with(echo(Server::builder()));
    let log = Arc::new(Log::default());
    let client_ = Client::new();
    log_everything(&client_, &log);
    log_events(&client_, &log);
    client_.connect(server.url()).unwrap();
    assert_eq!(log.wait_for(2), ["connect", "event upgraded"]);
    client_.send("hello").unwrap();
    log.wait_for(4);
    client_.disconnect();
    assert_eq!(
        log.lines()[2..],
        ["event message", "message hello", "event disconnected", "disconnect client disconnect",]
    );
}

#[test]
fn attempts_to_connect_again_are_told_until_the_last() {
    for (name, transports) in WAYS {
        let (runtime, server) = with(silent(Server::builder()));
        let log = Arc::new(Log::default());
        let client_ = Client::new();
        log_events(&client_, &log);
        let backoff = Backoff::new().initial(Duration::from_millis(10)).max_attempts(2);
        client_.connect_with(client(server.url(), transports).reconnect(backoff)).unwrap();
        if transports.len() > 1 {
            log.wait_for(1);
        }
        drop(runtime); // and with it the server and its listener
        client_.wait();
        let events: Vec<_> =
            log.lines().into_iter().filter(|line| line != "event upgraded").collect();
        assert_eq!(
            events,
            [
                "event disconnected",
                "event reconnecting 1",
                "event failed 1",
                "event reconnecting 2",
                "event failed 2",
                "event gave up, 0 unsent",
            ],
            "{name}"
        );
        assert!(!client_.is_connected());
    }
}

#[test]
fn messages_that_wait_when_no_connection_comes_again_are_counted() {
    let (runtime, server) = with(silent(Server::builder()));
    let log = Arc::new(Log::default());
    let client_ = Client::new();
    let seen = log.clone();
    client_.on_event(move |client, event| match event {
        Event::Reconnecting { .. } => {
            for _ in 0..3 {
                client.send("while nobody is there").unwrap();
            }
            client.disconnect(); // which does not wait for the attempt
        }
        Event::GaveUp { unsent } => seen.add(format!("gave up, {unsent} unsent")),
        _ => {}
    });
    let backoff = Backoff::new().initial(Duration::from_secs(3600));
    let builder = client(server.url(), &[Transport::WebSocket]).reconnect(backoff);
    client_.connect_with(builder).unwrap();
    drop(runtime);
    assert_eq!(log.wait_for(1), ["gave up, 3 unsent"]);
    client_.wait();
}

fn with(server: impl Future<Output = TestServer>) -> (Runtime, TestServer) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(server);
    (runtime, server)
}

fn log_everything(client: &Client, log: &Arc<Log>) {
    let seen = log.clone();
    client.on_connect(move |_| seen.add("connect"));
    let seen = log.clone();
    client
        .on_message(move |_, message| seen.add(format!("message {}", message.as_text().unwrap())));
    let seen = log.clone();
    client.on_disconnect(move |_, end| seen.add(format!("disconnect {}", end.reason)));
}

fn log_events(client: &Client, log: &Arc<Log>) {
    let log = log.clone();
    client.on_event(move |_, event| {
        log.add(match event {
            Event::Upgraded => "event upgraded".to_owned(),
            Event::Message(_) => "event message".to_owned(),
            Event::Disconnected(_) => "event disconnected".to_owned(),
            Event::Reconnecting { attempt, .. } => format!("event reconnecting {attempt}"),
            Event::ReconnectFailed { attempt, .. } => format!("event failed {attempt}"),
            Event::GaveUp { unsent } => format!("event gave up, {unsent} unsent"),
            other => format!("event {other:?}"),
        });
    });
}
