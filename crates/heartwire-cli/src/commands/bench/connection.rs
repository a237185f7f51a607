//! One connection of the load.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::body::{Body, Wrong};
use super::client::{Client, End, Happening, Inbox, Refused, Sending};
use super::clock::Clock;
use super::exchange::{Exchange, Order};
use super::ledger::Answer;
use super::recorder::{Recorder, Window};
use super::target::Opened;

/// One connection of the load.
pub(super) struct Connection {
    client: Client,
    inbox: Inbox,
    body: Body,
    exchange: Exchange,
    /// A message that waits for room in the client, which happens where there are no answers.
    sending: Option<Sending>,
    clock: Arc<Clock>,
    recorder: Arc<Mutex<Recorder>>,
    replies: bool,
    end: Option<End>,
}

/// What is left of a connection.
pub(super) struct Finished {
    pub(super) opened: Opened,
    /// How it has ended, if the load has not outlived it.
    pub(super) end: Option<End>,
    pub(super) unanswered: u64,
    /// Messages that were due and not sent.
    pub(super) behind: u64,
}

impl Connection {
    pub(super) fn new(
        opened: Opened,
        body: Body,
        exchange: Exchange,
        replies: bool,
        clock: Arc<Clock>,
        recorder: Arc<Mutex<Recorder>>,
    ) -> Self {
        let Opened { client, inbox } = opened;
        Self { client, inbox, body, exchange, sending: None, clock, recorder, replies, end: None }
    }

    /// Sends and receives until the load is over. `bell` rings when there may be something to do: a
    /// message is due, or the end has come.
    pub(super) async fn run(mut self, bell: Arc<Notify>) -> Finished {
        let mut open = true;
        while open {
            self.send();
            if self.is_done() {
                break;
            }
            tokio::select! {
                biased;
                more = self.inbox.fill() => {
                    open = more;
                    self.receive();
                }
                sent = poll(&mut self.sending), if self.sending.is_some() => {
                    self.sending = None;
                    if let Err(refused) = sent {
                        self.refused(refused);
                    }
                }
                () = bell.notified() => {}
            }
        }
        Finished {
            unanswered: self.exchange.unanswered() as u64,
            behind: self.exchange.behind(self.clock.until()),
            opened: Opened { client: self.client, inbox: self.inbox },
            end: self.end,
        }
    }

    /// Whether nothing is to be sent any more, and nothing to be waited for.
    fn is_done(&self) -> bool {
        if self.end.is_some() {
            return true;
        }
        let now = self.clock.now();
        if now < self.clock.until() {
            return false;
        }
        let waits = self.exchange.unanswered() > 0;
        !waits || now >= self.clock.patience_ends()
    }

    /// Sends what is to be sent now.
    fn send(&mut self) {
        if self.sending.is_some() || self.end.is_some() {
            return;
        }
        let window = self.clock.window();
        let mut now = self.clock.now();
        let mut recorder = None;
        while let Some(Order { number, due, held_up }) = self.exchange.order(now, window.until) {
            let recorder = recorder.get_or_insert_with(|| lock(&self.recorder));
            recorder.sent(now, window);
            if due < now && !held_up {
                recorder.late(due, now, window);
            }
            match self.client.try_send(self.body.write(number), self.body.is_binary()) {
                Ok(()) => {}
                Err(Refused::Full(bytes)) => {
                    self.sending = Some(self.client.send(bytes, self.body.is_binary()));
                    return;
                }
                Err(refused) => {
                    self.end = self.end.take().or(end_of(refused));
                    return;
                }
            }
            if !self.replies {
                // Nothing but a full queue ends this, and the time may.
                now = self.clock.now();
            }
        }
    }

    fn receive(&mut self) {
        let (now, window) = (self.clock.now(), self.clock.window());
        let Self { inbox, recorder, exchange, body, replies, end, .. } = self;
        let mut recorder = lock(recorder);
        inbox.drain(|happening| match happening {
            Happening::Message(_) | Happening::Foreign(_) if !*replies => recorder.unexpected += 1,
            Happening::Message(message) => match body.read(message) {
                Ok(number) => answered(&mut recorder, exchange, number, now, window),
                Err(wrong) => found(&mut recorder, exchange, wrong),
            },
            Happening::Foreign(what) => found(&mut recorder, exchange, Wrong::Unreadable(what)),
            Happening::Ended(how) => *end = Some(how),
            Happening::Upgraded | Happening::NotUpgraded(_) => {}
        });
    }

    fn refused(&mut self, refused: Refused) {
        self.end = self.end.take().or(end_of(refused));
    }
}

/// What a message that is not taken means for the connection. One that has ended says so itself.
fn end_of(refused: Refused) -> Option<End> {
    match refused {
        Refused::Full(_) | Refused::Closed => None,
        Refused::Never(words) => {
            Some(End { reason: "message refused".to_owned(), words, unsent: 1 })
        }
    }
}

/// Counts an answer that has come back whole.
fn answered(
    recorder: &mut Recorder,
    exchange: &mut Exchange,
    number: u64,
    now: Duration,
    window: Window,
) {
    let wrong = &mut recorder.wrong;
    let (count, what) = match exchange.answered(number) {
        Answer::Expected { since } => return recorder.answered(since, now, window),
        Answer::Overtaken { since } => {
            wrong.reordered += 1;
            let what = "came after that to a later message";
            wrong.example.get_or_insert_with(|| format!("the answer to message {number} {what}"));
            return recorder.answered(since, now, window);
        }
        Answer::Repeated => (&mut wrong.repeated, "came once more"),
        Answer::NeverSent => (&mut wrong.corrupted, "came, and there was no such message"),
    };
    *count += 1;
    wrong.example.get_or_insert_with(|| format!("an answer to message {number} {what}"));
}

/// Counts an answer that has not.
fn found(recorder: &mut Recorder, exchange: &mut Exchange, wrong: Wrong) {
    let mistakes = &mut recorder.wrong;
    let words = match wrong {
        Wrong::Misdirected { connection } => {
            mistakes.misdirected += 1;
            format!("an answer to a message of connection {connection} came over another one")
        }
        Wrong::Unreadable(what) => {
            mistakes.corrupted += 1;
            format!("{what} came, which is no answer")
        }
        Wrong::Damaged { number, how } => {
            mistakes.corrupted += 1;
            // It is an answer, if a wrong one: nothing else is to be waited for.
            exchange.answered(number);
            format!("the answer to message {number} is wrong: {how}")
        }
    };
    mistakes.example.get_or_insert(words);
}

fn lock(recorder: &Mutex<Recorder>) -> std::sync::MutexGuard<'_, Recorder> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls a future that is there.
async fn poll(sending: &mut Option<Sending>) -> Result<(), Refused> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}
