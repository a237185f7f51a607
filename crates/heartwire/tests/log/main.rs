//! What stands in the log of a server. A program of its own: a process has one subscriber.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartwire::engineio::Server;
use heartwire::engineio::client::{Client, Event};
use tokio::net::TcpListener;
use tracing::Level;

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
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let test = async {
        let server = Server::new();
        server
            .on_connection(|connection| async move { while connection.recv().await.is_some() {} });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        let client = Client::connect(&url).await.unwrap();
        while !matches!(client.next().await, Some(Event::Upgraded)) {}
        client.disconnect().await;
        while !server.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(Client::builder(&url).path("/elsewhere/").connect().await.is_err());
        server.close(WATCHDOG).await;
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

const WATCHDOG: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
