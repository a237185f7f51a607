//! What requests carry: headers, queries, cookies, subprotocols.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use heartwire::engineio::client::{Client, ClientState, ConnectErrorKind, Event};
use heartwire::engineio::{ClientBuilder, Message, Server, Transport};
use tokio::net::TcpSocket;

use super::super::proxy::relay;
use super::super::scripted::{Answer, Asked, Script, handshake_packet, script, text_frame};
use super::super::support::{WAYS, client, echo, echoes, next_event, next_message};
use crate::support::run;

/// A server that polls and refuses to upgrade.
async fn stubborn() -> Script {
    script(|asked| match (&*asked.method, asked.parameter("sid")) {
        (_, None) => Answer::Http(
            200,
            "Set-Cookie: route=a7; Path=/\r\nSet-Cookie: old=1\r\n".to_owned(),
            handshake_packet("abc", &["websocket"], 1000),
        ),
        ("POST", _) => Answer::Http(200, "Set-Cookie: old=; Max-Age=0\r\n".to_owned(), "ok".into()),
        _ if asked.wants_websocket() => Answer::Http(403, String::new(), String::new()),
        _ => Answer::Silence,
    })
    .await
}

/// The handshake, the WebSocket's request, the GET and the POST of a session.
async fn session(server: &mut Script, builder: ClientBuilder) -> [Asked; 4] {
    let client = builder.connect().await.unwrap();
    client.send("hello").await.unwrap();
    let mut asked: Vec<Asked> = vec![];
    while asked.len() < 4 {
        asked.push(server.asked.recv().await.unwrap());
    }
    let mut take = |test: &dyn Fn(&Asked) -> bool| {
        asked.remove(asked.iter().position(test).expect("the request was sent"))
    };
    [
        take(&|asked| asked.parameter("sid").is_none()),
        take(&Asked::wants_websocket),
        take(&|asked| asked.method == "GET"),
        take(&|asked| asked.method == "POST"),
    ]
}

#[test]
fn headers_and_queries_of_all_and_of_one_transport() {
    run(async {
        let mut server = stubborn().await;
        let builder = Client::builder(format!("{}?first=1", server.url()))
            .query("key", "a b&c")
            .header("x-all", "both")
            .header("x-twice", "one")
            .header("x-twice", "two")
            .header("user-agent", "mine")
            .transport_header(Transport::WebSocket, "x-all", "frames")
            .transport_header(Transport::Polling, "x-polling", "yes")
            .transport_query(Transport::WebSocket, "fast", "1");
        let [opening, websocket, get, post] = session(&mut server, builder).await;
        for asked in [&opening, &get, &post] {
            assert_eq!(asked.header("x-all"), Some("both"));
            assert_eq!(asked.header("x-polling"), Some("yes"));
            assert_eq!(asked.parameter("fast"), None);
        }
        assert_eq!(websocket.header("x-all"), Some("frames"));
        assert_eq!(websocket.header("x-polling"), None);
        assert_eq!(websocket.parameter("fast"), Some("1"));
        for asked in [&opening, &get, &post, &websocket] {
            assert!(asked.target.starts_with("/engine.io/?first=1&key=a+b%26c&"), "{asked:?}");
            assert_eq!(asked.head.matches("x-twice: ").count(), 2, "{asked:?}");
            assert_eq!(asked.header("user-agent"), Some("mine"));
            assert_eq!(asked.header("host"), Some(&*server.addr.to_string()));
        }
        assert_eq!(post.header("content-type"), Some("text/plain;charset=UTF-8"));
        assert_eq!(websocket.header("sec-websocket-protocol"), None);
    });
}

#[test]
fn users_and_passwords_in_the_address() {
    run(async {
        let mut server = stubborn().await;
        let url = format!("http://Aladdin:open%20sesame@{}", server.addr);
        // RFC 7617, § 2.
        let expected = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        for asked in session(&mut server, Client::builder(&url)).await {
            assert_eq!(asked.header("authorization"), expected);
            assert_eq!(asked.header("host"), Some(&*server.addr.to_string()));
        }
        let mut server = stubborn().await;
        let url = format!("http://Aladdin:open%20sesame@{}", server.addr);
        let builder = Client::builder(url).header("authorization", "Bearer wins");
        for asked in session(&mut server, builder).await {
            assert_eq!(asked.header("authorization"), Some("Bearer wins"));
        }
    });
}

#[test]
fn timestamps_differ_and_can_be_left_out() {
    run(async {
        let mut server = stubborn().await;
        let builder = Client::builder(server.url());
        let [opening, websocket, get, post] = session(&mut server, builder).await;
        let mut stamps: Vec<_> = [&opening, &websocket, &get, &post]
            .into_iter()
            .map(|asked| asked.parameter("t").expect("a timestamp"))
            .collect();
        stamps.sort_unstable();
        stamps.dedup();
        assert_eq!(stamps.len(), 4);
        let mut server = stubborn().await;
        let builder = Client::builder(server.url()).timestamp_requests(false);
        for asked in session(&mut server, builder).await {
            assert_eq!(asked.parameter("t"), None);
        }
    });
}

#[test]
fn cookies_are_kept_across_requests_and_sessions() {
    run(async {
        let mut server = stubborn().await;
        let builder = Client::builder(server.url()).header("cookie", "own=0");
        let [opening, websocket, ..] = session(&mut server, builder).await;
        assert_eq!(opening.header("cookie"), Some("own=0"));
        assert_eq!(websocket.header("cookie"), Some("own=0; old=1; route=a7"));

        // A server that ends every session at its first GET.
        let mut server = script(|asked| match asked.parameter("sid") {
            None => Answer::Http(
                200,
                "Set-Cookie: route=b3\r\n".to_owned(),
                handshake_packet("abc", &[], 1000),
            ),
            Some(_) => Answer::Http(400, "Set-Cookie: more=1\r\n".to_owned(), String::new()),
        })
        .await;
        let backoff = heartwire::Backoff::new().initial(std::time::Duration::from_millis(1));
        let builder = Client::builder(server.url()).reconnect(backoff);
        let client = builder.connect().await.unwrap();
        next_event(&client, |event| matches!(event, Event::Connected(_))).await;
        next_event(&client, |event| matches!(event, Event::Connected(_))).await;
        client.close_now();
        let openings: Vec<_> = server
            .all_asked()
            .into_iter()
            .filter(|asked| asked.parameter("sid").is_none())
            .collect();
        assert_eq!(openings[0].header("cookie"), None);
        assert_eq!(openings[1].header("cookie"), Some("more=1; route=b3"));
    });
}

#[test]
fn headers_cannot_be_smuggled() {
    run(async {
        let url = "http://127.0.0.1:1";
        let bad = [
            Client::builder(url).header("x-ok", "a\r\nx-evil: 1"),
            Client::builder(url).header("x-ok", "a\nb"),
            Client::builder(url).header("x-evil: 1\r\nx", "a"),
            Client::builder(url).header("", "a"),
            Client::builder(url).header("transfer-encoding", "chunked"),
            Client::builder(url).header("Content-Length", "0"),
            Client::builder(url).header("connection", "close"),
            Client::builder(url).transport_header(Transport::WebSocket, "upgrade", "h2c"),
            Client::builder(url).transport_header(Transport::WebSocket, "sec-websocket-key", "x"),
            Client::builder(url).headers(
                [(http::header::TE, http::HeaderValue::from_static("x"))].into_iter().collect(),
            ),
            Client::builder(url).subprotocols(["a, b"]),
            Client::builder(url).subprotocols(["a\r\nx-evil: 1"]),
            Client::builder(url).transports([]),
        ];
        for builder in bad {
            let words = format!("{builder:?}");
            let error = builder.connect().await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::InvalidOption, "{error}: {words}");
        }
        // Where nothing has to be refused, it is escaped.
        let mut server = stubborn().await;
        let builder =
            Client::builder(server.url()).path("a b\r\nx-evil: 1").query("x\r\n", "\r\nx-evil: 1");
        let [opening, ..] = session(&mut server, builder).await;
        assert!(!opening.head.to_lowercase().contains("\nx-evil"), "{}", opening.head);
    });
}

#[test]
fn the_server_chooses_a_subprotocol() {
    run(async {
        let mut server = script(|_| {
            let open = text_frame(&handshake_packet("abc", &[], 1000));
            // Both arrive with the 101.
            let early = [open, text_frame("4early")].concat();
            Answer::WebSocket("Sec-WebSocket-Protocol: chat\r\n".to_owned(), early)
        })
        .await;
        let [_, (_, websocket), _] = WAYS;
        let builder = client(server.url(), websocket).subprotocols(["superchat", "chat"]);
        let client_ = builder.connect().await.unwrap();
        assert_eq!(client_.state(), ClientState::Connected);
        assert_eq!(client_.subprotocol().as_deref(), Some("chat"));
        match client_.next().await.unwrap() {
            Event::Connected(connected) => {
                assert_eq!(connected.subprotocol.as_deref(), Some("chat"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(next_message(&client_).await, Message::from("early"));
        let asked = server.next_asked(|_| true).await;
        assert_eq!(asked.header("sec-websocket-protocol"), Some("superchat, chat"));

        // One that nobody has offered.
        let error = client(server.url(), websocket).connect().await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::Protocol);
        assert!(error.to_string().contains("it speaks \"chat\""), "{error}");
    });
}

/// What python-engineio and Node's agents do: connections are kept and used again.
#[test]
fn connections_are_used_again() {
    run(async {
        let server = echo(heartwire::engineio::Server::builder()).await;
        let (addr, connections) = relay(server.addr, |_| false).await;
        let [(_, polling), ..] = WAYS;
        for _ in 0..3 {
            let client = client(format!("http://{addr}"), polling).connect().await.unwrap();
            for number in 0..50 {
                let message = Message::from(number.to_string());
                client.send(message.clone()).await.unwrap();
                assert_eq!(next_message(&client).await, message);
            }
            client.disconnect().await;
        }
        // A GET that waits, and POSTs beside it; the last GET of a session may end with its connection.
        let count = connections.load(std::sync::atomic::Ordering::SeqCst);
        assert!((2..=6).contains(&count), "{count} connections for 300 requests");
    });
}

#[test]
fn connections_come_from_the_address_that_is_wanted() {
    run(async {
        let mut server = echo(Server::builder()).await;
        for (name, transports) in WAYS {
            for (local, seen) in [("127.0.0.7", "127.0.0.7"), ("0.0.0.0", "127.0.0.1")] {
                let builder = client(server.url(), transports);
                echoes(name, builder.local_address(local.parse().unwrap())).await;
                let connection = server.connection().await;
                let from = connection.request().remote_addr().unwrap().ip();
                assert_eq!(from.to_string(), seen, "{name}");
            }
        }
        let builder = client(server.url(), WAYS[0].1).local_address("::".parse().unwrap());
        let error = builder.connect().await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::UnknownHost, "{error}");
        let expected = "no address that :: could connect to";
        assert!(error.to_string().contains(expected), "{error}");
    });
}

#[test]
fn paths_and_parameters_can_be_those_of_other_servers() {
    run(async {
        let mut server = echo(Server::builder().path("/live")).await;
        for (name, transports) in WAYS {
            let builder = client(server.url(), transports).path("live").trailing_slash(false);
            echoes(name, builder.timestamp_parameter("at")).await;
            let connection = server.connection().await;
            let query = connection.request().query();
            assert!(query.contains("&at="), "{name}: {query}");
            assert!(!query.contains("&t="), "{name}: {query}");
        }
    });
}

#[test]
fn sockets_of_websockets_are_prepared() {
    run(async {
        let server = echo(Server::builder()).await;
        let prepared = Arc::new(AtomicUsize::new(0));
        for (name, transports) in WAYS {
            prepared.store(0, Ordering::SeqCst);
            let counter = prepared.clone();
            let builder = client(server.url(), transports).websocket_socket(move |socket| {
                counter.fetch_add(1, Ordering::SeqCst);
                socket.set_reuseaddr(true)
            });
            echoes(name, builder).await;
            let expected = usize::from(transports.contains(&Transport::WebSocket));
            assert_eq!(prepared.load(Ordering::SeqCst), expected, "{name}");
        }
        let refuses = |_: &TcpSocket| Err(std::io::Error::other("no such option"));
        let error = client(server.url(), &[Transport::WebSocket]).websocket_socket(refuses);
        let error = error.connect().await.unwrap_err();
        assert!(error.to_string().contains("no such option"), "{error}");
    });
}
