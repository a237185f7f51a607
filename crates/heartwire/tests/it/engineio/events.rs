//! What a server tells its application.

use std::sync::Arc;
use std::time::Duration;

use heartwire::engineio::client::Event;
use heartwire::engineio::{
    Connection, Context, Disconnected, Handler, MessageRef, Server, Transport,
};
use tokio::net::TcpListener;

use super::support::{client, next_event, next_message};
use crate::support::{Log, run};

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
