//! Answers that send the client elsewhere.

use heartwire::engineio::client::ConnectErrorKind;
use heartwire::engineio::{DisconnectReason, Server};
use http::header;

use super::super::scripted::{Answer, handshake_packet, script};
use super::super::support::{WAYS, client, disconnected, echo, echoes};
use crate::support::run;

#[test]
fn the_whole_session_goes_where_its_first_request_is_sent() {
    run(async {
        for status in [301, 302, 303, 307, 308] {
            let server = echo(Server::builder()).await;
            let to = server.url();
            let mut gate = script(move |asked| {
                let (_, query) = asked.target.split_once('?').unwrap();
                Answer::redirect(status, &format!("{to}/engine.io/?{query}"))
            })
            .await;
            for (name, transports) in WAYS {
                echoes(name, client(gate.url(), transports)).await;
                assert_eq!(gate.all_asked().len(), 1, "{name}, {status}");
            }
        }
    });
}

#[test]
fn secrets_are_not_told_to_other_servers() {
    run(async {
        let headers = [header::AUTHORIZATION, header::COOKIE];
        let mut server = echo(Server::builder().keep_headers(headers)).await;
        let to = format!("{}/engine.io/", server.url());
        let gate = script(move |_| {
            Answer::Http(307, format!("Location: {to}\r\nSet-Cookie: a=1\r\n"), String::new())
        })
        .await;
        for (name, transports) in WAYS {
            let builder = client(gate.url(), transports)
                .header("authorization", "Bearer secret")
                .header("cookie", "b=2")
                .header("x-other", "stays");
            echoes(name, builder).await;
            let connection = server.connection().await;
            for header in ["authorization", "cookie"] {
                assert_eq!(connection.request().header(header), None, "{name}");
            }
        }
    });
}

#[test]
fn circles_end() {
    run(async {
        for (name, transports) in WAYS {
            let mut circle = script(|asked| Answer::redirect(302, &asked.target)).await;
            let builder = client(circle.url(), transports).fallback(false).max_redirects(3);
            let error = builder.connect().await.unwrap_err();
            assert!(
                matches!(error.kind(), ConnectErrorKind::Refused { status: 302, .. }),
                "{name}"
            );
            assert!(error.to_string().contains("one redirect too many"), "{name}: {error}");
            assert_eq!(circle.all_asked().len(), 4, "{name}");

            let builder = client(circle.url(), transports).fallback(false).max_redirects(0);
            let error = builder.connect().await.unwrap_err();
            assert!(error.to_string().contains("redirects are not followed"), "{name}: {error}");
            assert_eq!(circle.all_asked().len(), 1, "{name}");
        }
    });
}

#[test]
fn messages_are_not_lost_on_the_way_to_another_server() {
    run(async {
        for (status, delivered) in [(302, false), (303, false), (307, true), (308, true)] {
            let mut server =
                script(move |asked| match (&*asked.method, asked.parameter("moved")) {
                    ("GET", _) if asked.parameter("sid").is_none() => {
                        Answer::ok(handshake_packet("x", &[], 1000))
                    }
                    ("GET", _) => Answer::Silence,
                    (_, None) => Answer::redirect(status, &format!("{}&moved=1", asked.target)),
                    (_, Some(_)) => Answer::ok("ok"),
                })
                .await;
            let [(_, polling), ..] = WAYS;
            let client = client(server.url(), polling).connect().await.unwrap();
            client.send("hello").await.unwrap();
            if delivered {
                let moved = server.next_asked(|asked| asked.parameter("moved").is_some()).await;
                assert_eq!((&*moved.method, &*moved.body), ("POST", "4hello"), "{status}");
            } else {
                let end = disconnected(&client).await;
                assert_eq!((end.reason, end.unsent), (DisconnectReason::TransportError, 1));
                assert!(end.to_string().contains("messages would be lost there"), "{end}");
            }
        }
    });
}
