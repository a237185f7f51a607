//! What peers say does not stand in the log: no control characters, no session ids, no messages, and
//! nothing long. A program of its own: a process has one subscriber.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod listening;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heartwire::engineio::client::Event;
use heartwire::engineio::{self, Connection, Context, Handler, MessageRef, TrustedProxies};
use heartwire::repod;
use heartwire::tls::ServerTls;
use tokio::runtime::Runtime;

use self::listening::Listening;

/// What a log must not repeat: line ends, a sequence that terminals obey, in both of its forms, and a
/// character that turns texts around.
const HOSTILE: &str = "\r\nERROR forged\u{1b}[2J\u{9b}31m\u{7f}\u{0}\u{202e}";

/// What messages say.
const SECRET: &str = "payload-of-a-message";

/// What an event may have, in all: a name of 256 bytes, each of them escaped, and the rest.
const LONGEST_BYTES: usize = 2000;

/// What is too long for a log.
const LONG_BYTES: usize = 10 << 20;

#[test]
fn what_peers_say_does_not_stand_in_the_log() {
    let listening = Listening::start();
    let runtime = Runtime::new().unwrap();
    let server = Servers::start(&runtime);
    strangers(&server);
    let sids = sessions(&server);
    channels(&server);
    tls(&server);
    clients(&runtime);
    server.wait_until_empty();
    let events = listening.events();
    for expected in [
        "request refused",
        "connected",
        "disconnected",
        "upgrade abandoned",
        "not connected",
        "no callback for this action",
        "TLS handshake failed",
        "a hook did not return in time",
        "connection handler panicked",
        "upgrade failed, polling goes on",
        "redirected",
    ] {
        assert!(events.iter().any(|event| event.contains(expected)), "nothing says {expected:?}");
    }
    let mut bad: Vec<_> = events
        .iter()
        .filter(|event| {
            event.contains(|char: char| char.is_control() || char == '\u{202e}')
                || event.contains(SECRET)
                || sids.iter().any(|sid| event.contains(sid.as_str()))
                || event.len() > LONGEST_BYTES
        })
        .map(|event| event.chars().take(300).collect::<String>().escape_debug().to_string())
        .collect();
    bad.sort();
    bad.dedup();
    assert!(bad.is_empty(), "{} of {} events:\n{}", bad.len(), events.len(), bad.join("\n"));
}

/// Servers of both protocols.
struct Servers {
    engineio: engineio::Server,
    addr: SocketAddr,
    repod: repod::Server,
    repod_addr: SocketAddr,
    tls_addrs: [SocketAddr; 2],
}

impl Servers {
    fn start(runtime: &Runtime) -> Self {
        let engineio = engineio::Server::builder()
            .trusted_proxies(TrustedProxies::new(["127.0.0.1".parse().unwrap()]))
            .hook_timeout(Duration::from_millis(100))
            .ping_interval(Duration::from_millis(300))
            .ping_timeout(Duration::from_millis(300))
            .allow_request(|request| async move {
                match request.query().rsplit_once("&hook=").map(|(_, what)| what) {
                    Some("hang") => std::future::pending().await,
                    Some("panic") => panic!("as the test wants it"),
                    Some("deny") => Err(engineio::Rejection::forbidden("no")),
                    _ => Ok(()),
                }
            })
            .build()
            .unwrap();
        engineio.set_handler(Panicking);
        let repod = repod::Server::new();
        repod.set_handler(repod::Actions::new().on("panic", |_, _| panic!("as the test wants it")));
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let tls =
            ServerTls::from_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem());
        let tls = Arc::new(tls.unwrap());
        runtime.block_on(async {
            let mut listeners = vec![];
            for _ in 0..4 {
                listeners.push(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
            }
            let addrs: Vec<_> =
                listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
            let mut listeners = listeners.into_iter();
            let mut next = || listeners.next().unwrap();
            let (serving, listener) = (engineio.clone(), next());
            tokio::spawn(async move { serving.serve(listener).await });
            let (serving, listener) = (repod.clone(), next());
            tokio::spawn(async move { serving.serve(listener).await });
            let (serving, listener, over) = (engineio.clone(), next(), tls.clone());
            tokio::spawn(async move { serving.serve_tls(listener, &over).await });
            let (serving, listener, over) = (repod.clone(), next(), tls.clone());
            tokio::spawn(async move { serving.serve_tls(listener, &over).await });
            Self {
                engineio,
                addr: addrs[0],
                repod,
                repod_addr: addrs[1],
                tls_addrs: [addrs[2], addrs[3]],
            }
        })
    }

    fn wait_until_empty(&self) {
        let start = Instant::now();
        while !(self.engineio.is_empty() && self.repod.is_empty()) {
            assert!(start.elapsed() < WATCHDOG, "clients that have gone are still here");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Panics at messages that ask for it, and sends the others back.
struct Panicking;

impl Handler for Panicking {
    fn connect(&self, _: &Connection) {}

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        assert!(!matches!(message, MessageRef::Text("panic")), "as the test wants it");
        let _ = context.reply(message);
    }
}

/// Requests that are no session's, hostile in every field.
fn strangers(server: &Servers) {
    let encoded = HOSTILE.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02x}").unwrap();
        text
    });
    let raw = "\u{1b}[31m\u{9b}x";
    let long = "x".repeat(LONG_BYTES);
    let open = "/engine.io/?EIO=4&transport=polling";
    for hostile in [&*encoded, raw, "%", "%00", &long] {
        for target in [
            format!("/{hostile}"),
            format!("/engine.io/{hostile}/?EIO=4&transport=polling"),
            format!("/engine.io/?{hostile}"),
            format!("/engine.io/?{hostile}={hostile}&EIO=4&transport=polling&sid=x"),
            format!("/engine.io/?EIO={hostile}&transport=polling"),
            format!("/engine.io/?EIO=4&transport={hostile}"),
            format!("{open}&sid={hostile}"),
            format!("http://{hostile}/engine.io/?EIO=3&transport=polling"),
        ] {
            ask(server.addr, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
            let upgrade = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n");
            ask(server.addr, &upgrade);
        }
        ask(server.addr, &format!("{hostile} {open} HTTP/1.1\r\nHost: x\r\n\r\n"));
        ask(server.addr, &format!("GET {open} {hostile}\r\nHost: x\r\n\r\n"));
    }
    let bent = "\u{1b}[31m\u{9b}\u{202e}x";
    for hostile in [bent, "a\r\n folded", &long] {
        for name in [
            "Host",
            "Origin",
            "User-Agent",
            "Cookie",
            "Referer",
            "Authorization",
            "Content-Type",
            "Content-Encoding",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Upgrade",
            "Expect",
            "Accept-Encoding",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "Forwarded",
            "X-Forwarded-Proto",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
            "\u{1b}[31m",
            "X-Own",
        ] {
            // Of a header that is there already, the hostile value is the second.
            let header = format!("Host: x\r\n{name}: {hostile}\r\n");
            ask(server.addr, &format!("GET {open}&sid=x HTTP/1.1\r\n{header}\r\n"));
            let websocket = open.replace("polling", "websocket");
            ask(server.addr, &format!("GET {websocket}&sid=x HTTP/1.1\r\n{header}{UPGRADE}\r\n"));
        }
    }
    for hook in ["deny", "panic", "hang"] {
        ask(
            server.addr,
            &format!("GET {open}&a={encoded}&hook={hook} HTTP/1.1\r\nHost: x\r\n\r\n"),
        );
    }
}

/// Sessions that break the rules with hostile words. Returns their ids.
fn sessions(server: &Servers) -> Vec<String> {
    let mut sids = vec![];
    let bodies: Vec<Vec<u8>> = vec![
        format!("9{SECRET}{HOSTILE}").into(),
        format!("{HOSTILE}{SECRET}").into(),
        format!("b{SECRET}{HOSTILE}").into(),
        format!("2{SECRET}{HOSTILE}").into(),
        format!("4{SECRET}\u{1e}7{HOSTILE}").into(),
        [format!("4{SECRET}").as_bytes(), b"\xff\xfe\x1b"].concat(),
        format!("4{SECRET}\u{1e}4panic\u{1e}1{HOSTILE}").into(),
        vec![b'4'; 2_000_000],
    ];
    for body in &bodies {
        let sid = open(server.addr);
        let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
        let mut stream = connect(server.addr);
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        receive(&mut stream);
        sids.push(sid);
    }
    let close = |reason: &str| [&1000_u16.to_be_bytes()[..], reason.as_bytes()].concat();
    let frames: Vec<Vec<u8>> = vec![
        frame(0x88, &close(HOSTILE)),
        frame(0x88, &close(&format!("{SECRET}\u{1b}[31m"))),
        frame(0x88, &[&1000_u16.to_be_bytes()[..], b"\xff\x1b"].concat()),
        frame(0x88, &close(&"\u{1b}".repeat(200))),
        frame(0x81, format!("9{SECRET}{HOSTILE}").as_bytes()),
        frame(0x81, format!("{HOSTILE}{SECRET}").as_bytes()),
        frame(0x81, b"4\xff\x1b[31m"),
        frame(0x81, format!("b{SECRET}{HOSTILE}").as_bytes()),
        frame(0xf1, SECRET.as_bytes()),
        frame(0x83, SECRET.as_bytes()),
        frame(0x89, format!("{SECRET}{HOSTILE}").as_bytes()),
        frame(0x81, b"4panic"),
        frame(0x82, &vec![0x1b; 2_000_000]),
    ];
    for bytes in &frames {
        let mut stream = connect(server.addr);
        let target = "/engine.io/?EIO=4&transport=websocket";
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![];
        while !answer.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        sids.push(
            String::from_utf8_lossy(&answer).split("\"sid\":\"").nth(1).unwrap()[..22].to_owned(),
        );
        let _ = stream.write_all(bytes);
        let _ = stream.write_all(&frame(0x88, &close("")));
        receive(&mut stream);
    }
    for bytes in &frames {
        // As a WebSocket that wants to take a session over.
        let sid = open(server.addr);
        let target = format!("/engine.io/?EIO=4&transport=websocket&sid={sid}");
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n");
        let mut stream = connect(server.addr);
        let probe = frame(0x81, format!("2probe{SECRET}{HOSTILE}").as_bytes());
        let _ = stream.write_all(&[request.as_bytes(), bytes, &probe].concat());
        receive(&mut stream);
        let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
        ask(
            server.addr,
            &format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"),
        );
        sids.push(sid);
    }
    sids
}

/// Channels of repod that say what is hostile.
fn channels(server: &Servers) {
    let text = |text: &str| {
        let length = text.len() as u32;
        [&[0xdb][..], &length.to_be_bytes(), text.as_bytes()].concat()
    };
    let message =
        |action: &[u8]| [b"\x82\xa6action", action, &text("data"), &text(SECRET)].concat();
    let payloads = [
        message(&text(HOSTILE)),
        message(&text(&format!("{HOSTILE}{}", "x".repeat(LONG_BYTES)))),
        message(&text(&"\u{1b}".repeat(1000))),
        message(&[b"\xc4\x06", &HOSTILE.as_bytes()[..6]].concat()),
        message(&[b"\x91", &text(HOSTILE)[..]].concat()),
        message(&[b"\x81", &text(HOSTILE)[..], &text(HOSTILE)].concat()),
        message(&text("panic")),
        [&message(&text("x"))[..], HOSTILE.as_bytes()].concat(),
        [b"\xc1", SECRET.as_bytes()].concat(),
        [b"\xa9", b"\xff\x1b[31m".as_slice()].concat(),
        vec![],
    ];
    for payload in payloads {
        let mut stream = connect(server.repod_addr);
        let length = payload.len() as u32;
        let _ = stream.write_all(&[&length.to_be_bytes(), &*payload].concat());
        receive(&mut stream);
    }
    for bytes in [HOSTILE.as_bytes(), SECRET.as_bytes(), b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = connect(server.repod_addr);
        let _ = stream.write_all(bytes);
        receive(&mut stream);
    }
}

/// What is no TLS where TLS is expected, and names in it.
fn tls(server: &Servers) {
    for addr in server.tls_addrs {
        for bytes in
            [HOSTILE.as_bytes(), SECRET.as_bytes(), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"]
        {
            let mut stream = connect(addr);
            let _ = stream.write_all(bytes);
            receive(&mut stream);
        }
    }
}

/// Clients of both protocols, whose servers answer with what is hostile.
fn clients(runtime: &Runtime) {
    let handshake = |sid: &str| {
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
             \"pingTimeout\":20000,\"maxPayload\":1000000}}"
        )
    };
    let answer = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    let refusal = format!("{{\"code\":4,\"message\":{}}}", serde_json::json!(HOSTILE));
    let long = "\u{1b}".repeat(1 << 20);
    let sid = "sid-of-a-hostile-server";
    let messages = format!("{}\u{1e}4{SECRET}{HOSTILE}\u{1e}9{SECRET}{HOSTILE}", handshake(sid));
    let answers = [
        answer("400 \u{1b}[31mBad\u{9b}", "", HOSTILE),
        answer("403 Forbidden", "", &refusal),
        answer("200 OK", "", HOSTILE),
        answer("200 OK", "", &format!("0{HOSTILE}")),
        answer("200 OK", "", &format!("0{{\"sid\":{}}}", serde_json::json!(HOSTILE))),
        answer("200 OK", "", &handshake("\\u001b[31m")),
        answer("200 OK", "", &long),
        answer("200 OK", "Content-Type: \u{1b}\u{9b}\r\nSet-Cookie: \u{1b}[31m=x\r\n", &messages),
        answer("302 Found", "Location: /%1b%0d%0a%9b/elsewhere/?a=%1b&sid=x\r\n", ""),
        answer("302 Found", &format!("Location: http://{}/\r\n", "x".repeat(10_000)), ""),
        answer("302 Found", "Location: \u{1b}[31m\r\n", ""),
        format!("{HOSTILE}{SECRET}").into(),
        format!("HTTP/1.1 200 OK\r\n\u{1b}: x\r\n\r\n{SECRET}").into(),
        format!("HTTP/1.1 101 \u{1b}[31m\r\nUpgrade: \u{9b}\r\n\r\n{SECRET}").into(),
        answer("200 OK", "Content-Encoding: \u{9b}\u{202e}\r\n", HOSTILE),
    ];
    for bytes in answers {
        let url = format!("http://{}", serving(move |_| bytes.clone()));
        for transport in [engineio::Transport::Polling, engineio::Transport::WebSocket] {
            runtime.block_on(async {
                let builder = engineio::Client::builder(&url).transports([transport]);
                let client = builder.request_timeout(PATIENCE).connect().await;
                let Ok(client) = client else { return };
                while let Some(event) = client.next().await {
                    if matches!(event, Event::Disconnected(_)) {
                        break;
                    }
                }
            });
        }
    }
    // The upgrade is refused, in hostile words, while the session polls.
    let (first, refused, over) = (
        answer("200 OK", "", &handshake(sid)),
        answer("400 \u{1b}", "", HOSTILE),
        answer("200 OK", "", "1"),
    );
    let addr = serving(move |request| {
        if request.contains("transport=websocket") {
            return refused.clone();
        }
        if request.contains("sid=") {
            // A poll, which outlasts the attempt to upgrade.
            std::thread::sleep(2 * PATIENCE);
            return over.clone();
        }
        first.clone()
    });
    runtime.block_on(async {
        let client = engineio::Client::connect(&format!("http://{addr}")).await.unwrap();
        while let Some(event) = client.next().await {
            if matches!(event, Event::Disconnected(_)) {
                break;
            }
        }
    });
    let greeting = b"\0\0\0\x12\x81\xa6action\xa9connected";
    for bytes in [
        format!("{HOSTILE}{SECRET}").into_bytes(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        [&greeting[..], b"\0\0\0\x0a\xc1", SECRET.as_bytes()].concat(),
        [&greeting[..], b"\0\0\0\x0d\x81\xa6action\xa4\x1b[3m"].concat(),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut vec![]);
        });
        runtime.block_on(async {
            let builder = repod::Client::builder("127.0.0.1", addr.port());
            let Ok(client) = builder.connect().await else { return };
            while let Some(event) = client.next().await {
                if matches!(event, repod::client::Event::Disconnected(_)) {
                    break;
                }
            }
        });
    }
}

/// A server that answers requests so, each on a connection of its own.
fn serving(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let mut request = vec![];
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n")
                    && stream.read(&mut byte).is_ok_and(|read| read > 0)
                {
                    request.push(byte[0]);
                }
                let _ = stream.write_all(&answer(&String::from_utf8_lossy(&request)));
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut vec![]);
            });
        }
    });
    addr
}

/// A polling session's id.
fn open(addr: SocketAddr) -> String {
    let answer = ask(addr, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n");
    answer.split("\"sid\":\"").nth(1).unwrap_or_else(|| panic!("{answer:?}"))[..22].to_owned()
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    stream
}

/// Sends a request, which is the last of its connection, and reads the answer.
fn ask(addr: SocketAddr, request: &str) -> String {
    let mut stream = connect(addr);
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    // A server that has seen enough need not read the rest.
    let _ = stream.write_all(request.as_bytes());
    // Whoever half-closes has left, and is not answered: but one that waits for more is told so then.
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = vec![];
    match stream.read_to_end(&mut answer) {
        Ok(_) => String::from_utf8_lossy(&answer).into_owned(),
        Err(_) => receive(&mut stream),
    }
}

/// Everything that the server says until it closes the connection, which it is told to.
fn receive(stream: &mut TcpStream) -> String {
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A frame with a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The headers that ask for a WebSocket.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(500);

const WATCHDOG: Duration = Duration::from_secs(60);
