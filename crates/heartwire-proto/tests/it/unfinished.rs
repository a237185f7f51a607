//! Messages that do not arrive whole, as a server's session sees them on its WebSocket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heartwire_proto::engineio::server::{Config, Output, ServerSession};
use heartwire_proto::engineio::{DisconnectReason, Message, Transport};
use heartwire_proto::shared::{Limits, SendQueue};
use heartwire_proto::websocket::CloseCode;

const SECOND: Duration = Duration::from_secs(1);

/// A session that expects no pong for a day.
fn open(now: Instant) -> ServerSession<Message> {
    let config = Config { ping_interval: 24 * 60 * 60 * SECOND, ..Config::default() };
    assert_eq!(config.message_timeout, 30 * SECOND);
    ServerSession::open(now, Arc::new(config), Transport::WebSocket)
}

/// How the session ends, if it has.
fn orders(session: &mut ServerSession<Message>, now: Instant) -> Vec<Output<Message>> {
    let mut queue = SendQueue::new(Limits { messages: 1, bytes: 1 });
    std::iter::from_fn(|| session.poll_output(now, &mut queue)).collect()
}

fn given_up() -> Vec<Output<Message>> {
    let code = Some(CloseCode::POLICY_VIOLATION);
    vec![Output::CloseSocket(code), Output::Closed(DisconnectReason::SlowPeer)]
}

#[test]
fn bytes_now_and_then_do_not_move_the_deadline() {
    let start = Instant::now();
    let mut session = open(start);
    for second in 0..30 {
        let now = start + second * SECOND;
        session.handle_traffic(now);
        session.handle_unfinished(now, true);
        session.handle_time(now, true);
        assert_eq!(orders(&mut session, now), []);
        assert_eq!(session.next_deadline(), Some(start + 30 * SECOND));
    }
    session.handle_time(start + 30 * SECOND, true);
    assert_eq!(orders(&mut session, start + 30 * SECOND), given_up());
}

#[test]
fn each_message_has_its_own_deadline() {
    let start = Instant::now();
    let mut session = open(start);
    for second in (0..300).step_by(20) {
        // The rest of one message, and the begin of the next.
        let now = start + second * SECOND;
        session.handle_binary(now, b"whole");
        session.handle_unfinished(now, true);
        session.handle_time(now, true);
        assert_eq!(session.next_deadline(), Some(now + 30 * SECOND));
    }
    assert_eq!(orders(&mut session, start), []);
}

#[test]
fn what_is_finished_has_no_deadline() {
    let start = Instant::now();
    let mut session = open(start);
    session.handle_unfinished(start, true);
    session.handle_unfinished(start + SECOND, false); // it was a ping, say
    session.handle_time(start + 60 * SECOND, true);
    assert_eq!(orders(&mut session, start), []);
    assert_eq!(session.next_deadline(), Some(start + 24 * 60 * 60 * SECOND));
}

#[test]
fn who_is_not_read_from_is_not_late() {
    let start = Instant::now();
    let mut session = open(start);
    session.handle_unfinished(start, true);
    let later = start + 60 * SECOND;
    session.handle_time(later, false);
    assert_eq!(orders(&mut session, later), []);
    assert_eq!(session.next_deadline(), Some(later + 30 * SECOND));
}
