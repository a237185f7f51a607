//! Servers, and peers that speak bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use heartwire::repod::{
    Channel, Context, Disconnected, Frame, Handler, Message, MessageRef, SendError, Server,
    ServerBuilder,
};
use serde_json::{Value as Json, json};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::support::WATCHDOG;

/// What a server sends first, as the original does.
pub(crate) const GREETING: &[u8] = b"\x00\x00\x00\x12\x81\xa6action\xa9connected";

/// What happens at a server.
#[derive(Debug)]
pub(crate) enum Seen {
    Connected(Channel),
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
    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The next client that connects.
    pub(crate) async fn channel(&mut self) -> Channel {
        loop {
            if let Seen::Connected(channel) = self.next().await {
                return channel;
            }
        }
    }

    /// The next message that a client sends.
    pub(crate) async fn message(&mut self) -> Json {
        loop {
            if let Seen::Message(message) = self.next().await {
                return to_json(&message);
            }
        }
    }

    /// The next `count` messages that clients send.
    pub(crate) async fn messages(&mut self, count: usize) -> Vec<Json> {
        let mut messages = vec![];
        while messages.len() < count {
            messages.push(self.message().await);
        }
        messages
    }

    /// How the next connection ends.
    pub(crate) async fn disconnected(&mut self) -> Disconnected {
        loop {
            if let Seen::Disconnected(disconnected) = self.next().await {
                return disconnected;
            }
        }
    }

    /// How many messages clients send before the next connection ends.
    pub(crate) async fn count(&mut self) -> usize {
        let mut count = 0;
        loop {
            match self.next().await {
                Seen::Connected(_) => {}
                Seen::Message(_) => count += 1,
                Seen::Disconnected(_) => return count,
            }
        }
    }

    async fn next(&mut self) -> Seen {
        self.seen.recv().await.expect("the server is up")
    }
}

/// A server that reports what happens, and sends nothing by itself.
pub(crate) async fn silent(builder: ServerBuilder) -> TestServer {
    start(builder, false).await
}

/// A server that sends every message back.
pub(crate) async fn echo(builder: ServerBuilder) -> TestServer {
    start(builder, true).await
}

async fn start(builder: ServerBuilder, echoes: bool) -> TestServer {
    let server = builder.build();
    let (reports, seen) = mpsc::unbounded_channel();
    server.set_handler(Reporter { reports, echoes });
    let addr = serve(&server).await;
    TestServer { server, addr, seen }
}

/// Lets a server serve, and says where.
pub(crate) async fn serve(server: &Server) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    addr
}

/// A server for tests without a runtime: it lives as long as the runtime.
pub(crate) fn with(server: impl Future<Output = TestServer>) -> (Runtime, TestServer) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(server);
    (runtime, server)
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
    fn connect(&self, channel: &Channel) {
        self.report(Seen::Connected(channel.clone()));
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        if self.echoes {
            let _ = context.forward(message); // the peer may have gone
        }
        self.report(Seen::Message(message.to_message()));
    }

    fn disconnect(&self, _: &Channel, disconnected: &Disconnected) {
        self.report(Seen::Disconnected(disconnected.clone()));
    }
}

/// A peer that speaks bytes: the other end of a client or of a server.
pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.set_write_timeout(Some(WATCHDOG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Connects to a server.
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::new(TcpStream::connect(addr).unwrap())
    }

    /// Connects to a server, and reads its greeting.
    pub(crate) fn greeted(addr: SocketAddr) -> Self {
        let mut peer = Self::connect(addr);
        let mut greeting = [0; GREETING.len()];
        peer.0.read_exact(&mut greeting).unwrap();
        assert_eq!(greeting, GREETING);
        peer
    }

    /// The next client that connects to a listener, greeted.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let mut peer = Self::new(listener.accept().unwrap().0);
        peer.write(GREETING);
        peer
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn send(&mut self, message: &Json) {
        self.write(&frame(message));
    }

    /// The next message.
    pub(crate) fn recv(&mut self) -> Json {
        self.try_recv().expect("the other end has closed the connection")
    }

    /// The next message; `None` when the other end has closed the connection.
    pub(crate) fn try_recv(&mut self) -> Option<Json> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) => panic!("{error}"),
        }
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut payload).unwrap();
        Some(to_json(&Message::decode(&payload).unwrap().unwrap()))
    }

    /// Every message until the other end closes the connection.
    pub(crate) fn rest(mut self) -> Vec<Json> {
        std::iter::from_fn(|| self.try_recv()).collect()
    }

    /// Goes without saying so: the other end gets a reset.
    pub(crate) fn reset(self) {
        SockRef::from(&self.0).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A listener whose queue is full: who connects waits, as where nobody answers.
pub(crate) struct Unanswering {
    listener: Socket,
    addr: SocketAddr,
    inside: Vec<TcpStream>,
}

impl Unanswering {
    pub(crate) fn bind() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap().as_socket().unwrap();
        let mut inside = vec![];
        while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(500)) {
            inside.push(stream);
            assert!(inside.len() < 100, "this system lets everybody in");
        }
        Self { listener, addr, inside }
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Who has come since.
    pub(crate) fn newcomers(&self) -> Vec<SocketAddr> {
        self.listener.set_nonblocking(true).unwrap();
        let known: Vec<_> = self.inside.iter().map(|inside| inside.local_addr().unwrap()).collect();
        std::iter::from_fn(|| self.listener.accept().ok())
            .map(|(_, addr)| addr.as_socket().unwrap())
            .filter(|addr| !known.contains(addr))
            .collect()
    }
}

/// Sends until nothing more is taken, also by the network.
pub(crate) async fn fill(channel: &Channel, message: &Json) {
    let mut full = 0;
    while full < 50 {
        match channel.try_send(message) {
            Ok(_) => full = 0,
            Err(SendError::Full { .. }) => {
                full += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A port where nobody listens.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A connection, or what is to become one, as Linux lists it.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) state: u8,
    pub(crate) timer: u8,
    /// Hundredths of a second until the timer fires.
    pub(crate) due: u64,
}

/// The sockets with this port on their own side, if it is given, and that one on the other.
#[cfg(target_os = "linux")]
pub(crate) fn listed(local: Option<u16>, remote: u16) -> Vec<Listed> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = |address: &str| u16::from_str_radix(address.split_once(':').unwrap().1, 16).unwrap();
    let listed = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let wanted =
            port(fields[2]) == remote && local.is_none_or(|local| port(fields[1]) == local);
        let (timer, due) = fields[5].split_once(':').unwrap();
        wanted.then(|| Listed {
            state: u8::from_str_radix(fields[3], 16).unwrap(),
            timer: u8::from_str_radix(timer, 16).unwrap(),
            due: u64::from_str_radix(due, 16).unwrap(),
        })
    });
    listed.collect()
}

/// Whether somebody asks for a connection to this port and has no answer.
#[cfg(target_os = "linux")]
pub(crate) fn is_asked_for(port: u16) -> bool {
    const SYN_SENT: u8 = 2;
    listed(None, port).iter().any(|socket| socket.state == SYN_SENT)
}

/// The bytes of a message.
pub(crate) fn frame(message: &Json) -> Vec<u8> {
    Frame::encode(message).unwrap().as_bytes().to_vec()
}

pub(crate) fn to_json(message: &Message) -> Json {
    serde_json::to_value(message).unwrap()
}

/// A message with a number.
pub(crate) fn number(number: usize) -> Json {
    json!({"action": "number", "number": number})
}

/// Numbered messages, so that loss, doubling and disorder show.
pub(crate) fn numbered(count: usize) -> Vec<Json> {
    (0..count).map(number).collect()
}

/// What a server sends first, as a message.
pub(crate) fn greeting() -> Json {
    json!({"action": "connected"})
}

impl Peer {
    /// How many messages arrive until the other end goes, in whatever way.
    pub(crate) fn count(mut self) -> usize {
        let mut bytes = vec![];
        let _ = self.0.read_to_end(&mut bytes);
        let mut rest = &bytes[..];
        let mut count = 0;
        while let Some((length, content)) = rest.split_first_chunk::<4>() {
            let Some(after) = content.get(u32::from_be_bytes(*length) as usize..) else { break };
            rest = after;
            count += 1;
        }
        count
    }
}
