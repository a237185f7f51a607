//! What the application decides before there is a session.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartwire::engineio::{Purpose, Rejection, Server, ServerBuilder, SessionId, Transport};
use http::StatusCode;
use tokio::sync::Notify;

use super::support::Seen;
use super::wire::{
    OPEN, begin, connect, get, post, read_text, session, start, upgrade, websocket, write_text,
};

/// Lets in who shows a ticket, after a moment of thought.
fn with_tickets() -> ServerBuilder {
    Server::builder().allow_request(|request| async move {
        tokio::task::yield_now().await;
        match request.header("x-ticket") {
            Some("valid") => Ok(()),
            Some("expired") => Err(Rejection::new(StatusCode::UNAUTHORIZED, "too \"old\"")),
            Some("success") => Err(Rejection::new(StatusCode::OK, "no")),
            _ => Err(Rejection::forbidden("no ticket")),
        }
    })
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let (_runtime, mut server) = start(with_tickets());
    let answer = get(server.addr, OPEN, &[]);
    assert_eq!((answer.status, answer.text()), (403, r#"{"code":4,"message":"no ticket"}"#));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = get(server.addr, OPEN, &["X-Ticket: expired"]);
    assert_eq!((answer.status, answer.text()), (401, r#"{"code":4,"message":"too \"old\""}"#));
    let answer = get(server.addr, OPEN, &["X-Ticket: success"]);
    assert_eq!(answer.status, 403, "a success is no rejection");
    let (_, answer) = upgrade(server.addr, "", &[]);
    assert_eq!((answer.status, answer.text()), (403, "no ticket"));
    let (_, answer) = upgrade(server.addr, "", &["X-Ticket: expired"]);
    assert_eq!((answer.status, answer.text()), (401, "too \"old\""));
    assert_eq!(server.server.len(), 0);
    assert!(server.seen.try_recv().is_err(), "the handler has heard of nobody");
}

#[test]
fn who_is_let_in_gets_a_session() {
    let (runtime, mut server) = start(with_tickets());
    let sid = get(server.addr, OPEN, &["X-Ticket: valid"]).sid();
    assert_eq!(runtime.block_on(server.connection()).id().as_str(), sid);
    let answer = post(server.addr, &session(&sid), &[], b"4without ticket");
    assert_eq!(answer.text(), "ok", "only what opens and upgrades is asked about");
    let (mut socket, answer) = upgrade(server.addr, "", &["X-Ticket: valid"]);
    assert_eq!(answer.status, 101);
    assert!(read_text(&mut socket).starts_with("0{"));
}

#[test]
fn an_upgrade_is_asked_about_and_leaves_polling_alone() {
    let (_runtime, server) = start(with_tickets());
    let sid = get(server.addr, OPEN, &["X-Ticket: valid"]).sid();
    let query = format!("&sid={sid}");
    let (_, answer) = upgrade(server.addr, &query, &[]);
    assert_eq!((answer.status, answer.text()), (403, "no ticket"));
    assert_eq!(post(server.addr, &session(&sid), &[], b"4still here").text(), "ok");
    let (mut socket, answer) = upgrade(server.addr, &query, &["X-Ticket: valid"]);
    assert_eq!(answer.status, 101);
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
}

#[test]
fn the_hook_sees_the_request() {
    let seen = Arc::new(Mutex::new(VecDeque::new()));
    let log = seen.clone();
    let (_runtime, server) = start(Server::builder().allow_request(move |request| {
        log.lock().unwrap().push_back(request);
        async { Ok(()) }
    }));
    let sid = get(server.addr, "/engine.io/?EIO=4&transport=polling&token=%20", &["X-A: b"]).sid();
    let request = seen.lock().unwrap().pop_front().unwrap();
    assert_eq!(request.query(), "EIO=4&transport=polling&token=%20");
    assert_eq!((request.header("x-a"), request.method().as_str()), (Some("b"), "GET"));
    assert_eq!(request.remote_addr().unwrap().ip(), server.addr.ip());
    assert_eq!(request.client_ip(), Some(server.addr.ip()));
    assert!(matches!(request.purpose(), Purpose::Open(Transport::Polling)));
    let (_stream, _) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    let request = seen.lock().unwrap().pop_front().unwrap();
    let Purpose::Upgrade(connection) = request.purpose() else { panic!("{request:?}") };
    assert_eq!(connection.id().as_str(), sid);
    assert!(!format!("{request:?}").contains(&sid), "ids are secrets");
}

#[test]
fn a_hook_that_panics_leaves_nothing() {
    let (_runtime, mut server) = start(Server::builder().allow_request(|request| {
        assert!(request.header("x-now").is_none(), "as the test wants it");
        async move {
            tokio::task::yield_now().await;
            panic!("as the test wants it")
        }
    }));
    for headers in [&[][..], &["X-Now: yes"]] {
        let answer = get(server.addr, OPEN, headers);
        assert_eq!((answer.status, answer.text()), (500, ""));
        let (_, answer) = upgrade(server.addr, "", headers);
        assert_eq!((answer.status, answer.text()), (500, "Internal server error"));
    }
    assert!(server.server.is_empty());
    assert!(server.seen.try_recv().is_err());
}

#[test]
fn a_hook_that_hangs_leaves_nothing() {
    let builder = Server::builder().max_connections(1).hook_timeout(Duration::from_millis(50));
    let (_runtime, mut server) = start(builder.allow_request(|request| async move {
        if request.header("x-ticket").is_none() {
            std::future::pending().await
        }
        Ok(())
    }));
    for _ in 0..3 {
        let answer = get(server.addr, OPEN, &[]);
        assert_eq!((answer.status, answer.text()), (503, ""));
    }
    assert!(server.server.is_empty());
    assert!(server.seen.try_recv().is_err());
    // The one place that there is has become free each time.
    assert_eq!(get(server.addr, OPEN, &["X-Ticket: valid"]).status, 200);
}

#[test]
fn a_client_that_leaves_takes_its_question_with_it() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (asked, dropped) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (question, end) = (asked.clone(), dropped.clone());
    let (runtime, mut server) = start(Server::builder().allow_request(move |_| {
        let counted = Counted(end.clone());
        question.notify_one();
        async move {
            let _counted = counted;
            std::future::pending().await
        }
    }));
    let mut stream = connect(server.addr);
    begin(&mut stream, &format!("GET {OPEN}"), &[]);
    stream.write_all(b"\r\n").unwrap();
    runtime.block_on(asked.notified());
    drop(stream);
    let start = std::time::Instant::now();
    while dropped.load(Ordering::SeqCst) == 0 {
        assert!(start.elapsed() < crate::support::WATCHDOG, "the question lives on");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(server.server.is_empty());
    assert!(server.seen.try_recv().is_err());
}

#[test]
fn who_is_being_decided_about_when_the_server_closes_is_refused() {
    let (asked, decided) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (question, answer) = (asked.clone(), decided.clone());
    let (runtime, mut server) = start(Server::builder().allow_request(move |_| {
        question.notify_one();
        let answer = answer.clone();
        async move {
            answer.notified().await;
            Ok(())
        }
    }));
    let addr = server.addr;
    let client = std::thread::spawn(move || get(addr, OPEN, &[]).status);
    runtime.block_on(asked.notified());
    runtime.block_on(server.server.close(Duration::from_secs(1)));
    decided.notify_one();
    assert_eq!(client.join().unwrap(), 503);
    assert!(server.server.is_empty());
    assert!(server.seen.try_recv().is_err());
}

#[test]
fn ids_can_be_of_the_applications_making() {
    let counter = AtomicUsize::new(0);
    let (runtime, mut server) = start(Server::builder().session_id(move |request| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let wanted = request.header("x-id").map(str::to_owned);
        async move {
            tokio::task::yield_now().await;
            SessionId::new(&wanted.unwrap_or_else(|| format!("mine-{number}")))
        }
    }));
    assert_eq!(get(server.addr, OPEN, &[]).sid(), "mine-0");
    let (mut socket, _) = upgrade(server.addr, "", &[]);
    assert!(read_text(&mut socket).contains(r#""sid":"mine-1""#));
    for expected in ["mine-0", "mine-1"] {
        assert_eq!(runtime.block_on(server.connection()).id().as_str(), expected);
    }

    // An id that is in use: the newcomer is refused, and the first goes on.
    let bad_request = r#"{"code":3,"message":"Bad request"}"#;
    for id in ["mine-0", "mine-1"] {
        let answer = get(server.addr, OPEN, &[&format!("X-Id: {id}")]);
        assert_eq!((answer.status, answer.text()), (400, bad_request));
        let (_, answer) = upgrade(server.addr, "", &[&format!("X-Id: {id}")]);
        assert_eq!((answer.status, answer.text()), (400, "Bad request"));
    }
    assert_eq!(post(server.addr, &session("mine-0"), &[], b"4first").text(), "ok");
    write_text(&mut socket, "4second");
    assert_eq!(read_text(&mut socket), "4second");
    assert_eq!(server.server.len(), 2);

    // One that cannot be an id.
    let answer = get(server.addr, OPEN, &["X-Id: a&b"]);
    assert_eq!((answer.status, answer.text()), (400, bad_request));

    // The id is free again when its session has ended.
    write_text(&mut socket, "1");
    runtime.block_on(server.disconnected());
    assert_eq!(get(server.addr, OPEN, &["X-Id: mine-1"]).sid(), "mine-1");
}

#[test]
fn a_websocket_that_is_not_opened_after_all_frees_its_id() {
    let builder = Server::builder().session_id(|_| async { SessionId::new("only") });
    let (_runtime, mut server) = start(builder);
    // It leaves at once: its session is either never opened, or opened and closed.
    for _ in 0..20 {
        let mut stream = connect(server.addr);
        let lines = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        begin(&mut stream, "GET /engine.io/?EIO=4&transport=websocket", &lines);
        stream.write_all(b"\r\n").unwrap();
        drop(stream);
    }
    let start = std::time::Instant::now();
    while upgrade(server.addr, "", &[]).1.status != 101 {
        assert!(start.elapsed() < crate::support::WATCHDOG, "the id is never free");
    }
    // Each that the handler has heard of has ended once.
    let (mut opened, mut ended) = (0, 0);
    while let Ok(seen) = server.seen.try_recv() {
        match seen {
            Seen::Connected(_) => opened += 1,
            Seen::Disconnected(_) => ended += 1,
            Seen::Message(_) => {}
        }
        assert!(opened - ended <= 1);
    }
}

#[test]
fn a_session_of_a_refused_origin_is_not_asked_about() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let (_runtime, server) = start(Server::builder().allow_request(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    }));
    assert_eq!(get(server.addr, OPEN, &["Origin: https://evil.example"]).status, 403);
    assert_eq!(get(server.addr, "/engine.io/?EIO=3&transport=polling", &[]).status, 400);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    websocket(server.addr);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
