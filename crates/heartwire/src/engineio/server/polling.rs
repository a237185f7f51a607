//! GET and POST of a session that polls.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Buf;
use heartwire_proto::engineio::server::ExchangeId;
use heartwire_proto::engineio::{MessageRef, Packet, PacketError, Refusal, payload};
use http::Response;
use http::header::{self, HeaderMap};
use http_body::Body;
use tokio::time::{Sleep, sleep, timeout};

use super::super::header::joined;
use super::super::outgoing::Outgoing;
use super::application::{Application, Context};
use super::connection::{Connection, Shared};
use super::engine::Engine;
use super::home::{Home, Polling};
use super::response::{self, ResponseBody};
use super::stats::Traffic;
use crate::callback::guard;

/// Takes a GET. Ready at once if there is something to say.
pub(super) fn get(server: &Arc<Engine>, shared: Arc<Shared>) -> Result<PollFuture, Refusal> {
    let stage = begin(server, &shared, |polling| {
        let session = &polling.session;
        let patience = match session.waiting_poll() {
            Some(_) => OVERTAKING,
            None if session.awaits_upgrade() => GLANCE,
            None => return None,
        };
        Some(Stage::Crossing(Box::pin(sleep(patience))))
    })?;
    Ok(PollFuture { server: server.clone(), shared, stage })
}

/// Hands a GET to the session, unless there is something to wait for first.
fn begin(
    server: &Engine,
    shared: &Arc<Shared>,
    wait: impl FnOnce(&Polling) -> Option<Stage>,
) -> Result<Stage, Refusal> {
    let result = tell(server, shared, |polling, now| {
        polling.let_leave();
        if let Some(stage) = wait(polling) {
            return Ok(stage);
        }
        forgive(shared, polling, now);
        let result = polling.session.handle_poll(now);
        polling.unconfirmed = 0;
        if let Err(Refusal::ConcurrentRequest) = result {
            polling.explain("GET while another one waits");
        }
        result.map(Stage::Waiting)
    });
    result.ok_or(Refusal::BadRequest)?
}

/// A client that waits for the application is not late: whether the clock or its request is handled first
/// must not matter.
fn forgive(shared: &Shared, polling: &mut Polling, now: Instant) {
    if !shared.listens() {
        polling.session.handle_traffic(now);
    }
}

/// A GET that waits for packets. Dropping it means that the client has left.
pub(super) struct PollFuture {
    server: Arc<Engine>,
    shared: Arc<Shared>,
    stage: Stage,
}

enum Stage {
    /// Another GET waits, and may have overtaken this one: requests over two connections are not
    /// always handled in the order in which they were sent. A client that has left a GET before it sent
    /// the next is about to be noticed. Or the client has probed a WebSocket, and has gone on there already:
    /// then this GET comes too late.
    Crossing(Pin<Box<Sleep>>),
    /// The session has it.
    Waiting(ExchangeId),
    Answered,
}

impl PollFuture {
    pub(super) fn server(&self) -> &Engine {
        &self.server
    }
}

impl Future for PollFuture {
    type Output = Result<Response<ResponseBody>, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Stage::Crossing(patience) = &mut this.stage {
            ready!(patience.as_mut().poll(cx));
            this.stage = Stage::Answered; // if it is refused
            this.stage = begin(&this.server, &this.shared, |_| None)?;
        }
        let Stage::Waiting(poll) = this.stage else {
            unreachable!("it is not polled after it was ready");
        };
        let mut home = this.shared.home();
        let mut end = None;
        if let Home::Polling(polling) = &mut *home {
            // Before it looks, so that nothing slips in between; but not in the place of a GET that came
            // after this one was answered.
            if polling.session.waiting_poll() == Some(poll) {
                this.shared.mailbox.lock().wake_sender_with(cx);
            }
            // Woken by a message, it is this request that takes it to the session.
            end = polling.drive(Instant::now(), &this.shared.mailbox);
        }
        let answer = home.take_answer(poll);
        let result = match (&mut *home, answer) {
            (home, Some(answer)) => {
                this.stage = Stage::Answered;
                if let Home::Polling(polling) = home {
                    end = end.or(polling.take_end());
                }
                this.server.counters.moved(Traffic {
                    messages_sent: answer.messages.len() as u64,
                    bytes_sent: answer.body.len() as u64,
                    ..Traffic::default()
                });
                let receipts = answer.messages.into_iter().filter_map(Outgoing::into_receipt);
                Poll::Ready(Ok(response::packets(answer.body, receipts.collect())))
            }
            (Home::Polling(polling), None) if polling.session.is_closed() => {
                // A GET that it had overtaken was left: to the client, the session was over before.
                this.stage = Stage::Answered;
                Poll::Ready(Err(Refusal::UnknownSession))
            }
            (Home::Polling(polling), None) => {
                polling.poll_waker = Some(cx.waker().clone());
                Poll::Pending
            }
            (Home::Task { .. }, None) => {
                unreachable!("an upgrade answers the GET that waits");
            }
        };
        drop(home);
        this.server.finish_polling(&this.shared, end);
        result
    }
}

impl Drop for PollFuture {
    fn drop(&mut self) {
        let mut home = self.shared.home();
        match (&self.stage, &mut *home) {
            (Stage::Answered, _) | (Stage::Crossing(_), Home::Task { .. }) => return,
            (Stage::Crossing(_), Home::Polling(polling)) => polling.handle_overtaken_poll_gone(),
            (Stage::Waiting(poll), home) => home.handle_poll_gone(*poll),
        }
        let end = match &mut *home {
            Home::Polling(polling) => polling.drive(Instant::now(), &self.shared.mailbox),
            Home::Task { .. } => None,
        };
        drop(home);
        self.server.finish_polling(&self.shared, end);
    }
}

/// Takes a POST, if its `headers` were right: collects the body, hands its packets to the session and its
/// messages to the user.
pub(super) async fn post<B>(
    server: &Engine,
    shared: Arc<Shared>,
    headers: Result<(), Refusal>,
    body: B,
) -> Result<Response<ResponseBody>, Refusal>
where
    B: Body<Data: Buf>,
{
    let begun = tell(server, &shared, |polling, now| {
        forgive(&shared, polling, now);
        let result = polling.session.handle_post(now);
        if let Err(Refusal::ConcurrentRequest) = result {
            polling.explain("POST while another one is under way");
        }
        result
    });
    begun.ok_or(Refusal::BadRequest)??;
    let mut guard = PostGuard { server, shared: &shared, failed: Some(None) };
    let result = match headers {
        Ok(()) => take_post(server, &shared, body).await,
        Err(refusal) => Err(Some(refusal)),
    };
    guard.failed = result.err();
    drop(guard);
    match result {
        Ok(()) => Ok(response::taken()),
        Err(refusal) => Err(refusal.unwrap_or(Refusal::BadRequest)),
    }
}

/// Tells the session how its POST has ended, whatever becomes of the future that takes it.
struct PostGuard<'a> {
    server: &'a Engine,
    shared: &'a Arc<Shared>,
    /// Why it failed, if it did: a refusal, or that the client has left.
    failed: Option<Option<Refusal>>,
}

impl Drop for PostGuard<'_> {
    fn drop(&mut self) {
        tell(self.server, self.shared, |polling, _| {
            polling.dispatching = false;
            match self.failed {
                None => polling.session.handle_post_end(),
                Some(refusal) => {
                    polling.session.handle_post_failed(refusal);
                    let detail = refusal.map(|refusal| refusal.answer().message);
                    polling.explain(detail.unwrap_or("POST left before its end"));
                }
            }
        });
    }
}

/// What a POST brings. The error is `None` if the client has left.
async fn take_post<B>(server: &Engine, shared: &Arc<Shared>, body: B) -> Result<(), Option<Refusal>>
where
    B: Body<Data: Buf>,
{
    // As long as the user takes nothing, the body may wait with the client.
    poll_fn(|cx| poll_listens(cx, shared)).await;
    let max = server.options.session.max_payload;
    let mut collecting = pin!(collect(body, max));
    let body = match poll_fn(|cx| Poll::Ready(collecting.as_mut().poll(cx))).await {
        // It has come with its headers, as most do, and needs no timer.
        Poll::Ready(collected) => collected?,
        Poll::Pending => timeout(server.options.body_timeout, collecting)
            .await
            .map_err(|_| Some(Refusal::RequestTimeout))??,
    };
    server.counters.moved(Traffic { bytes_received: body.len() as u64, ..Traffic::default() });
    let text = simdutf8::basic::from_utf8(&body).map_err(|_| Some(Refusal::ParseError))?;
    if let Home::Polling(polling) = &mut *shared.home() {
        polling.dispatching = true;
    }

    let connection = Connection { shared: shared.clone() };
    let mut packets = payload::Decoder::new(text);
    while let Some(packet) = packets.next_packet() {
        if let Ok(Packet::Close) = packet {
            leave(server, shared).await;
            break; // what follows a close packet does not count
        }
        let Some(message) = take_packet(server, shared, packet)? else {
            continue;
        };
        deliver(server, &connection, message).await;
    }
    Ok(())
}

/// Hands a packet to the session, and returns the message, if it is one.
fn take_packet<'a>(
    server: &Engine,
    shared: &Arc<Shared>,
    packet: Result<Packet<'a>, PacketError>,
) -> Result<Option<MessageRef<'a>>, Refusal> {
    let fault = match packet {
        Ok(Packet::Ping(_)) => Some("ping from a client".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let taken = tell(server, shared, |polling, now| {
        let taken = polling.session.handle_packet(now, packet);
        fault.into_iter().for_each(|fault| polling.explain(fault));
        taken
    });
    taken.ok_or(Refusal::BadRequest)?
}

/// Ends the session, as the client wants it. Clients poll all the time, so where no GET waits one is on
/// its way, over a connection of its own that this POST has overtaken: it is waited for, not refused.
async fn leave(server: &Engine, shared: &Arc<Shared>) {
    let _leaving = Leaving { server, shared };
    let mut asked = false;
    let met = poll_fn(|cx| {
        let mut home = shared.home();
        let Home::Polling(polling) = &mut *home else { return Poll::Ready(()) };
        let met = if asked {
            polling.visitors().leave_waker.is_none()
        } else {
            polling.session.waiting_poll().is_some()
        };
        if met || polling.session.is_closed() {
            return Poll::Ready(());
        }
        asked = true;
        polling.visitors().leave_waker = Some(cx.waker().clone());
        Poll::Pending
    });
    let _ = timeout(CROSSING, met).await;
}

/// Tells the session that the client wants its end, even if the client does not wait for the answer.
struct Leaving<'a> {
    server: &'a Engine,
    shared: &'a Arc<Shared>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        tell(self.server, self.shared, |polling, now| {
            // A session that is over already has told why.
            let _ = polling.session.handle_packet(now, Ok(Packet::Close));
        });
    }
}

async fn deliver(server: &Engine, connection: &Connection, message: MessageRef<'_>) {
    // The client has its answer when the user has taken what it has sent.
    poll_fn(|cx| poll_listens(cx, &connection.shared)).await;
    server.counters.moved(Traffic { messages_received: 1, ..Traffic::default() });
    match (server.application(), &connection.shared.inbox) {
        (Application::Handler(handler), _) => {
            let mut replies = 0;
            let mut context = Context::new(connection, None, &mut replies);
            guard(connection.id().prefix(), "message", || handler.message(&mut context, message));
        }
        (Application::Futures(_), Some(inbox)) => inbox.push(message.to_message()),
        (Application::Futures(_), None) => unreachable!("futures come with an inbox"),
    }
}

/// Whether the user takes messages; if not, the task is woken when that changes. When the session has
/// ended there is nothing left to wait for.
fn poll_listens(cx: &TaskContext<'_>, shared: &Shared) -> Poll<()> {
    let has_room = || shared.inbox.as_ref().is_none_or(|inbox| inbox.poll_room(cx).is_ready());
    let listens = || !shared.is_paused() && has_room();
    if listens() {
        return Poll::Ready(());
    }
    shared.mailbox.lock().wake_with(cx);
    // Again, because things may have changed before anybody knew whom to wake.
    if listens() || is_over(shared) { Poll::Ready(()) } else { Poll::Pending }
}

fn is_over(shared: &Shared) -> bool {
    match &*shared.home() {
        Home::Polling(polling) => polling.session.is_closed(),
        Home::Task { .. } => false,
    }
}

/// Lets `what` speak with the session and carries out its orders; `None` if the session is not on
/// polling any more.
fn tell<R>(
    server: &Engine,
    shared: &Arc<Shared>,
    what: impl FnOnce(&mut Polling, Instant) -> R,
) -> Option<R> {
    let now = Instant::now();
    let mut home = shared.home();
    let Home::Polling(polling) = &mut *home else { return None };
    let result = what(polling, now);
    let end = polling.drive(now, &shared.mailbox);
    drop(home);
    server.finish_polling(shared, end);
    Some(result)
}

/// Refuses bodies that no client of this version of the protocol sends.
pub(super) fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let encodings = joined(headers, &header::CONTENT_ENCODING);
    let mut encodings = encodings.iter().flat_map(|list| list.split(','));
    if encodings.any(|encoding| !encoding.trim().eq_ignore_ascii_case("identity")) {
        return Err(Refusal::UnsupportedEncoding);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/octet-stream") {
        return Err(Refusal::UnsupportedMediaType);
    }
    Ok(())
}

/// The whole body, unless it is longer than `max` bytes, or (`None`) the client leaves before its end.
/// Memory grows with what has arrived, not with what was announced, and to no more than `max` bytes.
async fn collect<B>(body: B, max: usize) -> Result<Vec<u8>, Option<Refusal>>
where
    B: Body<Data: Buf>,
{
    let hint = body.size_hint();
    if hint.lower() > max as u64 {
        return Err(Some(Refusal::PayloadTooLarge));
    }
    let announced = hint.exact().map_or(max, |length| length as usize);
    let mut body = pin!(body);
    let mut collected = vec![];
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| None)?;
        let Ok(mut data) = frame.into_data() else { continue };
        let length = collected.len() + data.remaining();
        if length > max {
            return Err(Some(Refusal::PayloadTooLarge));
        }
        if length > collected.capacity() {
            // Doubling, as `Vec` does, but not beyond the end.
            let doubled = (2 * collected.len()).min(announced).max(length);
            collected.reserve_exact(doubled - collected.len());
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            collected.extend_from_slice(chunk);
            let taken = chunk.len();
            data.advance(taken);
        }
    }
    Ok(collected)
}

/// Time for a GET that a close packet has overtaken: two connections that are opened together are not
/// accepted together.
const CROSSING: Duration = Duration::from_millis(250);

/// Time after which the runtime is known to have looked at all connections again.
const OVERTAKING: Duration = Duration::from_millis(5);

/// Time for a look at what has arrived already: the shortest that timers know. A client that has not gone on
/// waits for its answer.
const GLANCE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::task::Waker;

    use bytes::Bytes;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body that arrives in pieces, and may say how long it is.
    struct Pieces {
        waiting: VecDeque<Bytes>,
        announced: Option<u64>,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut TaskContext<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.waiting.pop_front().map(|piece| Ok(Frame::data(piece))))
        }

        fn size_hint(&self) -> SizeHint {
            self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn collected(length: usize, announces: bool) -> Result<Vec<u8>, Option<Refusal>> {
        let bytes = Bytes::from((0..length).map(|at| at as u8).collect::<Vec<_>>());
        let waiting = (0..length).step_by(PIECE);
        let waiting = waiting.map(|at| bytes.slice(at..length.min(at + PIECE))).collect();
        let announced = announces.then_some(length as u64);
        let collecting = pin!(collect(Pieces { waiting, announced }, MAX));
        let mut cx = TaskContext::from_waker(Waker::noop());
        let Poll::Ready(result) = collecting.poll(&mut cx) else { panic!("nothing is waited for") };
        let Ok(collected) = result else { return result };
        assert_eq!(collected, bytes);
        Ok(collected)
    }

    #[test]
    fn a_body_holds_no_more_than_is_allowed() {
        for length in [0, 1, PIECE, PIECE + 1, MAX / 2 + 1, MAX - 1, MAX] {
            let capacity = collected(length, false).unwrap().capacity();
            assert!(capacity <= MAX, "{length} bytes in {capacity}");
            assert!(capacity <= 2 * length, "{length} bytes in {capacity}");
        }
        for announces in [false, true] {
            assert_eq!(collected(MAX + 1, announces), Err(Some(Refusal::PayloadTooLarge)));
        }
    }

    #[test]
    fn a_body_that_says_its_length_holds_no_more() {
        for length in [1, PIECE, PIECE + 1, MAX / 2 + 1, MAX - 1, MAX] {
            assert_eq!(collected(length, true).unwrap().capacity(), length);
        }
    }

    /// The default of servers.
    const MAX: usize = 1_000_000;

    const PIECE: usize = 8192;
}
