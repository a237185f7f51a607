//! HTTP on a connection, through hyper to a server: whatever the server acts on, a strict reader of
//! RFC 9112 sees as well, and nothing behind what it does not see. Cuts change nothing.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use heartwire::engineio::{Context, Handler, Message, MessageRef, Server, SessionId};
use heartwire_proto::engineio::{Packet, payload};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::strict::{self, Body};
use crate::pieces::Stream;

/// A stream. There is a session with the id `s0`; those that follow are `s1`, `s2`, ….
pub(super) fn target(data: &[u8]) {
    let stream = Stream::read(data);
    let whole = converse(&[stream.bytes]);
    compare(&converse(&stream.pieces()), &whole);
    check(&whole, stream.bytes);
}

/// Cuts change nothing, but for when hyper gives up.
fn compare(pieces: &Conversation, whole: &Conversation) {
    let count = pieces.requests.len();
    assert_eq!(Some(&pieces.requests[..]), whole.requests.get(..count), "in pieces, and whole");
    let shared = count.min(pieces.answers.len());
    assert_eq!(
        Some(&pieces.answers[..shared]),
        whole.answers.get(..shared),
        "in pieces, and whole"
    );
    if count < whole.requests.len() {
        // The rest of a body that was not wanted is thrown away if it is there, or else the connection.
        let last = pieces.answers.last().map(|(status, _)| *status);
        assert!(last.is_some_and(|status| status >= 400), "it stops after {last:?}");
    } else {
        // Half a head is refused when it is bad, or its end is waited for, as it comes.
        assert!(pieces.answers.len() <= whole.answers.len(), "more answers in pieces");
        let more = &whole.answers[pieces.answers.len()..];
        assert!(more.iter().all(|(status, _)| *status >= 400), "{more:?} is answered whole alone");
    }
}

/// What a server has done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Conversation {
    requests: Vec<Asked>,
    /// Statuses and bodies of the answers, in order; after a switch to WebSocket, no more.
    answers: Vec<(u16, Vec<u8>)>,
}

/// A request that has reached the server, and the messages that were taken from it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Asked {
    method: String,
    query: String,
    messages: Vec<Message>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Asked>>>);

impl Handler for Log {
    fn message(&self, _: &mut Context<'_>, message: MessageRef<'_>) {
        let mut requests = self.0.lock().unwrap();
        requests.last_mut().unwrap().messages.push(message.to_message());
    }
}

/// Feeds a server with pieces, and reads what it answers until it has nothing more to say.
fn converse(pieces: &[&[u8]]) -> Conversation {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let log = Log::default();
    let output = runtime.block_on(async {
        let server = server(&log);
        let service = server.service();
        let opening = Request::get("/?EIO=4&transport=polling").header("host", "h");
        let opened = service.call(opening.body(String::new()).unwrap()).await.unwrap();
        assert_eq!(opened.status(), 200);

        let (near, far) = tokio::io::duplex(1 << 20);
        let requests = log.clone();
        let logged = service_fn(move |request: Request<Incoming>| {
            requests.0.lock().unwrap().push(Asked {
                method: request.method().to_string(),
                query: request.uri().query().unwrap_or("").to_owned(),
                messages: vec![],
            });
            let answer = service.call(request);
            async move { Ok::<_, Infallible>(answer.await.unwrap()) }
        });
        // As the server's own listener.
        let mut http = http1::Builder::new();
        http.max_headers(100).max_header_size(16 * 1024);
        let connection = http.serve_connection(TokioIo::new(near), logged).with_upgrades();
        tokio::spawn(connection);
        let (mut reader, mut writer) = tokio::io::split(far);
        let mut output = vec![];
        for piece in pieces {
            // The other end may be gone.
            let _ = writer.write_all(piece).await;
            settle(&mut reader, &mut output).await;
        }
        let _ = writer.shutdown().await;
        settle(&mut reader, &mut output).await;
        output
    });
    drop(runtime);
    let requests = std::mem::take(&mut *log.0.lock().unwrap());
    let answers = answers(&output, &requests);
    Conversation { requests, answers }
}

fn server(log: &Log) -> Server {
    let sessions = AtomicUsize::new(0);
    let id = move |_| {
        let number = sessions.fetch_add(1, Ordering::Relaxed);
        async move { SessionId::new(&format!("s{number}")) }
    };
    let server = Server::builder().max_payload(200).session_id(id).build().unwrap();
    server.set_handler(log.clone());
    server
}

/// Reads until nothing has come for a while: no clock is asked, only tasks.
async fn settle(reader: &mut (impl AsyncReadExt + Unpin), output: &mut Vec<u8>) {
    let mut idle = 0;
    while idle < IDLE {
        let mut buffer = [0; 4096];
        let mut read = pin!(reader.read(&mut buffer));
        let mut result = None;
        std::future::poll_fn(|cx| {
            if let std::task::Poll::Ready(read) = read.as_mut().poll(cx) {
                result = Some(read);
            }
            std::task::Poll::Ready(())
        })
        .await;
        match result {
            Some(Ok(0) | Err(_)) => return,
            Some(Ok(count)) => {
                output.extend_from_slice(&buffer[..count]);
                idle = 0;
            }
            None => {
                idle += 1;
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Times that every task runs before it is believed that none has anything to do.
const IDLE: usize = 12;

/// The answers in what a server has written.
fn answers(output: &[u8], requests: &[Asked]) -> Vec<(u16, Vec<u8>)> {
    let (mut answers, mut rest) = (vec![], output);
    while !rest.is_empty() {
        let mut lines = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut lines);
        let httparse::Status::Complete(length) = head.parse(rest).unwrap() else {
            panic!("half an answer: {}", rest.escape_ascii());
        };
        let status = head.code.unwrap();
        rest = &rest[length..];
        if status == 100 {
            continue;
        }
        let header = |name: &str| {
            let line = head.headers.iter().find(|line| line.name.eq_ignore_ascii_case(name));
            line.map(|line| str::from_utf8(line.value).unwrap())
        };
        assert_eq!(header("transfer-encoding"), None, "bodies have a length");
        if status == 101 {
            answers.push((status, vec![]));
            break;
        }
        let is_head = requests.get(answers.len()).is_some_and(|asked| asked.method == "HEAD");
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let length = if is_head { 0 } else { length };
        answers.push((status, rest[..length].to_vec()));
        rest = &rest[length..];
    }
    answers
}

/// Compares what the server has done with what is there for a strict reader.
fn check(conversation: &Conversation, bytes: &[u8]) {
    let Conversation { requests, answers } = conversation;
    let seen = strict::requests(bytes);
    assert!(answers.len() <= requests.len() + 1, "more answers than requests");
    for (number, asked) in requests.iter().enumerate() {
        let status = answers.get(number).map(|(status, _)| *status);
        let is_last = number + 1 == requests.len();
        let Some(read) = seen.get(number) else {
            panic!("{asked:?} is nowhere for a strict reader: {seen:?}");
        };
        let body = match &read.body {
            // What cannot be read in one way alone is refused, and ends the connection. It ends as well where
            // the answer did not wait for the body.
            Body::Unclear(why) | Body::Garbled(why) => {
                let unread = matches!(read.body, Body::Garbled(_)) && asked.method != "POST";
                let refused = unread || status.is_none_or(|status| status >= 400);
                assert!(refused && is_last, "{why}: {asked:?} is answered with {status:?}");
                return;
            }
            Body::Cut(body) | Body::Whole(body) | Body::Frayed(body) => body,
        };
        assert!(!read.is_bad || status.is_none_or(|status| status >= 400), "{asked:?}: {status:?}");
        assert_eq!((&asked.method, &asked.query), (&read.method, &read.query));
        let is_whole = !matches!(read.body, Body::Cut(_));
        let sent = messages(body);
        let is_post = asked.method == "POST";
        match status {
            Some(101) => return,
            Some(200) if is_post => {
                assert!(is_whole, "a POST that breaks off is taken");
                assert_eq!(Some(&asked.messages), sent.as_ref(), "{}", body.escape_ascii());
            }
            _ => {
                let start = sent.unwrap_or_default();
                let is_start = start.starts_with(&asked.messages);
                assert!(asked.messages.is_empty() || is_post && is_start, "{asked:?}");
            }
        }
        if let Body::Frayed(_) = read.body {
            return;
        }
    }
}

/// The messages of a payload up to the first packet that is none; `None` if it is no text.
fn messages(body: &[u8]) -> Option<Vec<Message>> {
    let mut messages = vec![];
    let mut packets = payload::Decoder::new(str::from_utf8(body).ok()?);
    while let Some(Ok(packet)) = packets.next_packet() {
        match packet {
            Packet::Message(message) => messages.push(message.to_message()),
            Packet::Close | Packet::Ping(_) => break,
            _ => {}
        }
    }
    Some(messages)
}
