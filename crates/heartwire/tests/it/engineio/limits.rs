//! How many clients a server lets in, and whom it believes about where they come from.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use heartwire::engineio::{Cookie, SessionId};
use heartwire::engineio::{ForwardedHeader, Network, Server, TrustedProxies};
use tokio::net::TcpSocket;

use super::wire::{
    OPEN, begin, connect, get, post, read_text, receive, session, start, upgrade, upgrade_on,
    websocket, write_text,
};

#[test]
fn a_full_server_refuses_and_recovers() {
    let (runtime, mut server) = start(Server::builder().max_connections(2));
    let first = session(&get(server.addr, OPEN, &[]).sid());
    let mut second = websocket(server.addr);
    let answer = get(server.addr, OPEN, &[]);
    assert_eq!((answer.status, answer.text()), (503, ""));
    let (_, answer) = upgrade(server.addr, "", &[]);
    assert_eq!((answer.status, answer.text()), (503, "Service unavailable"));

    // Those who are in are not concerned.
    assert_eq!(post(server.addr, &first, &[], b"4x").text(), "ok");
    write_text(&mut second, "4y");
    assert_eq!(read_text(&mut second), "4y");
    assert_eq!(get(server.addr, &first, &[]).text(), "4x");

    assert_eq!(post(server.addr, &first, &[], b"1").text(), "ok");
    runtime.block_on(server.disconnected());
    wait_until_let_in(|| get(server.addr, OPEN, &[]).status);
    assert_eq!(get(server.addr, OPEN, &[]).status, 503);
    drop(second);
    wait_until_let_in(|| get(server.addr, OPEN, &[]).status);
}

#[test]
fn an_upgrade_takes_no_second_place() {
    let (runtime, mut server) = start(Server::builder().max_connections(1));
    let sid = get(server.addr, OPEN, &[]).sid();
    let (mut socket, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!(answer.status, 101);
    write_text(&mut socket, "2probe");
    assert_eq!(read_text(&mut socket), "3probe");
    write_text(&mut socket, "5");
    write_text(&mut socket, "4x");
    assert_eq!(read_text(&mut socket), "4x");
    assert_eq!(get(server.addr, OPEN, &[]).status, 503);
    drop(socket);
    runtime.block_on(server.disconnected());
    wait_until_let_in(|| get(server.addr, OPEN, &[]).status);
}

#[test]
fn one_address_does_not_take_all_places() {
    let builder = Server::builder().max_connections_per_address(1).trusted_proxies(local());
    let (_runtime, server) = start(builder);
    let from = |addr: &str| get(server.addr, OPEN, &[&format!("X-Forwarded-For: {addr}")]).status;
    assert_eq!(from("203.0.113.1"), 200);
    assert_eq!(from("203.0.113.1"), 429);
    assert_eq!(from("203.0.113.2"), 200);
    assert_eq!(from("203.0.113.9, 203.0.113.2"), 429, "what is left of it is made up");
    assert_eq!(from("2001:db8::1"), 200);
    assert_eq!(from("2001:db8::2"), 429, "the same network");
    let (_, answer) = upgrade(server.addr, "", &["X-Forwarded-For: 203.0.113.1"]);
    assert_eq!((answer.status, answer.text()), (429, "Too many connections"));
}

#[test]
fn a_place_is_free_again_if_the_session_id_is_refused() {
    let builder =
        Server::builder().max_connections(2).session_id(|_| async { SessionId::new("x") });
    let (_runtime, server) = start(builder);
    assert_eq!(get(server.addr, OPEN, &[]).status, 200);
    for _ in 0..3 {
        assert_eq!(get(server.addr, OPEN, &[]).status, 400, "taken, not full");
    }
}

#[test]
fn a_stranger_does_not_choose_its_address() {
    let (_runtime, server) = start(Server::builder().max_connections_per_address(1));
    assert_eq!(get(server.addr, OPEN, &["X-Forwarded-For: 203.0.113.1"]).status, 200);
    let answer =
        get(server.addr, OPEN, &["X-Forwarded-For: 203.0.113.2", "Forwarded: for=1.1.1.1"]);
    assert_eq!(answer.status, 429);
}

#[test]
fn what_a_trusted_proxy_says_is_kept() {
    let builder = Server::builder().trusted_proxies(local()).cookie(Cookie::new("io"));
    let (runtime, mut server) = start(builder);
    let lines =
        ["X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https", "Forwarded: for=1.1.1.1"];
    let handshake = get(server.addr, OPEN, &lines);
    assert!(handshake.header("set-cookie").unwrap().contains("; Secure;"));
    let connection = runtime.block_on(server.connection());
    let facts = connection.request();
    assert_eq!(facts.client_ip(), Some("203.0.113.1".parse().unwrap()));
    assert_eq!(facts.remote_addr().unwrap().ip(), server.addr.ip());
    assert_eq!(facts.headers().count(), 0, "no header was to be kept");

    let direct = get(server.addr, OPEN, &[]);
    assert!(!direct.header("set-cookie").unwrap().contains("Secure"));
    let connection = runtime.block_on(server.connection());
    assert_eq!(connection.request().client_ip(), Some(server.addr.ip()));
}

#[test]
fn the_other_header_can_be_chosen() {
    let proxies = TrustedProxies::new(local()).header(ForwardedHeader::Forwarded);
    let (runtime, mut server) = start(Server::builder().trusted_proxies(proxies));
    get(server.addr, OPEN, &["X-Forwarded-For: 1.1.1.1", "Forwarded: for=203.0.113.1"]);
    let connection = runtime.block_on(server.connection());
    assert_eq!(connection.request().client_ip(), Some("203.0.113.1".parse().unwrap()));
}

#[test]
fn a_page_from_the_proxys_host_is_of_the_same_origin() {
    let lines = ["Origin: https://public.example", "X-Forwarded-Host: public.example"];
    let (_runtime, server) = start(Server::builder());
    assert_eq!(get(server.addr, OPEN, &lines).status, 403, "nobody is believed");
    let (_runtime, server) = start(Server::builder().trusted_proxies(local()));
    assert_eq!(get(server.addr, OPEN, &lines).status, 200);
    let lines = ["Origin: https://evil.example", "X-Forwarded-Host: public.example"];
    assert_eq!(get(server.addr, OPEN, &lines).status, 403);
    let page = ["Origin: http://public.example", "X-Forwarded-Host: public.example"];
    assert_eq!(get(server.addr, OPEN, &page).status, 200);
    let over_tls = [&page[..], &["X-Forwarded-Proto: https"]].concat();
    assert_eq!(get(server.addr, OPEN, &over_tls).status, 403, "of another scheme");
}

fn local() -> [Network; 1] {
    ["127.0.0.0/8".parse().unwrap()]
}

/// A place becomes free when the connection that had it is closed to its end.
#[track_caller]
fn wait_until_let_in(open: impl Fn() -> u16) {
    let start = std::time::Instant::now();
    loop {
        match open() {
            200 => return,
            503 => assert!(start.elapsed() < crate::support::WATCHDOG, "the place stays taken"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn strangers_do_not_take_all_descriptors() {
    let (_runtime, server) = start(Server::builder().max_newcomers(2));
    let mut strangers = [connect(server.addr), connect(server.addr)];
    assert_refused(&mut connect(server.addr));
    // Whoever asks for something that is no session stays a stranger.
    begin(&mut strangers[0], "GET /nothing", &[]);
    strangers[0].write_all(b"\r\n").unwrap();
    assert_eq!(receive(&mut strangers[0]).status, 404);
    assert_refused(&mut connect(server.addr));

    // Whoever opens a session is none, over each transport.
    let [mut polling, mut upgrading] = strangers;
    begin(&mut polling, &format!("GET {OPEN}"), &[]);
    polling.write_all(b"\r\n").unwrap();
    let target = session(&receive(&mut polling).sid());
    let mut third = connect(server.addr);
    assert_eq!(upgrade_on(&mut upgrading, "", &[]).status, 101);
    // Nor is who goes on with a session over another connection, while its GET waits.
    begin(&mut third, &format!("GET {target}"), &[]);
    third.write_all(b"\r\n").unwrap();
    assert_eq!(post(server.addr, &target, &[], b"4x").text(), "ok");
    assert_eq!(receive(&mut third).text(), "4x");
    let _strangers = [connect(server.addr), connect(server.addr)];
    assert_refused(&mut connect(server.addr));
}

#[test]
fn a_stranger_that_leaves_makes_room() {
    let (_runtime, server) = start(Server::builder().max_newcomers(1));
    for _ in 0..10 {
        let stranger = connect(server.addr);
        assert_refused(&mut connect(server.addr));
        drop(stranger);
        wait_until_let_in(|| try_get(server.addr));
    }
}

#[test]
fn strangers_of_one_address_do_not_take_all_places() {
    let (_runtime, server) = start(Server::builder().max_newcomers_per_address(1));
    let _stranger = connect_from("127.0.0.2", server.addr);
    assert_refused(&mut connect_from("127.0.0.2", server.addr));
    assert_eq!(get(server.addr, OPEN, &[]).status, 200);

    let proxies: Network = "127.0.0.2/32".parse().unwrap();
    let builder = Server::builder().max_newcomers_per_address(1).trusted_proxies([proxies]);
    let (_runtime, server) = start(builder);
    let _first = connect_from("127.0.0.2", server.addr);
    let mut second = connect_from("127.0.0.2", server.addr);
    begin(&mut second, &format!("GET {OPEN}"), &[]);
    second.write_all(b"\r\n").unwrap();
    assert_eq!(receive(&mut second).status, 200);
}

/// A connection from another address of this machine.
fn connect_from(from: &str, addr: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    let stream = runtime.block_on(socket.connect(addr)).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(crate::support::WATCHDOG)).unwrap();
    stream
}

/// The status of a handshake, or 503 where not even a connection is let in.
fn try_get(addr: SocketAddr) -> u16 {
    let mut stream = connect(addr);
    let request = format!("GET {OPEN} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut head = [0; 12];
    let answered = stream.write_all(request.as_bytes()).and_then(|()| stream.read_exact(&mut head));
    match answered {
        Ok(()) => std::str::from_utf8(&head[9..]).unwrap().parse().unwrap(),
        Err(_) => 503,
    }
}

/// The server has closed a connection without a word.
#[track_caller]
fn assert_refused(stream: &mut TcpStream) {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(count) => assert_eq!(count, 0, "it says something"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
