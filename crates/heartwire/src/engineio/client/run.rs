//! The life of a client: connect, hold the session, connect again.

use std::borrow::Cow;
use std::future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heartwire_proto::engineio::{DisconnectReason, Transport};
use tokio::sync::oneshot;

use super::super::disconnected::Disconnected;
use super::driver::{Driver, Ended, Progress};
use super::error::{ConnectError, ConnectErrorKind};
use super::event::{Connected, Event};
use super::http::Http;
use super::options::Conduct;
use super::remembered;
use super::shared::Shared;
use crate::retry::Retry;

/// Whoever waits for the first session, and is told how that went.
type Opened = oneshot::Sender<Result<(), ConnectError>>;

/// Runs a client until it has ended for good. Where nobody waits for the first session, what becomes of
/// it is told by events.
pub(super) async fn run(end: EndGuard, http: Arc<Http>, mut opened: Option<Opened>) {
    let shared = &end.0;
    let conduct = &shared.conduct;
    let mut retry = Retry::default();
    let mut any_session = false;
    let mut trust = Trust::default();
    let failure = loop {
        let plan = Plan::new(conduct, &http, trust);
        // What it takes to open a session is given back when it is open.
        let failure = match Box::pin(open(shared, &http, plan)).await {
            Ok(driver) => {
                any_session = true;
                let now = Instant::now();
                retry.opened(now, conduct.reconnect.as_ref());
                if let Some(opened) = opened.take() {
                    let _ = opened.send(Ok(()));
                }
                let reconnects = conduct.reconnect.is_some();
                let disconnected = hold(shared, driver, reconnects).await;
                let (reason, transport) = (disconnected.reason, disconnected.transport);
                if transport == Transport::WebSocket && !reason.is_asked_for() {
                    remembered::remember(http.address.origin(), false);
                }
                trust = trust.after(conduct, transport, reason, now.elapsed());
                shared.inbox.push(Event::Disconnected(disconnected));
                if !reconnects || reason.is_asked_for() {
                    shared.inbox.close();
                    return;
                }
                None
            }
            Err(error) => {
                trust = Trust::default();
                let again = conduct.reconnect.is_some()
                    && error.is_of_the_moment()
                    && (any_session || conduct.retry_first);
                if !again {
                    break Some(error);
                }
                Some(error)
            }
        };
        let Some((attempt, delay)) =
            retry.next(Instant::now(), conduct.reconnect.as_ref(), rand::random())
        else {
            break failure;
        };
        // While somebody waits for the first session, nobody has a client that could be told.
        if opened.is_none() {
            if let Some(error) = failure {
                shared.inbox.push(Event::ReconnectFailed { attempt: attempt - 1, error });
            }
            shared.inbox.push(Event::Reconnecting { attempt, delay });
        }
        if Box::pin(shared.mailbox.sleep(delay)).await.is_err() {
            break None;
        }
    };
    let unsent = shared.mailbox.close_and_drain().len();
    match (opened, failure) {
        (Some(opened), failure) => {
            let _ = opened.send(Err(failure.unwrap_or_else(|| cancelled(&http))));
        }
        (None, Some(error)) => {
            let attempt = retry.attempt();
            shared.inbox.push(Event::ReconnectFailed { attempt, error });
            shared.inbox.push(Event::GaveUp { unsent });
        }
        (None, None) => shared.inbox.push(Event::GaveUp { unsent }),
    }
    shared.inbox.close();
}

/// Ends the client if its task is dropped before it has, or has even begun, as when its runtime stops.
pub(super) struct EndGuard(pub(super) Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.cut_off("the runtime stopped");
    }
}

/// What is expected of WebSockets: when some in a row break at once, as those do that somebody on the way
/// does not like, the next session polls.
#[derive(Clone, Copy, Default)]
struct Trust {
    broken: u32,
}

impl Trust {
    fn after(
        self,
        conduct: &Conduct,
        transport: Transport,
        reason: DisconnectReason,
        lived: Duration,
    ) -> Self {
        let broke = !reason.is_asked_for() && lived < SHORT_LIFE;
        let has_choice = conduct.fallback && conduct.transports.contains(&Transport::Polling);
        match transport {
            Transport::WebSocket if broke && has_choice => Self { broken: self.broken + 1 },
            Transport::WebSocket | Transport::Polling => Self::default(),
        }
    }

    fn is_lost(self) -> bool {
        self.broken >= BROKEN_SOCKETS
    }
}

/// Which transports are tried for a session.
struct Plan {
    transports: Vec<Transport>,
    upgrades: bool,
}

impl Plan {
    fn new(conduct: &Conduct, http: &Http, trust: Trust) -> Self {
        let mut transports = conduct.transports.clone();
        if trust.is_lost() {
            return Self { transports: vec![Transport::Polling], upgrades: false };
        }
        let listed = transports.contains(&Transport::WebSocket);
        if conduct.remember_upgrade && listed && remembered::has_worked(&http.address.origin()) {
            transports.sort_by_key(|transport| *transport != Transport::WebSocket);
        }
        if !conduct.fallback {
            transports.truncate(1);
        }
        Self { transports, upgrades: conduct.upgrade && listed }
    }
}

/// Opens a session over the first of the transports that works, and tells the user.
async fn open(
    shared: &Arc<Shared>,
    http: &Arc<Http>,
    plan: Plan,
) -> Result<Box<Driver>, ConnectError> {
    let conduct = &shared.conduct;
    http.restart();
    let mut first_error: Option<ConnectError> = None;
    for transport in plan.transports {
        let patience = match transport {
            Transport::Polling => conduct.request_timeout,
            Transport::WebSocket => conduct.request_timeout.max(http.websocket_timeout),
        };
        let driver = Driver::new(shared.clone(), http.clone(), transport, plan.upgrades);
        let mut driver = Box::new(driver);
        let opening = future::poll_fn(|cx| driver.poll(cx));
        let error = match tokio::time::timeout(patience, opening).await {
            Ok(Progress::Opened(handshake)) => {
                if transport == Transport::WebSocket {
                    remembered::remember(http.address.origin(), true);
                }
                let subprotocol = driver.protocol().map(str::to_owned);
                let handshake = Arc::new(handshake);
                let connected = Connected { handshake, transport, subprotocol };
                shared.set_open(&connected, plan.upgrades);
                shared.inbox.push(Event::Connected(connected));
                return Ok(driver);
            }
            Ok(Progress::Ended(ended)) => describe(ended, http),
            Err(_) => ConnectError::new(
                ConnectErrorKind::Timeout,
                format!(
                    "cannot connect to {}: no answer within {patience:?}",
                    http.address.display()
                ),
            ),
        };
        tracing::debug!(%transport, %error, "not connected");
        if transport == Transport::WebSocket {
            remembered::remember(http.address.origin(), false);
        }
        let hopeless = !error.is_of_the_moment() || error.is_on_the_way();
        let error = match first_error {
            Some(first) => first.with_other(transport, &error),
            None => error,
        };
        if hopeless {
            return Err(error);
        }
        first_error = Some(error);
    }
    Err(first_error.expect("there is at least one transport"))
}

/// Why a session that never opened has ended.
fn describe(ended: Ended, http: &Http) -> ConnectError {
    let place = http.address.display();
    match (ended.reason, ended.failure) {
        (_, Some(failure)) => failure.into_connect_error(&http.address),
        (DisconnectReason::ClientDisconnect, None) => cancelled(http),
        (DisconnectReason::ParseError, None) => {
            let got = ended.detail.unwrap_or_else(|| "got nothing".to_owned());
            ConnectError::new(
                ConnectErrorKind::Protocol,
                format!("cannot connect to {place}: {got}, expected an Engine.IO v4 handshake"),
            )
        }
        (reason, None) => {
            let detail = ended.detail.unwrap_or_else(|| reason.to_string());
            ConnectError::new(
                ConnectErrorKind::Broken,
                format!("cannot connect to {place}: {detail}, expected an Engine.IO v4 handshake"),
            )
        }
    }
}

fn cancelled(http: &Http) -> ConnectError {
    ConnectError::new(
        ConnectErrorKind::Cancelled,
        format!("the connection to {} was closed before it was open", http.address.display()),
    )
}

/// Drives a session to its end, and says how that was.
async fn hold(shared: &Arc<Shared>, driver: Box<Driver>, reconnects: bool) -> Disconnected {
    let mut held = Held { shared, driver };
    let driver = &mut held.driver;
    let ended = future::poll_fn(|cx| {
        driver.poll(cx).map(|progress| match progress {
            Progress::Ended(ended) => ended,
            Progress::Opened(_) => unreachable!("a session opens once"),
        })
    })
    .await;
    let transport = shared.transport().expect("the session was open");
    let mut unsent = ended.unsent;
    if !reconnects || ended.reason.is_asked_for() {
        unsent += shared.mailbox.close_and_drain().len();
    }
    shared.set_ended();
    let status =
        ended.failure.as_ref().and_then(|failure| failure.status()).map(|status| status.as_u16());
    let detail = ended.failure.map(|failure| failure.to_string()).or(ended.detail);
    let detail = detail.map(Cow::Owned);
    Disconnected { reason: ended.reason, detail, status, unsent, transport }
}

/// A session that is driven. When it is dropped, what was in flight is known.
struct Held<'a> {
    shared: &'a Shared,
    driver: Box<Driver>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.set_in_flight(self.driver.in_flight());
    }
}

/// A WebSocket that does not live longer than this has not been of use.
const SHORT_LIFE: Duration = Duration::from_secs(5);

/// One may break because the server has; it seldom does so twice in a row.
const BROKEN_SOCKETS: u32 = 2;
