//! Our sides of the game.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use heartwire::engineio::{
    Connection, Context, Disconnected, Handler, Message, MessageRef, Server, ServerBuilder,
    SessionId, Transport,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Messages in each direction.
pub(crate) const COUNT: usize = 3000;

/// A server for the game, on a thread of its own.
pub(crate) struct GameServer {
    pub(crate) url: String,
    /// Messages that did not reach clients, as the ends of their sessions tell.
    pub(crate) unsent: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl GameServer {
    pub(crate) fn start(configure: fn(ServerBuilder) -> ServerBuilder) -> Self {
        let runtime = Runtime::new().unwrap();
        let referee = Referee::default();
        let unsent = referee.unsent.clone();
        let url = runtime.block_on(async {
            let builder = Server::builder().max_payload(1_000_000).send_limits(10_000, 4 << 20);
            let server = configure(builder).build().unwrap();
            server.set_handler(referee);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { server.serve(listener).await });
            url
        });
        Self { url, unsent, _runtime: runtime }
    }
}

#[derive(Default)]
struct Referee {
    scores: Mutex<HashMap<SessionId, Score>>,
    unsent: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Score {
    count: usize,
    first_wrong: Option<String>,
}

impl Handler for Referee {
    fn connect(&self, connection: &Connection) {
        self.scores.lock().unwrap().insert(connection.id().clone(), Score::default());
    }

    fn message(&self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let connection = context.connection().clone();
        let mut scores = self.scores.lock().unwrap();
        let score = scores.get_mut(connection.id()).unwrap();
        let text = message.as_text().unwrap_or("");
        if text.starts_with("up ") {
            if text != format!("up {}", score.count) {
                score.first_wrong.get_or_insert_with(|| text.to_owned());
            }
            score.count += 1;
        } else if let Some(count) = text.strip_prefix("flood ") {
            for number in 0..count.parse().unwrap() {
                connection.try_send(format!("down {number}")).unwrap();
            }
        } else if text == "report" {
            let Score { count, first_wrong } = score;
            let report = serde_json::json!({"count": count, "first_wrong": first_wrong});
            connection.try_send(report.to_string()).unwrap();
        } else {
            context.reply(message).unwrap();
        }
    }

    fn disconnect(&self, connection: &Connection, disconnected: &Disconnected) {
        self.unsent.fetch_add(disconnected.unsent, Ordering::Relaxed);
        self.scores.lock().unwrap().remove(connection.id());
    }
}

/// A client's side of the game: says what to send, and checks what comes.
pub(crate) struct Player {
    down: usize,
    reported: bool,
    odd: usize,
}

impl Player {
    pub(crate) fn new() -> Self {
        Self { down: 0, reported: false, odd: 0 }
    }

    pub(crate) fn opening() -> impl Iterator<Item = Message> {
        let up = (0..COUNT).map(|number| format!("up {number}").into());
        up.chain([format!("flood {COUNT}").into()])
    }

    /// Takes a message; returns what to send, or that the game is over.
    pub(crate) fn take(&mut self, message: &Message) -> Step {
        if self.down < COUNT {
            assert_eq!(*message, Message::from(format!("down {}", self.down)));
            self.down += 1;
            return if self.down == COUNT { Step::Send("report".into()) } else { Step::Wait };
        }
        if !self.reported {
            let report: serde_json::Value =
                serde_json::from_str(message.as_text().unwrap()).unwrap();
            assert_eq!(report["count"], COUNT, "{report}");
            assert_eq!(report["first_wrong"], serde_json::Value::Null);
            self.reported = true;
        } else {
            assert!(*message == odd()[self.odd], "odd message {} came back changed", self.odd);
            self.odd += 1;
        }
        match odd().into_iter().nth(self.odd) {
            Some(next) => Step::Send(next),
            None => Step::End,
        }
    }
}

pub(crate) enum Step {
    Wait,
    Send(Message),
    End,
}

fn odd() -> Vec<Message> {
    vec![
        "text".into(),
        "".into(),
        "ünïcödé 🎈 \u{0}".into(),
        "2probe".into(),
        (&[0_u8, 1, 255][..]).into(),
        (&[][..]).into(),
        vec![0x1e, 0x1e].into(),
        "x".repeat(1_000_000 - 1).into(),
        vec![0xfe; 700_000].into(),
    ]
}

/// The ways to reach a server: over each transport alone, and by an upgrade.
pub(crate) const WAYS: [(&str, &[Transport]); 3] = [
    ("polling", &[Transport::Polling]),
    ("websocket", &[Transport::WebSocket]),
    ("upgrade", &[Transport::Polling, Transport::WebSocket]),
];
