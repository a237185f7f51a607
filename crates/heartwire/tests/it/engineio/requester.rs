//! Requests of polling sessions, sent by somebody else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use heartwire::engineio::client::{Answer, ConnectErrorKind, Requester};
use heartwire::engineio::{Server, Transport};
use http::{Request, Response};

use super::support::{client, echo, numbered, silent};
use crate::support::run;

/// HTTP/1.1 over a connection a request, on a thread.
#[derive(Debug)]
struct Plain {
    addr: SocketAddr,
    requests: AtomicUsize,
}

impl Requester for Plain {
    fn send(&self, request: Request<Bytes>) -> Answer {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let addr = self.addr;
        let exchange = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(addr)?;
            let (head, body) = request.into_parts();
            let target = head.uri.path_and_query().expect("requests have a path");
            write!(stream, "{} {target} HTTP/1.1\r\nhost: {addr}\r\n", head.method)?;
            write!(stream, "connection: close\r\ncontent-length: {}\r\n\r\n", body.len())?;
            stream.write_all(&body)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
            let status: u16 = head[9..12].parse()?;
            Ok(Response::builder().status(status).body(Bytes::from(body.to_owned()))?)
        });
        Box::pin(async { exchange.await.expect("it does not panic") })
    }
}

fn plain(addr: SocketAddr) -> Arc<Plain> {
    Arc::new(Plain { addr, requests: AtomicUsize::new(0) })
}

#[test]
fn sends_what_polling_needs_and_no_websocket() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let requester = plain(server.addr);
        let builder = client(server.url(), &[Transport::Polling]);
        let client = builder.requester(requester.clone()).connect().await.unwrap();
        let sent = numbered("through another's hands", 100);
        for message in &sent {
            client.send(message.clone()).await.unwrap();
        }
        client.disconnect().await;
        assert_eq!(server.messages(100).await, sent);
        assert!(requester.requests.load(Ordering::Relaxed) >= 3);

        let server = echo(Server::builder()).await;
        let unused = plain(server.addr);
        let builder = self::client(server.url(), &[Transport::WebSocket]);
        builder.requester(unused.clone()).connect().await.unwrap();
        assert_eq!(unused.requests.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn failures_are_told_in_its_words() {
    run(async {
        let server = echo(Server::builder()).await;
        let builder = client(server.url(), &[Transport::Polling]);
        let error = builder.path("elsewhere").requester(plain(server.addr)).connect().await;
        let error = error.unwrap_err();
        assert!(matches!(error.kind(), ConnectErrorKind::Refused { status: 404, .. }), "{error}");

        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let builder = client(server.url(), &[Transport::Polling]);
        let error = builder.requester(plain(nobody)).connect().await.unwrap_err();
        assert_eq!(*error.kind(), ConnectErrorKind::Unreachable);
        assert!(error.to_string().contains("refused"), "{error}");
    });
}
