//! Where a session lives: with everybody while it polls, with its task once it has a WebSocket.
//!
//! ```text
//! Polling ──(5 on the probing WebSocket)──► Task
//! ```
//!
//! A polling session is driven by whoever brings something: a GET, a POST, the probing WebSocket, the
//! clock. Each takes the lock, tells the session, carries out its orders, and lets go before it calls
//! the user.

use std::borrow::Cow;
use std::task::Waker;
use std::time::Instant;

use heartwire_proto::engineio::server::{ExchangeId, Output, ServerSession};
use heartwire_proto::engineio::{DisconnectReason, Packet};

use super::super::outgoing::Outgoing;
use super::socket::Socket;
use crate::mailbox::Mailbox;

/// Where a session lives.
pub(super) enum Home {
    /// Here, for every request to use.
    Polling(Box<Polling>),
    /// With the task that drives it.
    Task {
        /// The session, while its task rests.
        socket: Option<Box<Socket>>,
        /// What it has left behind, if there is anything.
        estate: Option<Box<Estate>>,
    },
}

/// What a session leaves behind when it leaves polling.
#[derive(Default)]
pub(super) struct Estate {
    /// Answers to GETs that have not taken them yet.
    answers: Vec<Answer>,
    /// Messages that were taken for a GET which did not stay for them.
    undelivered: usize,
}

impl Estate {
    fn is_nothing(&self) -> bool {
        self.answers.is_empty() && self.undelivered == 0
    }
}

impl Home {
    /// The home of a session that was never on polling.
    pub(super) const TASK: Self = Self::Task { socket: None, estate: None };

    /// Moves the session to its task.
    pub(super) fn hand_over(
        &mut self,
        into_socket: impl FnOnce(ServerSession<Outgoing>) -> Socket,
    ) {
        let Self::Polling(polling) = std::mem::replace(self, Self::TASK) else {
            unreachable!("a session is handed over once");
        };
        let Polling { session, answers, undelivered, .. } = *polling;
        let socket = Some(Box::new(into_socket(session)));
        let estate = Estate { answers, undelivered };
        let estate = (!estate.is_nothing()).then(|| Box::new(estate));
        *self = Self::Task { socket, estate };
    }

    /// Where the session rests between two turns of its task, if it has left polling.
    pub(super) fn socket(&mut self) -> Option<&mut Option<Box<Socket>>> {
        match self {
            Self::Polling(_) => None,
            Self::Task { socket, .. } => Some(socket),
        }
    }

    /// Messages that were taken for GETs which did not stay for them, and are not part of an [`End`].
    pub(super) fn undelivered(&self) -> usize {
        match self {
            Self::Polling(_) => 0,
            Self::Task { estate, .. } => estate.as_ref().map_or(0, |estate| estate.undelivered),
        }
    }

    /// The answer to `poll`, if it is there.
    pub(super) fn take_answer(&mut self, poll: ExchangeId) -> Option<Answer> {
        let answers = match self {
            Self::Polling(polling) => &mut polling.answers,
            Self::Task { estate, .. } => &mut estate.as_mut()?.answers,
        };
        let index = answers.iter().position(|answer| answer.poll == poll)?;
        let answer = answers.swap_remove(index);
        if let Self::Task { estate, .. } = self {
            estate.take_if(|estate| estate.is_nothing());
        }
        Some(answer)
    }

    /// Takes the news that the client has left the GET. Its answer, if there was one, did not arrive.
    pub(super) fn handle_poll_gone(&mut self, poll: ExchangeId) {
        let lost = self.take_answer(poll).map_or(0, |answer| answer.messages.len());
        match self {
            Self::Polling(polling) => {
                if lost > 0 {
                    polling.undelivered += lost;
                    polling.unconfirmed = 0;
                }
                polling.session.handle_poll_gone(poll);
                polling.explain("GET left before its answer");
            }
            Self::Task { .. } if lost == 0 => {}
            Self::Task { estate, .. } => estate.get_or_insert_default().undelivered += lost,
        }
    }
}

/// A session that polls, and what those who drive it leave for each other.
pub(super) struct Polling {
    pub(super) session: ServerSession<Outgoing>,
    /// Answers to GETs that have not taken them yet.
    answers: Vec<Answer>,
    /// The GET that waits.
    pub(super) poll_waker: Option<Waker>,
    /// Behind a pointer: most sessions only poll.
    visitors: Option<Box<Visitors>>,
    /// Whether the user's code handles the messages of a POST.
    pub(super) dispatching: bool,
    /// When the session's task has set its clock.
    pub(super) armed: Option<Instant>,
    /// What has ended the session, in words.
    detail: Option<Box<Cow<'static, str>>>,
    course: Course,
    /// Messages that were taken for a GET which did not stay for them.
    undelivered: usize,
    /// Messages of the last answer: that it has arrived is known from the next GET.
    pub(super) unconfirmed: usize,
}

/// Who comes besides the GET that waits, and may wait, too.
#[derive(Default)]
pub(super) struct Visitors {
    /// The POST that ends the session, and lets a GET that is on its way arrive first.
    pub(super) leave_waker: Option<Waker>,
    /// What the probing WebSocket has to do.
    pub(super) probe_orders: Vec<ProbeOrder>,
    /// The probing WebSocket.
    pub(super) probe_waker: Option<Waker>,
}

/// The answer to a GET.
pub(super) struct Answer {
    poll: ExchangeId,
    pub(super) body: Vec<u8>,
    pub(super) messages: Vec<Outgoing>,
}

/// What the probing WebSocket has to do.
pub(super) enum ProbeOrder {
    Send(Packet<'static>),
    /// The session is its own from now on.
    TakeOver,
    Close,
}

/// How far a session has come.
enum Course {
    Open,
    /// It has a WebSocket, which is about to take it over: its orders are for the task.
    Upgraded,
    /// It has ended. The user has to be told, once nothing is under way.
    Ended(DisconnectReason),
    Told,
}

/// How a polling session ended: for the user.
pub(super) struct End {
    pub(super) reason: DisconnectReason,
    pub(super) detail: Option<Cow<'static, str>>,
    pub(super) undelivered: usize,
}

impl Polling {
    pub(super) fn new(session: ServerSession<Outgoing>) -> Self {
        Self {
            session,
            answers: vec![],
            poll_waker: None,
            visitors: None,
            dispatching: false,
            armed: None,
            detail: None,
            course: Course::Open,
            undelivered: 0,
            unconfirmed: 0,
        }
    }

    /// Who comes besides the GET that waits.
    pub(super) fn visitors(&mut self) -> &mut Visitors {
        self.visitors.get_or_insert_default()
    }

    /// Lets the POST go on that ends the session: a GET has come.
    pub(super) fn let_leave(&mut self) {
        let waker = self.visitors.as_mut().and_then(|visitors| visitors.leave_waker.take());
        waker.into_iter().for_each(Waker::wake);
    }

    /// Carries out the session's orders. Call it after telling the session anything.
    ///
    /// If the session has ended and nothing of it is under way, says how it ended; the caller tells
    /// the user, after letting go of the lock.
    #[must_use]
    pub(super) fn drive(&mut self, now: Instant, mailbox: &Mailbox<Outgoing>) -> Option<End> {
        if let Course::Upgraded = self.course {
            return None;
        }
        let mut inner = mailbox.lock();
        let mut room = vec![];
        while let Some(output) = self.session.poll_output(now, &mut inner.queue) {
            match output {
                Output::Respond { poll, body, messages } => {
                    self.unconfirmed = messages.len();
                    self.answers.push(Answer { poll, body, messages });
                    self.poll_waker.take().into_iter().for_each(Waker::wake);
                }
                Output::SendProbe(packet) => self.order_probe(ProbeOrder::Send(packet)),
                Output::CloseProbe => self.order_probe(ProbeOrder::Close),
                Output::Upgraded => {
                    self.course = Course::Upgraded;
                    self.order_probe(ProbeOrder::TakeOver);
                    break;
                }
                Output::Closed(reason) => {
                    self.course = Course::Ended(reason);
                    room = inner.take_all_waiting();
                }
                Output::SendPacket(_) | Output::SendMessage(_) | Output::CloseSocket(_) => {
                    unreachable!("a polling session has no WebSocket of its own")
                }
            }
        }
        let earlier = match (self.session.next_deadline(), self.armed) {
            (Some(next), Some(armed)) => next < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let owner = if earlier { inner.take_owner() } else { None };
        room.extend(inner.take_waiting());
        drop(inner);
        owner.into_iter().chain(room).for_each(Waker::wake);
        self.take_end()
    }

    /// Takes the news that the client has left a GET that another one had overtaken. The one that waits
    /// was sent when the client had given the session up already.
    pub(super) fn handle_overtaken_poll_gone(&mut self) {
        let Some(poll) = self.session.waiting_poll() else { return };
        self.session.handle_poll_gone(poll);
        self.explain("GET left before its answer");
        self.poll_waker.take().into_iter().for_each(Waker::wake);
    }

    /// How the session ended, once, when nothing of it is under way: no answer on its way to a GET, no
    /// message with the user.
    pub(super) fn take_end(&mut self) -> Option<End> {
        if self.dispatching || !self.answers.is_empty() {
            return None;
        }
        match std::mem::replace(&mut self.course, Course::Told) {
            Course::Ended(reason) => {
                let detail = self.detail.take().map(|detail| *detail);
                // Who leaves, or is told to, has heard enough.
                let unconfirmed = if reason.is_asked_for() { 0 } else { self.unconfirmed };
                Some(End { reason, detail, undelivered: self.undelivered + unconfirmed })
            }
            before @ (Course::Open | Course::Upgraded | Course::Told) => {
                self.course = before;
                None
            }
        }
    }

    /// Says in words what has ended the session just now, if it has. The first word counts.
    pub(super) fn explain(&mut self, detail: impl Into<Cow<'static, str>>) {
        if self.session.is_closed() && self.detail.is_none() {
            self.detail = Some(Box::new(detail.into()));
        }
    }

    /// Whether the user has been told that the session has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.course, Course::Told)
    }

    fn order_probe(&mut self, order: ProbeOrder) {
        let Visitors { probe_orders, probe_waker, .. } = self.visitors();
        probe_orders.push(order);
        probe_waker.take().into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use heartwire_proto::engineio::server::{Config, UpgradeRequest};
    use heartwire_proto::engineio::{Message, Transport};
    use heartwire_proto::shared::Limits;

    use super::*;

    #[test]
    fn what_is_sent_while_a_websocket_takes_over_is_left_to_it() {
        let now = Instant::now();
        let session = ServerSession::open(now, Arc::new(Config::default()), Transport::Polling);
        let mailbox = Mailbox::new(Limits { messages: 10, bytes: 100 });
        let mut polling = Polling::new(session);
        let Ok(UpgradeRequest::Probe(probe)) = polling.session.handle_upgrade(now) else {
            panic!("it is allowed");
        };
        polling.session.handle_probe_text(now, probe, "2probe");
        polling.session.handle_probe_text(now, probe, "5");
        assert!(polling.drive(now, &mailbox).is_none());
        assert!(matches!(polling.visitors().probe_orders.last(), Some(ProbeOrder::TakeOver)));
        mailbox.push(Outgoing::Message(Message::from("hello"))).unwrap();
        // By a request that is under way, or the clock.
        assert!(polling.drive(now, &mailbox).is_none());
        assert_eq!(mailbox.waiting(), (1, 5));
    }
}
