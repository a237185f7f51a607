//! Connections that do not come to be say why: what came, and what was expected.

use std::sync::Arc;
use std::time::Duration;

use heartwire::blocking;
use heartwire::engineio::client::{Client, ClientState, ConnectError, ConnectErrorKind, Event};
use heartwire::engineio::{ClientBuilder, DisconnectReason};

use super::super::scripted::{Answer, handshake_packet, script, text_frame};
use super::super::support::{WAYS, client, disconnected};
use crate::support::{Log, WATCHDOG, run};

#[test]
fn names_and_addresses_that_lead_nowhere() {
    run(async {
        for (name, transports) in WAYS {
            let error = refused(client("http://name.invalid:5000", transports)).await;
            assert_eq!(*error.kind(), ConnectErrorKind::UnknownHost, "{name}: {error}");
            let words = error.to_string();
            assert!(words.contains("no address for name.invalid: "), "{name}: {error}");

            let error = refused(client("http://127.0.0.1:1", transports)).await;
            assert_eq!(*error.kind(), ConnectErrorKind::Unreachable, "{name}: {error}");
            let expected = "cannot connect to http://127.0.0.1:1/engine.io/: \
                            127.0.0.1:1: Connection refused";
            assert!(error.to_string().starts_with(expected), "{name}: {error}");
        }
    });
}

#[test]
fn refusals_come_with_status_and_answer() {
    run(async {
        let json = r#"{"code":4,"message":"bad token"}"#;
        let server = script(move |_| Answer::Http(403, String::new(), json.to_owned())).await;
        for (name, transports) in WAYS {
            let error = refused(client(server.url(), transports)).await;
            let expected = ConnectErrorKind::Refused { status: 403, body: json.to_owned() };
            assert_eq!(*error.kind(), expected, "{name}");
            assert!(error.to_string().contains("403 Forbidden: {\"code\":4"), "{name}: {error}");
        }
        let long = "x".repeat(100_000);
        let server = script(move |_| Answer::Http(500, String::new(), long.clone())).await;
        let error = refused(Client::builder(server.url())).await;
        assert!(error.to_string().len() < 1000, "not everything is shown");
        match error.kind() {
            ConnectErrorKind::Refused { body, .. } => assert_eq!(body.len(), 64 * 1024),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn what_is_no_engine_io_server() {
    run(async {
        let polling = [
            (
                Answer::ok("<html>\r\nHello</html>"),
                "got \"<html> Hello</html>\", expected an Engine.IO v4 handshake",
            ),
            (Answer::ok(""), "got \"\", expected an Engine.IO"),
            (Answer::ok("4hello"), "got \"4hello\", expected an Engine.IO"),
            (Answer::ok("0{}"), "got \"0{}\", expected an Engine.IO"),
            (Answer::ok("97:0{\"sid\":\"v3\"}"), "expected an Engine.IO v4 handshake"),
            (Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "the answer is not HTTP"),
            (
                Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff".to_vec()),
                "answer that is not UTF-8",
            ),
        ];
        let [(_, only_polling), (_, only_websocket), _] = WAYS;
        for (answer, words) in polling {
            check(only_polling, answer, ConnectErrorKind::Protocol, words).await;
        }
        let silent_end = Answer::Bytes(vec![]);
        let words = "the server closed the connection instead of answering";
        check(only_polling, silent_end, ConnectErrorKind::Broken, words).await;

        let frames = |bytes| Answer::WebSocket(String::new(), bytes);
        let websocket = [
            (Answer::ok("hello"), "200 OK, expected 101"),
            (Answer::Bytes(b"RFB 003.008\n".to_vec()), "the answer is not HTTP"),
            (frames(text_frame("hello")), "got \"hello\", expected an Engine.IO v4 handshake"),
            (frames(vec![0x82, 3, 1, 2, 3]), "got 3 bytes of binary, expected an Engine.IO"),
            (
                Answer::WebSocket("Sec-WebSocket-Extensions: x\r\n".to_owned(), vec![]),
                "it uses the extension \"x\"",
            ),
        ];
        for (answer, words) in websocket {
            check(only_websocket, answer, ConnectErrorKind::Protocol, words).await;
        }
        // What no frame may look like, and a close frame.
        let broken = [
            (frames(vec![0xff, 0xff]), "expected an Engine.IO"),
            (frames(vec![0x88, 0]), "transport close"),
        ];
        for (answer, words) in broken {
            check(only_websocket, answer, ConnectErrorKind::Broken, words).await;
        }
    });
}

#[test]
fn a_message_that_is_too_long_is_not_read() {
    run(async {
        let server = script(|_| Answer::ok("x".repeat(100_000))).await;
        let [(_, polling), ..] = WAYS;
        let error = refused(client(server.url(), polling).max_message(1000)).await;
        assert_eq!(*error.kind(), ConnectErrorKind::Protocol);
        assert!(error.to_string().contains("answer of more than 1000 bytes"), "{error}");
    });
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    run(async {
        let server = script(|asked| match asked.wants_websocket() {
            true => Answer::WebSocket(String::new(), vec![]),
            false => Answer::Silence,
        })
        .await;
        let short = Duration::from_millis(50);
        for (name, transports) in WAYS {
            let builder = client(server.url(), transports).request_timeout(short);
            let error = refused(builder).await;
            assert_eq!(*error.kind(), ConnectErrorKind::Timeout, "{name}: {error}");
            assert!(error.to_string().contains("no answer within 50ms"), "{name}: {error}");
        }
        // The one timeout is not the other.
        let server = script(|_| Answer::Silence).await;
        let [_, (_, websocket), _] = WAYS;
        let builder = client(server.url(), websocket).websocket_timeout(short);
        let error = refused(builder.request_timeout(WATCHDOG)).await;
        assert_eq!(*error.kind(), ConnectErrorKind::Timeout, "{error}");
    });
}

#[test]
fn an_attempt_can_be_given_up() {
    run(async {
        let mut server = script(|_| Answer::Silence).await;
        let builder = || Client::builder(server.url()).request_timeout(WATCHDOG * 2);
        // By a client that was not waited for.
        let client = builder().start().unwrap();
        assert_eq!(client.state(), ClientState::Connecting);
        client.send("never sent").await.unwrap();
        client.close();
        match client.next().await {
            Some(Event::ReconnectFailed { attempt: 0, error }) => {
                assert_eq!(*error.kind(), ConnectErrorKind::Cancelled, "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(client.next().await, Some(Event::GaveUp { unsent: 1 })));
        assert!(client.next().await.is_none());
        assert_eq!(client.state(), ClientState::Disconnected);
        // By dropping the future.
        let connecting = builder().connect();
        let asked = async { server.asked.recv().await };
        tokio::select! {
            _ = connecting => panic!("nobody answers"),
            _ = asked => {}
        }
    });
}

#[test]
fn an_attempt_is_given_up_by_another_thread() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut server = runtime.block_on(script(|_| Answer::Silence));
    for abort in [blocking::engineio::Client::abort, blocking::engineio::Client::disconnect] {
        let client = blocking::engineio::Client::new();
        let builder = Client::builder(server.url()).request_timeout(WATCHDOG * 2);
        let connecting = std::thread::spawn({
            let client = client.clone();
            move || client.connect_with(builder)
        });
        runtime.block_on(server.asked.recv()).unwrap();
        assert_eq!(client.state(), ClientState::Connecting);
        abort(&client);
        let error = connecting.join().unwrap().unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::Cancelled, "{error}");
        assert_eq!(client.state(), ClientState::Disconnected);
    }
}

#[test]
fn sessions_that_break_say_how() {
    run(async {
        let second: [(Answer, DisconnectReason, &str); 4] = [
            (
                Answer::Http(502, String::new(), "upstream".into()),
                DisconnectReason::TransportError,
                "the server answered 502 Bad Gateway: upstream",
            ),
            (Answer::ok("9what"), DisconnectReason::ParseError, "got \"9what\""),
            (
                Answer::Bytes(vec![]),
                DisconnectReason::TransportError,
                "the server closed the connection",
            ),
            (Answer::ok("1"), DisconnectReason::ServerDisconnect, "server disconnect"),
        ];
        for (answer, reason, words) in second {
            let answer = std::sync::Mutex::new(Some(answer));
            let server = script(move |asked| match asked.parameter("sid") {
                None => Answer::ok(handshake_packet("abc", &[], 1000)),
                Some(_) => answer.lock().unwrap().take().unwrap_or(Answer::Silence),
            })
            .await;
            let client = Client::builder(server.url()).connect().await.unwrap();
            let end = disconnected(&client).await;
            assert_eq!(end.reason, reason, "{end}");
            assert!(end.to_string().contains(words), "{end}");
        }
    });
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = Arc::new(Log::default());
    let client = blocking::engineio::Client::new();
    let attempts = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = attempts.clone();
    let server = runtime.block_on(script(move |asked| {
        match (asked.parameter("sid"), counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
            (None, 0..2) => Answer::Http(503, String::new(), String::new()),
            (None, _) => Answer::ok(handshake_packet("abc", &[], 1000)),
            (Some(_), _) => Answer::Silence,
        }
    }));
    let seen = log.clone();
    client.on_connect(move |client| seen.add(client.sid().unwrap().to_string()));
    let backoff = heartwire::Backoff::new().initial(Duration::from_millis(1));
    let [(_, polling), ..] = WAYS;
    let builder = super::super::support::client(server.url(), polling);
    client.connect_with(builder.reconnect(backoff).retry_first(true)).unwrap();
    assert_eq!(log.lines(), ["abc"]);
    let handshake = client.handshake().unwrap();
    assert_eq!(handshake.ping_interval, Duration::from_secs(25));
    assert_eq!(handshake.max_payload, Some(1000));
    client.abort();
}

async fn check(
    transports: &[heartwire::engineio::Transport],
    answer: Answer,
    kind: ConnectErrorKind,
    words: &str,
) {
    let answer = std::sync::Mutex::new(Some(answer));
    let server = script(move |_| answer.lock().unwrap().take().expect("one request")).await;
    let error = refused(client(server.url(), transports)).await;
    assert_eq!(*error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}, expected {words}");
}

async fn refused(builder: ClientBuilder) -> ConnectError {
    builder.connect().await.unwrap_err()
}
