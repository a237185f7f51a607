//! Servers and clients for the tests.

use std::net::SocketAddr;

use heartwire::engineio::client::Event;
use heartwire::engineio::{
    Client, ClientBuilder, Connection, Context, Disconnected, Handler, Message, MessageRef, Server,
    ServerBuilder, Transport,
};
use heartwire::tls::ServerTls;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// What happens at a server.
#[derive(Debug)]
pub(crate) enum Seen {
    Connected(Connection),
    Message(Message),
    Disconnected(Disconnected),
}

/// A server that is up, and what happens at it.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
}

impl TestServer {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next client that connects.
    pub(crate) async fn connection(&mut self) -> Connection {
        loop {
            if let Seen::Connected(connection) = self.seen.recv().await.unwrap() {
                return connection;
            }
        }
    }

    /// The next message that a client sends.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            if let Seen::Message(message) = self.seen.recv().await.unwrap() {
                return message;
            }
        }
    }

    /// How the next connection ends.
    pub(crate) async fn disconnected(&mut self) -> Disconnected {
        loop {
            if let Seen::Disconnected(disconnected) = self.seen.recv().await.unwrap() {
                return disconnected;
            }
        }
    }

    /// The next `count` messages that clients send.
    pub(crate) async fn messages(&mut self, count: usize) -> Vec<Message> {
        let mut messages = vec![];
        while messages.len() < count {
            messages.push(self.message().await);
        }
        messages
    }
}

/// Lets a server listen, on a runtime of its own.
pub(crate) fn listen(server: &Server) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = server.clone();
    runtime.spawn(async move { serving.serve(listener).await });
    (runtime, addr)
}

/// A server that reports what happens, and sends nothing by itself.
pub(crate) async fn silent(builder: ServerBuilder) -> TestServer {
    start(builder, false).await
}

/// A server that sends every message back, over TLS.
pub(crate) async fn echo_over(builder: ServerBuilder, tls: ServerTls) -> TestServer {
    let (server, seen) = build(builder, true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = server.clone();
    tokio::spawn(async move { serving.serve_tls(listener, &tls).await });
    TestServer { server, addr, seen }
}

/// A server that sends every message back.
pub(crate) async fn echo(builder: ServerBuilder) -> TestServer {
    start(builder, true).await
}

fn build(builder: ServerBuilder, echoes: bool) -> (Server, mpsc::UnboundedReceiver<Seen>) {
    let server = builder.build().unwrap();
    let (reports, seen) = mpsc::unbounded_channel();
    server.set_handler(Reporter { reports, echoes });
    (server, seen)
}

async fn start(builder: ServerBuilder, echoes: bool) -> TestServer {
    let (server, seen) = build(builder, echoes);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    TestServer { server, addr, seen }
}

struct Reporter {
    reports: mpsc::UnboundedSender<Seen>,
    echoes: bool,
}

impl Reporter {
    fn report(&self, seen: Seen) {
        let _ = self.reports.send(seen);
    }
}

impl Handler for Reporter {
    fn connect(&self, connection: &Connection) {
        self.report(Seen::Connected(connection.clone()));
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        if self.echoes {
            context.reply(message).unwrap();
        }
        self.report(Seen::Message(message.to_message()));
    }

    fn disconnect(&self, _: &Connection, disconnected: &Disconnected) {
        self.report(Seen::Disconnected(disconnected.clone()));
    }
}

/// The ways to reach a server: over each transport alone, and by an upgrade.
pub(crate) const WAYS: [(&str, &[Transport]); 3] = [
    ("polling", &[Transport::Polling]),
    ("websocket", &[Transport::WebSocket]),
    ("upgrade", &[Transport::Polling, Transport::WebSocket]),
];

/// A client that goes one of the [`WAYS`].
pub(crate) fn client(url: impl Into<String>, transports: &[Transport]) -> ClientBuilder {
    Client::builder(url).transports(transports.iter().copied())
}

/// Connects, waits for the upgrade if that is the way, and sees that messages come back.
pub(crate) async fn echoes(way: &str, builder: ClientBuilder) {
    let client = builder.connect().await.unwrap();
    if way == "upgrade" {
        next_event(&client, |event| matches!(event, Event::Upgraded)).await;
    }
    for message in [Message::from("hello"), Message::from(vec![0, 1, 255])] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(next_message(&client).await, message);
    }
    client.disconnect().await;
}

/// The next event that passes a test.
pub(crate) async fn next_event(client: &Client, test: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = client.next().await.expect("the client has not ended");
        if test(&event) {
            return event;
        }
        if let Event::Disconnected(disconnected) = event {
            println!("{disconnected}");
        }
    }
}

/// The next message, past other events.
pub(crate) async fn next_message(client: &Client) -> Message {
    loop {
        match client.next().await.expect("the connection is open") {
            Event::Message(message) => return message,
            Event::Disconnected(disconnected) => panic!("{disconnected}"),
            _ => {}
        }
    }
}

/// How the connection ends.
pub(crate) async fn disconnected(client: &Client) -> Disconnected {
    loop {
        if let Event::Disconnected(disconnected) = client.next().await.expect("an end is told") {
            return disconnected;
        }
    }
}

/// Messages of every kind that tends to be forgotten.
pub(crate) fn odd_messages() -> Vec<Message> {
    vec![
        "text".into(),
        "".into(),
        "ünïcödé 🎈 \u{0}".into(),
        "4".into(),
        "2probe".into(),
        (&[0_u8, 1, 255][..]).into(),
        (&[][..]).into(),
        vec![0x1e; 3].into(),
        "x".repeat(100_000).into(),
        vec![0xfe; 100_000].into(),
    ]
}

/// Numbered texts, so that loss, doubling and disorder show.
pub(crate) fn numbered(name: &str, count: usize) -> Vec<Message> {
    (0..count).map(|number| Message::from(format!("{name} {number}"))).collect()
}
