//! The upgrade: GETs, the probing WebSocket, the session's task and the user meet at a session that moves.
//!
//! As `polling`, `probe` and `task` do it, without sockets: a GET is a thread that asks and waits, the probe
//! one that says what a client says, and the task takes the session over.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use heartwire_proto::engineio::server::{Config, Output, ServerSession, UpgradeRequest};
use heartwire_proto::engineio::{DisconnectReason, Message, Packet, Transport, payload};
use heartwire_proto::shared::{Ending, Limits};
use shuttle::future::block_on;
use shuttle::thread;

use super::super::outgoing::Outgoing;
use super::home::{End, Home, Polling, ProbeOrder};
use super::socket::Socket;
use crate::mailbox::Mailbox;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What everybody who has to do with the session holds.
struct Shared {
    mailbox: Mailbox<Outgoing>,
    home: Mutex<Home>,
    /// What the client has heard: in answers to GETs, then on its WebSocket.
    heard: Mutex<Vec<Message>>,
    /// How far the client has come with leaving polling.
    client: Mutex<Client>,
    client_changed: Condvar,
    /// How often the user was told of the end.
    told: Mutex<usize>,
    now: Instant,
}

/// A client goes on over its WebSocket when it has the answer to its probe, and its GET has ended.
#[derive(Default)]
struct Client {
    pauses: bool,
    polls_no_more: bool,
    /// Its WebSocket is the session's, or closed.
    has_probed: bool,
}

impl Shared {
    fn new() -> Arc<Self> {
        let now = Instant::now();
        let config = Config { ping_interval: Duration::MAX / 4, ..Config::default() };
        let session = ServerSession::open(now, Arc::new(config), Transport::Polling);
        Arc::new(Self {
            mailbox: Mailbox::new(Limits { messages: 10, bytes: 1000 }),
            home: Mutex::new(Home::Polling(Box::new(Polling::new(session)))),
            heard: Mutex::new(vec![]),
            client: Mutex::default(),
            client_changed: Condvar::new(),
            told: Mutex::new(0),
            now,
        })
    }

    fn home(&self) -> MutexGuard<'_, Home> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> MutexGuard<'_, Vec<Message>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut Client)) {
        how(&mut self.client());
        self.client_changed.notify_all();
    }

    fn wait(&self, until: impl Fn(&Client) -> bool) -> MutexGuard<'_, Client> {
        let mut client = self.client();
        while !until(&client) {
            let woken = self.client_changed.wait(client);
            client = woken.unwrap_or_else(PoisonError::into_inner);
        }
        client
    }

    fn finish(&self, end: Option<End>) {
        if end.is_some() {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.mailbox.close_and_drain();
        }
    }

    fn told(&self) -> usize {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is sent while the session moves arrives once, and in order.
pub(crate) fn upgrades() {
    let shared = Shared::new();
    let sender = spawn(&shared, |shared| send(shared, 4));
    let gets = spawn(&shared, poll_until_upgraded);
    let probe = spawn(&shared, |shared| probe(shared, "2probe"));
    let task = spawn(&shared, task);
    let accepted = sender.join().expect("it does not panic");
    assert_eq!(accepted, 4);
    gets.join().expect("it does not panic");
    probe.join().expect("it does not panic");
    shared.mailbox.close(Ending::Flush);
    assert_eq!(task.join().expect("it does not panic"), Some(DisconnectReason::ServerDisconnect));
    assert_eq!(*shared.heard(), (0..4).map(message).collect::<Vec<_>>());
}

/// The user closes the session while it moves: what was accepted arrives all the same, and nobody waits for
/// ever.
pub(crate) fn upgrades_and_closes() {
    let shared = Shared::new();
    let sender = spawn(&shared, |shared| send(shared, 2));
    let gets = spawn(&shared, poll_until_upgraded);
    let probe = spawn(&shared, |shared| probe(shared, "2probe"));
    let task = spawn(&shared, task);
    shared.mailbox.close(Ending::Flush);
    let accepted = sender.join().expect("it does not panic");
    gets.join().expect("it does not panic");
    probe.join().expect("it does not panic");
    let over = task.join().expect("it does not panic");
    let ends = usize::from(over.is_some()) + shared.told();
    assert_eq!(ends, 1, "the user is told of the end once");
    assert_eq!(*shared.heard(), (0..accepted).map(message).collect::<Vec<_>>());
}

/// The user closes the session while a WebSocket that says nothing would take it over: it is closed too.
pub(crate) fn closes_beside_a_silent_probe() {
    let shared = Shared::new();
    let sender = spawn(&shared, |shared| send(shared, 2));
    let gets = spawn(&shared, poll_until_upgraded);
    let probe = spawn(&shared, |shared| probe(shared, ""));
    let task = spawn(&shared, task);
    shared.mailbox.close(Ending::Flush);
    let accepted = sender.join().expect("it does not panic");
    for thread in [gets, probe] {
        thread.join().expect("it does not panic");
    }
    assert_eq!(task.join().expect("it does not panic"), None, "it was never on its WebSocket");
    assert_eq!(shared.told(), 1, "the user is told of the end once");
    assert_eq!(*shared.heard(), (0..accepted).map(message).collect::<Vec<_>>());
}

fn spawn<T: Send + 'static>(
    shared: &Arc<Shared>,
    what: impl FnOnce(&Shared) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let shared = shared.clone();
    thread::spawn(move || what(&shared))
}

fn message(number: usize) -> Message {
    Message::from(number.to_string())
}

/// Says how many the queue has taken.
fn send(shared: &Shared, count: usize) -> usize {
    (0..count)
        .take_while(|number| shared.mailbox.push(Outgoing::Message(message(*number))).is_ok())
        .count()
}

/// One GET after the other, as a client does until it goes on over its WebSocket.
fn poll_until_upgraded(shared: &Shared) {
    poll(shared);
    shared.change(|client| client.polls_no_more = true);
}

fn poll(shared: &Shared) {
    while !shared.client().pauses {
        let poll = {
            let mut home = shared.home();
            let Home::Polling(polling) = &mut *home else { return };
            let poll = polling.session.handle_poll(shared.now);
            let end = polling.drive(shared.now, &shared.mailbox);
            drop(home);
            shared.finish(end);
            match poll {
                Ok(poll) => poll,
                Err(_) => return,
            }
        };
        let body = block_on(poll_fn(|cx| {
            let mut home = shared.home();
            let mut end = None;
            if let Home::Polling(polling) = &mut *home {
                if polling.session.waiting_poll() == Some(poll) {
                    shared.mailbox.lock().wake_sender_with(cx);
                }
                end = polling.drive(shared.now, &shared.mailbox);
            }
            let answer = home.take_answer(poll);
            let result = match (&mut *home, answer) {
                (home, Some(answer)) => {
                    if let Home::Polling(polling) = home {
                        end = end.or(polling.take_end());
                    }
                    Poll::Ready(answer.body)
                }
                (Home::Polling(polling), None) => {
                    polling.poll_waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                (Home::Task { .. }, None) => panic!("an upgrade answers the GET that waits"),
            };
            drop(home);
            shared.finish(end);
            result
        }));
        let body = String::from_utf8(body).expect("it is text");
        let mut packets = payload::Decoder::new(&body);
        while let Some(packet) = packets.next_packet() {
            match packet.expect("it is a packet") {
                Packet::Message(message) => {
                    shared.heard().push(message.to_message());
                }
                Packet::Close => return,
                // The answer to the probe is on its way.
                Packet::Noop => {
                    drop(shared.wait(|client| client.pauses || client.has_probed));
                }
                other => panic!("nobody sends {other:?}"),
            }
        }
    }
}

/// The WebSocket that takes the session over, and what its client says on it, first of all `says`.
fn probe(shared: &Shared, says: &str) {
    try_probe(shared, says);
    shared.change(|client| client.has_probed = true);
}

fn try_probe(shared: &Shared, says: &str) {
    let probe = {
        let mut home = shared.home();
        let Home::Polling(polling) = &mut *home else { return };
        match polling.session.handle_upgrade(shared.now) {
            Ok(UpgradeRequest::Probe(probe)) => probe,
            Ok(UpgradeRequest::Surplus) => panic!("there is no other"),
            Err(_) => return,
        }
    };
    let tell = |text: &str| {
        let mut home = shared.home();
        let Home::Polling(polling) = &mut *home else { return };
        polling.session.handle_probe_text(shared.now, probe, text);
        let end = polling.drive(shared.now, &shared.mailbox);
        drop(home);
        shared.finish(end);
    };
    if !says.is_empty() {
        tell(says);
    }
    let take_over = block_on(poll_fn(|cx| {
        loop {
            let orders = {
                let mut home = shared.home();
                let Home::Polling(polling) = &mut *home else { return Poll::Ready(false) };
                let visitors = polling.visitors();
                visitors.probe_waker = Some(cx.waker().clone());
                std::mem::take(&mut visitors.probe_orders)
            };
            if orders.is_empty() {
                return Poll::Pending;
            }
            for order in orders {
                match order {
                    // The pong.
                    ProbeOrder::Send(_) => {
                        shared.change(|client| client.pauses = true);
                        drop(shared.wait(|client| client.polls_no_more));
                        tell("5");
                    }
                    ProbeOrder::TakeOver => return Poll::Ready(true),
                    ProbeOrder::Close => return Poll::Ready(false),
                }
            }
        }
    }));
    if take_over {
        let mut home = shared.home();
        home.hand_over(|session| Socket { session });
        drop(home);
        let owner = shared.mailbox.lock().take_owner();
        owner.into_iter().for_each(Waker::wake);
    }
}

/// The session's task. Says how the session has ended, if it did on the WebSocket.
fn task(shared: &Shared) -> Option<DisconnectReason> {
    let socket = block_on(poll_fn(|cx| {
        shared.mailbox.lock().wake_owner_with(cx);
        let mut home = shared.home();
        match &mut *home {
            Home::Task { socket, .. } => {
                Poll::Ready(Some(socket.take().expect("it is handed over once")))
            }
            Home::Polling(polling) => {
                polling.armed = Some(shared.now);
                let end = polling.drive(shared.now, &shared.mailbox);
                polling.armed = polling.session.next_deadline();
                let over = polling.is_over();
                drop(home);
                shared.finish(end);
                if over { Poll::Ready(None) } else { Poll::Pending }
            }
        }
    }));
    let mut session = socket?.session;
    let reason = block_on(poll_fn(|cx| {
        while shared.mailbox.is_dirty() || session.has_orders() {
            let ended = shared.mailbox.attend(cx, |queue| {
                while let Some(output) = session.poll_output(shared.now, queue) {
                    match output {
                        Output::SendMessage(message) => shared.heard().push(message.into_message()),
                        Output::Closed(reason) => return Some(reason),
                        Output::SendPacket(_) | Output::CloseSocket(_) => {}
                        other => panic!("the session has left polling behind: {other:?}"),
                    }
                }
                None
            });
            if let Some(reason) = ended {
                return Poll::Ready(reason);
            }
        }
        Poll::Pending
    }));
    Some(reason)
}
