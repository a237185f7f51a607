//! Options of the server, one by one.

use std::io::{Read, Write};

use flate2::read::{GzDecoder, ZlibDecoder};
use heartwire::engineio::{
    Cookie, Cors, DisconnectReason, InvalidConfig, OriginPolicy, Server, ServerBuilder, Transport,
};
use http::{HeaderName, HeaderValue};

use super::wire::{
    OPEN, begin, connect, get, post, read_close, read_text, receive, session, start, upgrade,
    websocket, write_frame, write_text,
};

#[test]
fn a_body_may_have_as_many_bytes_as_clients_are_told() {
    let (runtime, mut server) = start(Server::builder().max_payload(1000));
    let handshake = get(server.addr, OPEN, &[]);
    assert!(handshake.text().contains(r#""maxPayload":1000"#));
    let target = session(&handshake.sid());
    let fits = format!("4{}", "x".repeat(999));
    assert_eq!(post(server.addr, &target, &[], fits.as_bytes()).status, 200);
    assert_eq!(runtime.block_on(server.message()).as_text(), Some(&fits[1..]));
    let answer = post(server.addr, &target, &[], format!("{fits}x").as_bytes());
    assert_eq!((answer.status, answer.text()), (413, ""));
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::PayloadTooLarge);
    assert_eq!(post(server.addr, &target, &[], b"4late").status, 400, "the session has ended");
}

#[test]
fn a_body_of_unknown_length_is_refused_where_it_becomes_too_long() {
    let (runtime, mut server) = start(Server::builder().max_payload(1000));
    for (extra, status) in [(0, 200), (1, 413)] {
        let target = session(&get(server.addr, OPEN, &[]).sid());
        let mut stream = connect(server.addr);
        begin(&mut stream, &format!("POST {target}"), &["Transfer-Encoding: chunked"]);
        let (first, second) = (format!("4{}", "x".repeat(499)), "x".repeat(500 + extra));
        for chunk in [first, second] {
            write!(stream, "\r\n{:x}\r\n{chunk}", chunk.len()).unwrap();
        }
        if status == 200 {
            write!(stream, "\r\n0\r\n\r\n").unwrap();
        }
        assert_eq!(receive(&mut stream).status, status);
    }
    assert_eq!(runtime.block_on(server.message()).as_bytes().len(), 999);
    let end = runtime.block_on(server.disconnected());
    assert_eq!(end.reason, DisconnectReason::PayloadTooLarge);
}

#[test]
fn a_message_on_a_websocket_may_have_as_many_bytes_as_clients_are_told() {
    let (runtime, mut server) = start(Server::builder().max_payload(1000));
    let text = format!("4{}", "x".repeat(999));
    let bytes = vec![7; 1000];
    let mut socket = websocket(server.addr);
    write_text(&mut socket, &text);
    write_frame(&mut socket, 0x82, &bytes);
    write_frame(&mut socket, 0x01, &text.as_bytes()[..600]);
    write_frame(&mut socket, 0x80, &text.as_bytes()[600..]);
    for length in [999, 1000, 999] {
        assert_eq!(runtime.block_on(server.message()).as_bytes().len(), length);
    }
    let too_long: [&[(u8, &[u8])]; 3] = [
        &[(0x81, &[b'4'; 1001])],
        &[(0x82, &[7; 1001])],
        &[(0x01, &[b'4'; 600]), (0x80, &[b'4'; 401])],
    ];
    for frames in too_long {
        let mut socket = websocket(server.addr);
        for (first, payload) in frames {
            write_frame(&mut socket, *first, payload);
        }
        assert_eq!(read_close(&mut socket), Some(1009));
        let end = runtime.block_on(server.disconnected());
        assert_eq!(end.reason, DisconnectReason::PayloadTooLarge);
        assert_eq!(end.detail.as_deref(), Some("message of 1001 bytes, at most 1000 accepted"));
    }
}

#[test]
fn without_upgrades_none_is_offered_and_none_is_granted() {
    let (_runtime, server) = start(Server::builder().allow_upgrades(false));
    let handshake = get(server.addr, OPEN, &[]);
    assert!(handshake.text().contains(r#""upgrades":[]"#));
    let sid = handshake.sid();
    let (_, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!((answer.status, answer.text()), (400, "Bad request"));
    assert_eq!(post(server.addr, &session(&sid), &[], b"4alive").text(), "ok");
    let (_, answer) = upgrade(server.addr, "", &[]);
    assert_eq!(answer.status, 101, "a WebSocket from the start is no upgrade");
}

#[test]
fn only_the_path_is_answered() {
    let paths = ["/engine.io/", "/engine.io", "/engine.io/more", "/engine.iox", "/", "/ENGINE.IO/"];
    let answered = |builder: ServerBuilder| {
        let (_runtime, server) = start(builder);
        let open = |path: &&str| {
            get(server.addr, &format!("{path}?EIO=4&transport=polling"), &[]).status == 200
        };
        paths.into_iter().filter(open).collect::<Vec<_>>()
    };
    assert_eq!(answered(Server::builder()), ["/engine.io/"]);
    assert_eq!(answered(Server::builder().path("/engine.io")), ["/engine.io/", "/engine.io"]);
    assert_eq!(answered(Server::builder().path("/")), ["/"]);
}

#[test]
fn the_initial_message_comes_with_the_handshake() {
    // The Node server's, to the byte.
    let (_runtime, server) = start(Server::builder().initial_message("faster!"));
    assert!(get(server.addr, OPEN, &[]).text().ends_with("}\u{1e}4faster!"));
    let (mut socket, _) = upgrade(server.addr, "", &[]);
    assert!(read_text(&mut socket).starts_with("0{"));
    assert_eq!(read_text(&mut socket), "4faster!");
}

#[test]
fn the_cookie_comes_with_the_first_answer_over_polling() {
    let (_runtime, server) = start(Server::builder().cookie(Cookie::new("io")));
    let handshake = get(server.addr, OPEN, &[]);
    let sid = handshake.sid();
    let expected = format!("io={sid}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(handshake.header("set-cookie"), Some(&*expected));
    assert_eq!(post(server.addr, &session(&sid), &[], b"4x").header("set-cookie"), None);
    assert_eq!(get(server.addr, &session(&sid), &[]).header("set-cookie"), None);
    let (_, answer) = upgrade(server.addr, "", &[]);
    assert_eq!(answer.header("set-cookie"), None, "as the Node server");
    let (_runtime, server) = start(Server::builder());
    assert_eq!(get(server.addr, OPEN, &[]).header("set-cookie"), None);
}

#[test]
fn pages_of_other_origins_are_kept_out_everywhere() {
    let evil = "Origin: https://evil.example";
    let (_runtime, server) = start(Server::builder());
    let sid = get(server.addr, OPEN, &["Origin: http://example.com"]).sid();
    let target = session(&sid);
    let forbidden = r#"{"code":4,"message":"Forbidden"}"#;
    let answers = [
        get(server.addr, OPEN, &[evil]),
        get(server.addr, &target, &[evil]),
        post(server.addr, &target, &[evil], b"4x"),
        get(server.addr, OPEN, &["Origin: null"]),
        get(server.addr, OPEN, &["Origin: http://example.com", evil]),
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.text()), (403, forbidden));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_eq!(server.server.len(), 1, "what was refused has opened nothing");
    for query in [String::new(), format!("&sid={sid}")] {
        let (_, answer) = upgrade(server.addr, &query, &[evil]);
        assert_eq!((answer.status, answer.text()), (403, "Forbidden"));
        let (_, answer) = upgrade(server.addr, &query, &["Origin: https://example.com"]);
        assert_eq!(answer.status, 101);
    }
}

#[test]
fn origins_can_be_listed_or_all_let_in() {
    let here = "https://app.example".to_owned();
    let same = "Origin: http://example.com";
    let listed = OriginPolicy::Listed(vec![here]);
    let (_runtime, server) = start(Server::builder().origin(listed));
    assert_eq!(get(server.addr, OPEN, &["Origin: https://app.example"]).status, 200);
    assert_eq!(get(server.addr, OPEN, &["Origin: https://app.example.evil.example"]).status, 403);
    assert_eq!(get(server.addr, OPEN, &[same]).status, 403, "the list is all");
    assert_eq!(get(server.addr, OPEN, &[]).status, 200, "a program that is no browser");
    let ours = |origin: &str| origin.ends_with(".app.example");
    let checked = OriginPolicy::Check(std::sync::Arc::new(ours));
    let (_runtime, server) = start(Server::builder().origin(checked));
    assert_eq!(get(server.addr, OPEN, &["Origin: https://one.app.example"]).status, 200);
    assert_eq!(get(server.addr, OPEN, &["Origin: https://app.example"]).status, 403);
    assert_eq!(get(server.addr, OPEN, &[same]).status, 403, "the function decides alone");
    let (_runtime, server) = start(Server::builder().origin(OriginPolicy::Any));
    let (_, answer) = upgrade(server.addr, "", &["Origin: https://evil.example"]);
    assert_eq!(answer.status, 101);
}

#[test]
fn browsers_are_told_who_may_use_the_server() {
    let allows = |origin: &str| origin.ends_with(".example.com");
    for cors in [Cors::origins(["https://app.example.com"]), Cors::matching(allows)] {
        let (_runtime, server) = start(Server::builder().cors(cors.credentials(true)));
        let origin = "Origin: https://app.example.com";
        let mut stream = connect(server.addr);
        let asked = "Access-Control-Request-Headers: x-mine";
        begin(&mut stream, &format!("OPTIONS {OPEN}"), &[origin, asked]);
        stream.write_all(b"\r\n").unwrap();
        let preflight = receive(&mut stream);
        assert_eq!((preflight.status, preflight.text()), (204, ""));
        let header = |name| preflight.header(name);
        assert_eq!(header("access-control-allow-origin"), Some("https://app.example.com"));
        assert_eq!(header("access-control-allow-credentials"), Some("true"));
        assert_eq!(
            header("access-control-allow-methods"),
            Some("GET,HEAD,PUT,PATCH,POST,DELETE"),
            "as the Node server"
        );
        assert_eq!(header("access-control-allow-headers"), Some("x-mine"));

        // Errors too: a page that may not read why it was refused cannot tell its user.
        for (target, status) in [(OPEN, 200), ("/engine.io/?EIO=4&transport=tobi", 400)] {
            let answer = get(server.addr, target, &[origin]);
            assert_eq!(answer.status, status);
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, Some("https://app.example.com"));
        }
        let other = get(server.addr, OPEN, &["Origin: https://evil.example"]);
        assert_eq!((other.status, other.header("access-control-allow-origin")), (403, None));
    }
}

#[test]
fn browsers_are_told_what_pages_may_do() {
    let cors = Cors::any()
        .methods([http::Method::GET, http::Method::POST])
        .allowed_headers([HeaderName::from_static("x-a"), HeaderName::from_static("x-b")])
        .exposed_headers([HeaderName::from_static("x-c"), HeaderName::from_static("x-d")])
        .max_age(std::time::Duration::from_secs(600));
    let (_runtime, server) = start(Server::builder().cors(cors));
    let mut stream = connect(server.addr);
    let asked = "Access-Control-Request-Headers: x-mine";
    begin(&mut stream, &format!("OPTIONS {OPEN}"), &["Origin: https://a.example", asked]);
    stream.write_all(b"\r\n").unwrap();
    let preflight = receive(&mut stream);
    let answer = get(server.addr, OPEN, &["Origin: https://a.example"]);
    for (name, of_preflight, of_answer) in [
        ("access-control-allow-origin", Some("*"), Some("*")),
        ("access-control-allow-methods", Some("GET,POST"), None),
        ("access-control-allow-headers", Some("x-a,x-b"), None),
        ("access-control-expose-headers", Some("x-c,x-d"), Some("x-c,x-d")),
        ("access-control-max-age", Some("600"), None),
        ("access-control-allow-credentials", None, None),
        ("vary", None, None),
    ] {
        assert_eq!(preflight.header(name), of_preflight, "{name}");
        assert_eq!(answer.header(name), of_answer, "{name}");
    }
}

#[test]
fn headers_are_added_to_every_answer() {
    let hook = |request: &heartwire::engineio::RequestHead, headers: &mut http::HeaderMap| {
        if request.header("x-panic").is_some() {
            panic!("as the test wants it");
        }
        headers.append("x-method", HeaderValue::from_str(request.method().as_str()).unwrap());
        headers.append("x-two", HeaderValue::from_static("1"));
        headers.append("x-two", HeaderValue::from_static("2"));
    };
    let initial = |_: &heartwire::engineio::RequestHead, headers: &mut http::HeaderMap| {
        headers.append("x-first", HeaderValue::from_static("yes"));
    };
    let name = HeaderName::from_static("x-fixed");
    let builder = Server::builder()
        .header(name, HeaderValue::from_static("same"))
        .headers(hook)
        .initial_headers(initial);
    let (_runtime, server) = start(builder);
    let handshake = get(server.addr, OPEN, &[]);
    let sid = handshake.sid();
    let target = session(&sid);
    let posted = post(server.addr, &target, &[], b"4x");
    let refused = get(server.addr, "/engine.io/?EIO=4", &[]);
    let (_, switched) = upgrade(server.addr, "", &[]);
    let (_, upgraded) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    for (answer, status, method, first) in [
        (&handshake, 200, "GET", Some("yes")),
        (&posted, 200, "POST", None),
        (&refused, 400, "GET", None),
        (&switched, 101, "GET", Some("yes")),
        (&upgraded, 101, "GET", None),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-fixed"), Some("same"));
        assert_eq!(answer.header("x-method"), Some(method));
        assert_eq!(answer.all("x-two"), ["1", "2"]);
        assert_eq!(answer.header("x-first"), first);
    }
    let panicked = get(server.addr, OPEN, &["X-Panic: please"]);
    assert_eq!((panicked.status, panicked.header("x-method")), (200, None));
    assert_eq!(panicked.header("x-fixed"), Some("same"));
}

#[test]
fn long_answers_are_compressed_for_those_who_take_them() {
    let (runtime, mut server) = start(Server::builder().http_compression(1024));
    let mut last = String::new();
    let mut poll = |length: usize, headers: &[&str]| {
        let target = session(&get(server.addr, OPEN, headers).sid());
        let connection = runtime.block_on(server.connection());
        last = "x".repeat(length - 1);
        connection.try_send(last.clone()).unwrap();
        get(server.addr, &target, headers)
    };
    let plain = poll(5000, &[]);
    assert_eq!((plain.header("content-encoding"), plain.body.len()), (None, 5000));
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));

    let gzip = poll(1024, &["Accept-Encoding: deflate, gzip"]);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    assert!(gzip.body.len() < 100);
    let mut text = String::new();
    GzDecoder::new(&*gzip.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("4{}", "x".repeat(1023)));

    let deflate = poll(1024, &["Accept-Encoding: deflate"]);
    assert_eq!(deflate.header("content-encoding"), Some("deflate"));
    text.clear();
    ZlibDecoder::new(&*deflate.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("4{}", "x".repeat(1023)));

    let below = poll(1023, &["Accept-Encoding: gzip"]);
    assert_eq!((below.header("content-encoding"), below.body.len()), (None, 1023));
}

#[test]
fn answers_are_not_compressed_by_default() {
    let (runtime, mut server) = start(Server::builder());
    let target = session(&get(server.addr, OPEN, &[]).sid());
    let connection = runtime.block_on(server.connection());
    connection.try_send("x".repeat(4999)).unwrap();
    let answer = get(server.addr, &target, &["Accept-Encoding: gzip"]);
    assert_eq!((answer.header("content-encoding"), answer.body.len()), (None, 5000));
    assert_eq!(answer.header("vary"), None);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let conflict = |builder: ServerBuilder| -> InvalidConfig { builder.build().unwrap_err() };
    for (builder, words) in [
        (Server::builder().transports([]), "no transports"),
        (Server::builder().max_payload(0), "max payload"),
        (Server::builder().path("engine.io"), "path"),
        (Server::builder().cors(Cors::any().credentials(true)), "credentials"),
        (Server::builder().cookie(Cookie::new("a b")), "cookie"),
        (Server::builder().ping_timeout(std::time::Duration::ZERO), "ping"),
    ] {
        let text = conflict(builder).to_string();
        assert!(text.contains(words), "{text}");
    }
    let only = Server::builder().transports([Transport::Polling, Transport::Polling]);
    assert!(only.build().is_ok(), "what is said twice is no conflict");
}
