//! What is left of clients that have gone: nothing.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::child::{Child, WATCHDOG};
use super::peer::{
    OPEN, ask, connect, connect_from, frame, open, read_frame, receive, request, session, text,
    upgrade, websocket_on,
};
use super::row::{Row, Size};
use super::serve::Config;

/// A client that comes and goes; its number chooses its address.
type Visit = fn(&Child, usize);

/// Clients that come and go as they should.
pub fn cycles(size: Size) -> Vec<Row> {
    let count = size.pick(300, 1_000_000 / 3);
    let ways: [(&str, Visit); 3] = [
        ("WebSocket", |child, number| {
            let stream = connect_from(number, child.addr).unwrap();
            let mut stream = websocket_on(stream, OPEN, false);
            stream.write_all(&text("4x")).unwrap();
            read_frame(&mut stream).unwrap();
            stream.write_all(&text("1")).unwrap();
            let _ = read_frame(&mut stream);
        }),
        ("polling", |child, number| {
            let mut stream = connect_from(number, child.addr).unwrap();
            let target = session(&ask(&mut stream, &request("GET", OPEN, &[], b"")).unwrap().1);
            assert_eq!(ask(&mut stream, &request("POST", &target, &[], b"4x")).unwrap().0, 200);
            let get = request("GET", &target, &[], b"");
            assert_eq!(ask(&mut stream, &get).unwrap().1, b"4x");
            let mut waiting = connect_from(number, child.addr).unwrap();
            waiting.write_all(&get).unwrap();
            assert_eq!(ask(&mut stream, &request("POST", &target, &[], b"1")).unwrap().0, 200);
            assert_eq!(receive(&mut waiting).unwrap().1, b"6");
        }),
        ("repod", |child, number| {
            let mut stream = connect_from(number, child.repod).unwrap();
            // {"action": "a"}
            stream.write_all(b"\0\0\0\x0a\x81\xa6action\xa1a").unwrap();
            let mut greeting = [0; 4];
            std::io::Read::read_exact(&mut stream, &mut greeting).unwrap();
        }),
    ];
    let mut child = Child::start(&Config::default());
    ways.iter().flat_map(|(name, visit)| visits(&mut child, name, count, *visit, SLACK)).collect()
}

/// Clients that leave in the middle.
pub fn abandoned(size: Size) -> Vec<Row> {
    let count = size.pick(200, 100_000);
    let ways: [(&str, Visit); 9] = [
        ("polling sessions", |child, number| drop(opened(child.addr, number))),
        ("GETs", |child, number| {
            let (target, mut stream) = opened(child.addr, number);
            stream.write_all(&request("GET", &target, &[], b"")).unwrap();
        }),
        ("upgrades", |child, number| {
            let (target, stream) = opened(child.addr, number);
            drop(websocket_on(stream, &target, false));
        }),
        ("half handshakes", |child, number| {
            let mut stream = connect_from(number, child.addr).unwrap();
            let whole = upgrade(OPEN, false);
            stream.write_all(&whole[..number % whole.len()]).unwrap();
        }),
        ("half frames", |child, number| {
            let mut stream = websocket_on(connect_from(number, child.addr).unwrap(), OPEN, false);
            let whole = frame(0x82, &[7; 1000]);
            stream.write_all(&whole[..number % whole.len()]).unwrap();
        }),
        ("clients that a hook denies", |child, number| {
            unwanted(child, number, "deny", Some(403));
        }),
        ("clients that a hook panics at", |child, number| {
            unwanted(child, number, "panic", Some(500));
        }),
        ("clients that a hook hangs on", |child, number| unwanted(child, number, "hang", None)),
        ("upgrades that a hook denies", |child, number| {
            let (target, _) = opened(child.addr, number);
            let mut stream = connect_from(number, child.addr).unwrap();
            let denied = [upgrade(&format!("{target}&hook=deny"), false), text("2probe")].concat();
            assert_eq!(ask(&mut stream, &denied).unwrap().0, 403);
        }),
    ];
    // Who has sent more than its request is not seen to leave before the hook's time is up.
    let config = Config { ping_ms: 200, hook: true, hook_ms: 200, ..Config::default() };
    let mut child = Child::start(&config);
    ways.iter().flat_map(|(name, visit)| visits(&mut child, name, count, *visit, SLACK)).collect()
}

/// A client that the hook does not let in, over either transport. It says what it would say inside, and
/// leaves with its answer, or without one.
fn unwanted(child: &Child, number: usize, hook: &str, status: Option<u16>) {
    let target = format!("{OPEN}&hook={hook}");
    let bytes = match number % 2 {
        0 => request("GET", &target, &[], b""),
        _ => [upgrade(&target, false), text("4x")].concat(),
    };
    let mut stream = connect_from(number, child.addr).unwrap();
    match status {
        Some(status) => assert_eq!(ask(&mut stream, &bytes).unwrap().0, status),
        None => stream.write_all(&bytes).unwrap(),
    }
}

/// What a number of visits leaves behind, once the server is warm.
fn visits(child: &mut Child, name: &str, count: usize, visit: Visit, slack: i64) -> Vec<Row> {
    let gone = |child: &mut Child| {
        child.wait_until(|usage| usage.sessions == 0 && usage.channels == 0 && usage.tasks <= TASKS)
    };
    // As many at once as there may ever be, so that nothing grows later.
    (0..200).for_each(|number| visit(child, number));
    gone(child);
    let before = child.settled();
    (0..count).for_each(|number| visit(child, number));
    let (time, _) = gone(child);
    let after = child.settled();
    let heap = after.heap as i64 - before.heap as i64;
    let resident = after.resident as i64 - before.resident as i64;
    let descriptors = after.descriptors as i64 - before.descriptors as i64;
    vec![
        Row::at_most(format!("{name}, heap after {count}"), heap, slack, "B"),
        Row::at_most(format!("{name}, resident"), resident / 1024, 5 * 1024, "KiB"),
        Row::at_most(format!("{name}, descriptors"), descriptors, 0, ""),
        Row::told(format!("{name}, the last is gone after"), format!("{time:.1?}")),
    ]
}

/// Requests that are refused, each with an answer that ends.
pub fn refusals(size: Size) -> Vec<Row> {
    let count = size.pick(20, 1000);
    let mut child = Child::start(&Config { hook: true, hook_ms: 1, ..Config::default() });
    let websocket = upgrade(OPEN, false);
    let with = |from: &str, to: &str| {
        String::from_utf8(websocket.clone()).unwrap().replace(from, to).into_bytes()
    };
    let get = |query: &str| request("GET", &format!("/engine.io/?{query}"), &[], b"");
    let kinds: Vec<(&str, Vec<u8>)> = vec![
        ("other path", request("GET", "/", &[], b"")),
        ("no query", request("GET", "/engine.io/", &[], b"")),
        ("no version", get("transport=polling")),
        ("version 3", get("EIO=3&transport=polling")),
        ("transport unknown", get("EIO=4&transport=carrier-pigeon")),
        ("transport __proto__", get("EIO=4&transport=__proto__")),
        ("session unknown", get("EIO=4&transport=polling&sid=x")),
        ("session of 8 kB", get(&format!("EIO=4&transport=polling&sid={}", "x".repeat(8000)))),
        ("POST without session", request("POST", OPEN, &[], b"4x")),
        ("DELETE", request("DELETE", OPEN, &[], b"")),
        ("PUT", request("PUT", OPEN, &["Content-Length: 0"], b"")),
        ("foreign origin", request("GET", OPEN, &["Origin: https://evil.example"], b"")),
        ("hook denies", get("EIO=4&transport=polling&hook=deny")),
        ("hook panics", get("EIO=4&transport=polling&hook=panic")),
        ("hook hangs", get("EIO=4&transport=polling&hook=hang")),
        ("WebSocket without upgrade", get("EIO=4&transport=websocket")),
        ("WebSocket of version 8", with("Version: 13", "Version: 8")),
        ("WebSocket without key", with("Sec-WebSocket-Key", "X-Key")),
        ("WebSocket with a short key", with("dGhlIHNhbXBsZSBub25jZQ==", "AAAA")),
        ("WebSocket for a session unknown", with("EIO=4", "EIO=4&sid=x")),
        (
            "bad chunk",
            b"POST /engine.io/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"
                .to_vec(),
        ),
        ("101 headers", request("GET", OPEN, &["A: b"; 101], b"")),
    ];
    let bodies: [(&str, &[&str], &[u8]); 5] = [
        ("POST of octets", &["Content-Type: application/octet-stream"], b"4x"),
        ("POST compressed", &["Content-Encoding: gzip"], b"4x"),
        ("POST of no UTF-8", &[], b"4\xff"),
        ("POST of no packet", &[], b"9"),
        ("POST with a ping", &[], b"2"),
    ];
    let before = child.settled();
    let mut bad = vec![];
    let mut check = |what: &str, answer: std::io::Result<(u16, Vec<u8>)>| match answer {
        Ok((400.., _)) => {}
        other => bad.push(format!("{what}: {other:?}")),
    };
    for number in 0..count {
        for (what, bytes) in &kinds {
            // Whoever has it, keeps the connection: the answer has to end by its own length.
            let mut stream = connect_from(number, child.addr).unwrap();
            check(what, ask(&mut stream, bytes));
        }
        for (what, headers, body) in bodies {
            let target = open(child.addr);
            check(what, ask(&mut connect(child.addr), &request("POST", &target, headers, body)));
        }
        let target = open(child.addr);
        let large = request("POST", &target, &[], &vec![b'4'; 1_000_001]);
        check("POST too large", ask(&mut connect(child.addr), &large));
        let target = open(child.addr);
        let get = request("GET", &target, &[], b"");
        let mut waiting = connect(child.addr);
        waiting.write_all(&get).unwrap();
        // Whichever comes second is refused, and ends the session, which answers the other.
        let mut second = connect(child.addr);
        let answers = [ask(&mut second, &get), receive(&mut waiting)];
        let refused = answers.into_iter().find(|answer| !matches!(answer, Ok((200, _))));
        check("second GET", refused.expect("one of two is refused"));
    }
    let kinds = kinds.len() + bodies.len() + 2;
    let (_, after) = child.wait_until(|usage| usage.descriptors <= before.descriptors);
    let figure = bad.first().cloned().unwrap_or_else(|| "all".to_owned());
    vec![
        Row::new(
            format!("{kinds} kinds of refusals, {count} times"),
            figure,
            "all answered",
            bad.is_empty(),
        ),
        Row::at_most("sessions left", after.sessions as i64, 0, ""),
        Row::at_most(
            "descriptors left",
            after.descriptors as i64 - before.descriptors as i64,
            0,
            "",
        ),
    ]
}

/// A polling session and the connection that it was opened over.
fn opened(addr: SocketAddr, number: usize) -> (String, TcpStream) {
    let mut stream = connect_from(number, addr).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    let target = session(&ask(&mut stream, &request("GET", OPEN, &[], b"")).unwrap().1);
    (target, stream)
}

/// Tasks that go on without clients: one for each listener.
const TASKS: usize = 2;

/// Bytes that tokio keeps for connections to come, or gives back later.
const SLACK: i64 = 16 * 1024;
