//! What a server tells its application, and whoever reads its log.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartwire::engineio::client::Event;
use heartwire::engineio::{
    Connection, Context, Disconnected, Handler, MessageRef, Server, Transport,
};
use tokio::net::TcpListener;
use tracing::Level;

use super::support::{client, next_event, next_message};
use crate::support::{Log, WATCHDOG, run};

#[test]
fn a_handler_is_told_of_the_upgrade_once_and_in_its_place() {
    run(async {
        let log = Arc::new(Log::default());
        let (_server, url) = serve(log.clone()).await;
        let both = [Transport::Polling, Transport::WebSocket];
        let upgrading = client(&url, &both).connect().await.unwrap();
        next_event(&upgrading, |event| matches!(event, Event::Upgraded)).await;
        upgrading.send("over a WebSocket").await.unwrap();
        next_message(&upgrading).await;
        upgrading.disconnect().await;
        let upgraded =
            ["connect polling", "upgraded websocket", "message websocket", "disconnect websocket"];
        assert_eq!(lines(&log, 4).await, upgraded);
        for transport in both {
            let client = client(&url, &[transport]).connect().await.unwrap();
            client.disconnect().await;
        }
        let others =
            ["connect polling", "disconnect polling", "connect websocket", "disconnect websocket"];
        assert_eq!(lines(&log, 8).await[4..], others);
    });
}

#[test]
fn what_happens_stands_in_the_log() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    // Everything on one thread, whose subscriber this is.
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = async {
        let log = Arc::new(Log::default());
        let (_server, url) = serve(log.clone()).await;
        let ways = [Transport::Polling, Transport::WebSocket];
        let client = client(&url, &ways).connect().await.unwrap();
        next_event(&client, |event| matches!(event, Event::Upgraded)).await;
        client.disconnect().await;
        lines(&log, 3).await;
        let wrong = super::support::client(&url, &ways).path("/elsewhere/").connect().await;
        assert!(wrong.is_err());
    };
    runtime.block_on(async { tokio::time::timeout(WATCHDOG, test).await }).unwrap();
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| line.contains("heartwire::engineio::server")).collect();
    for (event, fields) in [
        ("connected", &["session=", "transport=polling", "client=127.0.0.1"][..]),
        ("upgraded", &["session="]),
        ("disconnected", &["session=", "reason=client disconnect", "unsent=0"]),
        ("request refused", &["refusal=NotFound"]),
    ] {
        let is_event = |line: &&&str| line.contains(&format!(": {event}"));
        let found: Vec<_> = lines.iter().filter(is_event).collect();
        assert!(!found.is_empty(), "{event}: {text}");
        for field in fields {
            assert!(found.iter().all(|line| line.contains(field)), "{field}: {found:?}");
        }
    }
}

/// A server that sends everything back and writes down what it is told.
async fn serve(log: Arc<Log>) -> (Server, String) {
    let server = Server::new();
    server.set_handler(Teller(log));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    (server, url)
}

/// The log, once it has `count` lines.
async fn lines(log: &Log, count: usize) -> Vec<String> {
    while log.lines().len() < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    log.lines()
}

struct Teller(Arc<Log>);

impl Handler for Teller {
    fn connect(&self, connection: &Connection) {
        self.0.add(format!("connect {}", connection.transport()));
    }

    fn upgraded(&self, connection: &Connection) {
        self.0.add(format!("upgraded {}", connection.transport()));
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        self.0.add(format!("message {}", context.connection().transport()));
        context.reply(message).unwrap();
    }

    fn disconnect(&self, connection: &Connection, _: &Disconnected) {
        self.0.add(format!("disconnect {}", connection.transport()));
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
