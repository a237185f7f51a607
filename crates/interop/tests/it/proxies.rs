//! Our server behind nginx and HAProxy: both have to see the same requests.
//!
//! The cases of the conformance suite about smuggling and HTTP send their requests, each with another request in
//! its body, to the proxy. The proxy writes a mark into every request that it passes on, which no client knows. A
//! relay between the two counts marks and answers, connection by connection: if our server has answered more
//! requests than the proxy has sent there, it has taken a body, or what else the proxy took for a part of a
//! request, for a request.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conformance::{Options, Target};
use heartwire::engineio::Server;
use interop::Software;

#[test]
fn nginx() {
    // As it is, and with as little done to requests as it can.
    agrees(Software::Nginx, "");
    agrees(
        Software::Nginx,
        "proxy_request_buffering off; ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;",
    );
}

#[test]
fn haproxy() {
    agrees(Software::Haproxy, "");
    agrees(Software::Haproxy, "option accept-invalid-http-request");
}

/// A server that takes the end of a head for the end of a request is told from others.
#[test]
fn a_server_that_disagrees_is_noticed() {
    let Some(program) = Software::Nginx.program() else { return };
    let careless = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = careless.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in careless.incoming() {
            std::thread::spawn(move || answer_heads(stream.unwrap()));
        }
    });
    let relay = Relay::start(addr);
    let proxy = Software::Nginx.start(&program, relay.addr, MARK, "");
    let mut client = TcpStream::connect(proxy.addr).unwrap();
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = hidden.len();
    write!(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{hidden}")
        .unwrap();
    client.set_read_timeout(Some(WATCHDOG)).unwrap();
    client.read_exact(&mut [0; 12]).unwrap();
    relay.wait_for(|seen| !seen.disagreements.is_empty());
}

/// Answers every head as a request of its own.
fn answer_heads(mut stream: TcpStream) {
    let mut seen = vec![];
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        while let Some(end) = find(&seen, b"\r\n\r\n") {
            seen.drain(..end + 4);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    }
}

#[track_caller]
fn agrees(software: Software, settings: &str) {
    let Some(program) = software.program() else {
        eprintln!("NOTICE: nothing is tested behind {software:?}");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::builder().build().unwrap();
    server.on_connection(|connection| async move {
        while let Some(message) = connection.recv().await {
            if connection.send(message).await.is_err() {
                return;
            }
        }
    });
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let relay = Relay::start(listener.local_addr().unwrap());
    runtime.spawn(async move { server.serve(listener).await });
    let proxy = software.start(&program, relay.addr, MARK, settings);

    let target: Target = format!("http://{}", proxy.addr).parse().unwrap();
    let cases: Vec<_> = conformance::cases(target.protocol())
        .into_iter()
        .filter(|case| ["smuggling", "http"].contains(&case.group()))
        .collect();
    // What a proxy makes of a bad request is its own affair; some wait for more of it.
    let options = Options { patience: Duration::from_secs(1), ..Options::default() };
    conformance::check(&target, &cases, &options, |_| {}).unwrap();

    // Who comes next gets the answer to what he has asked, and not one that somebody else has left.
    for _ in 0..10 {
        let mut client = TcpStream::connect(proxy.addr).unwrap();
        client.set_read_timeout(Some(WATCHDOG)).unwrap();
        let target = "/engine.io/?EIO=4&transport=polling";
        write!(client, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("0{\"sid\""), "{answer}");
    }
    let Seen { marks, answers, disagreements } = relay.seen();
    println!("{software:?} {settings}: {} cases, {marks} requests, {answers} answers", cases.len());
    assert_eq!(disagreements, [""; 0]);
    assert!(marks > cases.len(), "{marks} requests have come through of {} cases", cases.len());
}

/// Takes connections on to a server, and counts what goes over them.
struct Relay {
    addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone, Default)]
struct Seen {
    /// Requests that the proxy has sent.
    marks: usize,
    /// Requests that the server has answered.
    answers: usize,
    /// Of connections with more answers than requests: what the proxy has sent last.
    disagreements: Vec<String>,
}

impl Relay {
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { addr: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = relay.seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (client, server) = (stream.unwrap(), TcpStream::connect(server).unwrap());
                Connection::default().start(client, server, seen.clone());
            }
        });
        relay
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    #[track_caller]
    fn wait_for(&self, holds: impl Fn(&Seen) -> bool) {
        let begin = std::time::Instant::now();
        while !holds(&self.seen()) {
            assert!(begin.elapsed() < WATCHDOG, "it never is the case");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What has gone over a connection.
#[derive(Default)]
struct Connection {
    from_proxy: Scan,
    from_server: Scan,
    /// The end of what the proxy has sent.
    last: Vec<u8>,
}

impl Connection {
    fn start(self, client: TcpStream, server: TcpStream, seen: Arc<Mutex<Seen>>) {
        let connection = Arc::new(Mutex::new(self));
        for from_proxy in [true, false] {
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            if !from_proxy {
                std::mem::swap(&mut from, &mut to);
            }
            let (connection, seen) = (connection.clone(), seen.clone());
            std::thread::spawn(move || {
                let mut buffer = vec![0; 16 * 1024];
                // It is counted before it goes on: no answer comes before its request.
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    let bytes = &buffer[..count];
                    connection.lock().unwrap().pass(from_proxy, bytes, &mut seen.lock().unwrap());
                    if to.write_all(bytes).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    }

    fn pass(&mut self, from_proxy: bool, bytes: &[u8], seen: &mut Seen) {
        if from_proxy {
            seen.marks += self.from_proxy.count(bytes, |place| place.starts_with(MARK.as_bytes()));
            self.last.extend_from_slice(bytes);
            self.last.drain(..self.last.len().saturating_sub(500));
            return;
        }
        let answers = self.from_server.count(bytes, is_answer);
        seen.answers += answers;
        if answers > 0 && self.from_server.found > self.from_proxy.found {
            seen.disagreements.push(self.last.escape_ascii().to_string());
        }
    }
}

/// Counts places in a stream that comes in pieces.
#[derive(Default)]
struct Scan {
    /// Bytes from which on nothing has been looked at.
    rest: Vec<u8>,
    found: usize,
}

impl Scan {
    /// How many of the places that can be told now are `wanted`, by the bytes that begin there.
    fn count(&mut self, bytes: &[u8], wanted: impl Fn(&[u8]) -> bool) -> usize {
        self.rest.extend_from_slice(bytes);
        let looked_at = self.rest.len().saturating_sub(MARK.len() - 1);
        let found = (0..looked_at).filter(|place| wanted(&self.rest[*place..])).count();
        self.rest.drain(..looked_at);
        self.found += found;
        found
    }
}

/// Whether a status line begins here, unless it says that there is more to come.
fn is_answer(bytes: &[u8]) -> bool {
    let Some((version, rest)) = bytes.split_first_chunk::<9>() else { return false };
    version.starts_with(b"HTTP/1.")
        && version.ends_with(b" ")
        && (rest.starts_with(b"101") || matches!(rest.first(), Some(b'2'..=b'5')))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// What a proxy writes into requests, and no client.
const MARK: &str = "passed-on-by-the-proxy";

/// Far longer than anything takes: it only ends what hangs.
const WATCHDOG: Duration = Duration::from_secs(60);
