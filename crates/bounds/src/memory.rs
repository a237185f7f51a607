//! Bytes of heap that the server holds for each peer, in each state that a peer can keep it in.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::child::Child;
use super::peer::{
    OPEN, ask, close_code, connect, deflated, echo, fill, frame, header, open, request, text,
    upgrade, websocket, websocket_on,
};
use super::row::{Row, Size};
use super::serve::{Application, Config};

/// Something that a peer can keep the server in: how the server is set up, and how a peer gets there.
struct State {
    name: &'static str,
    config: Config,
    enter: fn(&Child, usize) -> Vec<TcpStream>,
    /// Bytes that a peer may cost.
    limit: i64,
}

impl State {
    fn measure(&self, peers: usize) -> Row {
        let mut child = Child::start(&self.config);
        // What is made once, for the first peers, does not count.
        drop((self.enter)(&child, 2));
        // Sessions that poll are there until their heartbeat fails, and that is long.
        child.wait_until(|usage| usage.channels == 0);
        let before = child.settled();
        let streams = (self.enter)(&child, peers);
        let held = child.settled();
        let each = (held.heap as i64 - before.heap as i64) / peers as i64;
        drop(streams);
        Row::at_most(format!("{} ({peers} peers)", self.name), each, self.limit, "B each")
    }
}

/// Before the application has accepted anybody.
pub fn strangers(size: Size) -> Vec<Row> {
    let peers = size.pick(50, 1000);
    let hook = Config { hook: true, ..Config::default() };
    // hyper's buffers: 8 KiB to write, and 8 KiB to read, of which it makes 16 when something has arrived.
    let (silence, reading) = (8192 + 8192, 8192 + 16_384);
    let states = [
        State {
            name: "TCP alone",
            config: Config::default(),
            enter: silent,
            limit: silence + 2048,
        },
        State {
            name: "half a request, of 1 KB",
            config: Config::default(),
            enter: |child, peers| send_each(child.addr, peers, &unfinished(1000)),
            limit: reading + 2048,
        },
        State {
            name: "half a request, of 16 000 B",
            config: Config::default(),
            enter: |child, peers| send_each(child.addr, peers, &unfinished(16_000)),
            limit: reading + 2048,
        },
        State {
            name: "404, kept alive",
            config: Config::default(),
            enter: |child, peers| {
                asking(child.addr, peers, &request("GET", "/nothing", &[], b""), 404)
            },
            limit: silence + 2048,
        },
        State {
            // With the request, as it was understood.
            name: "handshake that a hook thinks about",
            config: hook.clone(),
            enter: |child, peers| {
                send_each(
                    child.addr,
                    peers,
                    &request("GET", &format!("{OPEN}&hook=hang"), &[], b""),
                )
            },
            limit: reading + 5120,
        },
        State {
            name: "WebSocket that a hook thinks about",
            config: hook,
            enter: |child, peers| {
                send_each(child.addr, peers, &upgrade(&format!("{OPEN}&hook=hang"), false))
            },
            limit: reading + 5120,
        },
    ];
    states.iter().map(|state| state.measure(peers)).collect()
}

/// After it has.
pub fn clients(size: Size) -> Vec<Row> {
    // So many that the buffers of another thread of the server's, of 64 KiB, make no difference.
    let (many, few) = (1000, size.pick(4, 20));
    let deaf = Config { application: Application::Deaf, ..Config::default() };
    let deflate = Config { deflate: true, ..Config::default() };
    let blast = Config { application: Application::Blast(45_000), ..Config::default() };
    let state =
        |name, config: &Config, enter| State { name, config: config.clone(), enter, limit: PEER };
    let cheap = [
        State {
            limit: WEBSOCKET,
            ..state("idle WebSocket", &Config::default(), |child, peers| {
                (0..peers).map(|_| websocket(child.addr)).collect()
            })
        },
        State {
            limit: POLLING,
            ..state("idle polling session", &Config::default(), |child, peers| {
                (0..peers).for_each(|_| drop(open(child.addr)));
                vec![]
            })
        },
        State {
            // With hyper's buffers.
            limit: 8192 + 8192 + 2432,
            ..state("GET that waits", &Config::default(), |child, peers| {
                let sent = |target: String| send(child.addr, &request("GET", &target, &[], b""));
                (0..peers).map(|_| sent(open(child.addr))).collect()
            })
        },
    ];
    let dear = [
        state("POST of 1 MB but for a byte", &Config::default(), |child, peers| {
            let body = [&b"4"[..], &[b'x'; MAX - 1]].concat();
            let posted = |target: String| {
                let whole = request("POST", &target, &[], &body);
                send(child.addr, &whole[..whole.len() - 1])
            };
            (0..peers).map(|_| posted(open(child.addr))).collect()
        }),
        state("message of 1 MB but for a byte", &Config::default(), |child, peers| {
            with_each(websockets(child, peers), &frame(0x82, &vec![7; MAX])[..MAX + 13])
        }),
        state("a ping in the middle of it", &Config::default(), |child, peers| {
            let half = frame(0x02, &vec![7; MAX - 1]);
            let streams = with_each(websockets(child, peers), &half);
            with_each(streams, &frame(0x89, &[7; 125])[..100])
        }),
        state("compressed message without an end", &deflate, |child, peers| {
            let streams = (0..peers).map(|_| websocket_on(connect(child.addr), OPEN, true));
            with_each(streams.collect(), &frame(0x41, &deflated(b"4", MAX - 1)))
        }),
        state("echoes that are not read", &Config::default(), |child, peers| {
            filled(websockets(child, peers), &text(&format!("4{}", "x".repeat(1000))).repeat(100))
        }),
        state("messages that are not read", &blast, websockets),
        state("messages that are not received", &deaf, |child, peers| {
            filled(websockets(child, peers), &text(&format!("4{}", "x".repeat(50_000))))
        }),
        state(
            "the same, compressed 1000 : 1",
            &Config { deflate: true, ..deaf.clone() },
            |child, peers| {
                let streams: Vec<_> =
                    (0..peers).map(|_| websocket_on(connect(child.addr), OPEN, true)).collect();
                filled(streams, &frame(0xc1, &deflated(b"4", MAX - 1)).repeat(10))
            },
        ),
        state("pongs of a probe that are not read", &Config::default(), |child, peers| {
            let probe = |target: String| websocket_on(connect(child.addr), &target, false);
            let streams = (0..peers).map(|_| probe(open(child.addr))).collect();
            filled(streams, &frame(0x89, &[7; 125]).repeat(100))
        }),
        state("answer of 1 MB that is not read", &blast, |child, peers| {
            let sent = |target: String| send(child.addr, &request("GET", &target, &[], b""));
            (0..peers).map(|_| sent(open(child.addr))).collect()
        }),
        state("POST that is not received, and one behind it", &deaf, |child, peers| {
            let body = vec![b'4'; MAX];
            let posted = |target: String| {
                let whole = request("POST", &target, &[], &body);
                let (status, _) = ask(&mut connect(child.addr), &whole).unwrap();
                assert_eq!(status, 200);
                let (status, _) = ask(&mut connect(child.addr), &whole).unwrap();
                assert_eq!(status, 200);
                let mut stream = connect(child.addr);
                // It waits with the client, so it may not be taken whole.
                stream.set_nonblocking(true).unwrap();
                let _ = stream.write(&whole);
                stream
            };
            (0..peers).map(|_| posted(open(child.addr))).collect()
        }),
        state("all of that at once, over polling", &blast, |child, peers| {
            let whole = |target: &str| request("POST", target, &[], &vec![b'4'; MAX]);
            let all = |target: String| {
                let mut posting = connect(child.addr);
                assert_eq!(ask(&mut posting, &whole(&target)).unwrap().0, 200);
                assert_eq!(ask(&mut posting, &whole(&target)).unwrap().0, 200);
                posting.set_nonblocking(true).unwrap();
                let _ = posting.write(&whole(&target));
                [send(child.addr, &request("GET", &target, &[], b"")), posting]
            };
            (0..peers).flat_map(|_| all(open(child.addr))).collect()
        }),
        state("repod: frame of 1 MB but for a byte", &Config::default(), |child, peers| {
            let mut bytes = (MAX as u32).to_be_bytes().to_vec();
            bytes.resize(MAX + 3, 0xc0);
            send_each(child.repod, peers, &bytes)
        }),
    ];
    let cheap = cheap.iter().map(|state| state.measure(many));
    cheap.chain(dear.iter().map(|state| state.measure(few))).collect()
}

/// Lengths that are announced and not sent.
pub fn declared(size: Size) -> Vec<Row> {
    let peers = size.pick(20, 1000);
    let mut child = Child::start(&Config::default());
    let mut rows = vec![];
    let mut measure = |what: &str, child: &mut Child, enter: &dyn Fn(&Child) -> TcpStream| {
        drop(enter(child));
        child.wait_until(|usage| usage.sessions == 0 && usage.channels == 0);
        child.settled();
        child.order::<()>("reset");
        let streams: Vec<_> = (0..peers).map(|_| enter(child)).collect();
        let growth = child.settled().growth as i64;
        drop(streams);
        child.wait_until(|usage| usage.sessions == 0 && usage.channels == 0);
        rows.push(Row::at_most(what, growth / peers, 65_536, "B each, at the peak"));
    };
    for length in [MAX as u64, 1 << 31, 1 << 32, (1 << 63) - 1] {
        for sent in [0, 10] {
            let bytes = [&header(0x82, length)[..], &vec![7; sent]].concat();
            let what = format!("WebSocket frame of {length} B, {sent} B of it sent");
            measure(&what, &mut child, &|child| {
                let mut stream = websocket(child.addr);
                stream.write_all(&bytes).unwrap();
                if length > MAX as u64 {
                    assert_eq!(close_code(&mut stream), Some(1009));
                }
                stream
            });
        }
    }
    for length in [MAX as u32, u32::MAX] {
        let bytes = [&length.to_be_bytes()[..], &[0x81; 10]].concat();
        measure(&format!("repod frame of {length} B, 10 B of it sent"), &mut child, &|child| {
            send(child.repod, &bytes)
        });
    }
    // What a frame's MessagePack announces: arrays, maps, binaries, texts.
    for head in [0xdd, 0xdf, 0xc6, 0xdb] {
        let bytes = [&5_u32.to_be_bytes()[..], &[head], &u32::MAX.to_be_bytes()].concat();
        measure(&format!("MessagePack {head:#x} of 2^32 - 1"), &mut child, &|child| {
            send(child.repod, &bytes)
        });
    }
    rows
}

/// Messages of many fragments of a byte each, without an end.
pub fn fragments(size: Size) -> Vec<Row> {
    let (peers, count) = (size.pick(2, 20), 131_000);
    let first = frame(0x01, b"4");
    let bytes = [first, frame(0x00, b"x").repeat(count - 1)].concat();
    let mut child = Child::start(&Config::default());
    drop(with_each(websockets(&child, 1), &bytes[..1000]));
    child.wait_until(|usage| usage.sessions == 0);
    let before = child.settled();
    let streams = with_each(websockets(&child, peers), &bytes);
    let held = child.settled();
    let each = (held.heap as i64 - before.heap as i64) / peers as i64;
    // What a session holds anyway is part of the figure.
    let mut rows =
        vec![Row::at_most("131 000 fragments of a byte", each, 2 * 131_000 + 4096, "B each")];
    drop(streams);
    // And with an end: it arrives whole.
    let mut stream = websocket(child.addr);
    stream.write_all(&[bytes, frame(0x80, b"!")].concat()).unwrap();
    let (_, payload) = super::peer::read_frame(&mut stream).unwrap();
    let whole = payload.len() == count + 1 && payload.ends_with(b"x!");
    rows.push(Row::new("the same, with an end", payload.len(), "131 001 B, echoed", whole));
    rows
}

/// Messages that inflate to much more than they are.
pub fn bombs(size: Size) -> Vec<Row> {
    let mut rows = vec![];
    for length in [MAX - 2, MAX - 1, MAX, MAX + 1, MAX + 2, size.pick(64, 1024) * MAX] {
        let mut child = Child::start(&Config { deflate: true, ..Config::default() });
        let mut stream = websocket_on(connect(child.addr), OPEN, true);
        stream.write_all(&frame(0xc1, &deflated(b"4", 100))).unwrap();
        super::peer::read_frame(&mut stream).unwrap();
        child.settled();
        child.order::<()>("reset");
        let bomb = deflated(b"4", length - 1);
        stream.write_all(&frame(0xc1, &bomb)).unwrap();
        let what = format!("{length} B, {} : 1", length / bomb.len());
        if length <= MAX {
            // The echo is compressed: its size is the server's business, its arrival is ours.
            let (first, _) = super::peer::read_frame(&mut stream).unwrap();
            rows.push(Row::new(what, format!("{first:#x}"), "accepted", first & 0x0f == 1));
        } else {
            let code = close_code(&mut stream);
            let peak = child.usage().growth as i64;
            rows.push(Row::new(&what, format!("{code:?}"), "refused: 1009", code == Some(1009)));
            // A thread that has inflated nothing yet makes what it needs for that, once.
            rows.push(Row::at_most(format!("{what}, peak"), peak, MAX as i64 + 131_072, "B"));
        }
        let mut honest = websocket(child.addr);
        echo(&mut honest, "4still here").unwrap();
    }
    rows
}

fn silent(child: &Child, peers: usize) -> Vec<TcpStream> {
    (0..peers).map(|_| connect(child.addr)).collect()
}

fn websockets(child: &Child, peers: usize) -> Vec<TcpStream> {
    (0..peers).map(|_| websocket(child.addr)).collect()
}

fn send(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(addr);
    stream.write_all(bytes).unwrap();
    stream
}

fn send_each(addr: SocketAddr, peers: usize, bytes: &[u8]) -> Vec<TcpStream> {
    (0..peers).map(|_| send(addr, bytes)).collect()
}

fn with_each(mut streams: Vec<TcpStream>, bytes: &[u8]) -> Vec<TcpStream> {
    streams.iter_mut().for_each(|stream| stream.write_all(bytes).unwrap());
    streams
}

fn filled(mut streams: Vec<TcpStream>, bytes: &[u8]) -> Vec<TcpStream> {
    fill(&mut streams, bytes);
    streams
}

/// Peers that have asked for something and keep their connection.
fn asking(addr: SocketAddr, peers: usize, bytes: &[u8], status: u16) -> Vec<TcpStream> {
    let asked = |mut stream: TcpStream| {
        assert_eq!(ask(&mut stream, bytes).unwrap().0, status);
        stream
    };
    (0..peers).map(|_| asked(connect(addr))).collect()
}

/// Headers of about `length` bytes that do not end.
fn unfinished(length: usize) -> Vec<u8> {
    let mut bytes = b"GET /engine.io/ HTTP/1.1\r\nHost: x\r\nX-Filler: ".to_vec();
    bytes.resize(length, b'x');
    bytes
}

/// The largest message.
const MAX: usize = 1_000_000;

/// What a session may cost that does nothing. Bytes of heap do not depend on the machine, so these tell when a
/// session has grown: its task alone grows by 128, once it does not fit any more.
const WEBSOCKET: i64 = 1344;
const POLLING: i64 = 976;

/// What a peer may cost, whatever it does.
const PEER: i64 = 4_200_000;
