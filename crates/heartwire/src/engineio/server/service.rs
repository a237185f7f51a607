//! The server as a service: it mounts in hyper, axum, tonic, and whatever else speaks tower.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Buf;
use heartwire_proto::engineio::server::{ServerSession, UpgradeRequest};
use heartwire_proto::engineio::{
    Action, Packet, Refusal, Request as EngineRequest, Route, SessionId, SessionRequest, Transport,
    payload,
};
use heartwire_proto::websocket::{PerMessageDeflate, handshake};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Extensions, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::upgrade::OnUpgrade;

use super::super::header::joined;
use super::config::Options;
use super::connection::{Connection, Shared};
use super::cors::Cors;
use super::decoration::{Decoration, add_headers};
use super::engine::Engine;
use super::facts::{self, RequestFacts};
use super::head::{Purpose, RequestHead};
use super::home::{Home, Polling};
use super::hooks::{Denial, random_id};
use super::hygiene;
use super::newcomer::Newcomer;
use super::polling::{self, PollFuture};
use super::probe::{self, FAREWELL};
use super::pump;
use super::response::{self, ResponseBody};
use super::task::ConnectionTask;
use super::upgraded::{self, Upgrade};
use crate::admission::Ticket;
use crate::inbox::Inbox;
use crate::mailbox::Mailbox;

/// A server as a [`tower_service::Service`] of HTTP requests.
///
/// It answers every request that it is given, whatever its path: the router that it is mounted in
/// decides about paths. It needs a tokio runtime, and a host that allows HTTP upgrades.
///
/// Connections are the host's until they are WebSockets: how long a client may take with its headers,
/// and with taking an answer, and how many may be open, is for the host to limit. [`Server::listen`] does.
///
/// [`Server::listen`]: super::Server::listen
#[derive(Clone)]
pub struct Service {
    pub(super) engine: Arc<Engine>,
}

/// The answer to come.
pub struct ResponseFuture {
    state: State,
    decoration: Option<Box<Decoration>>,
}

enum State {
    /// Behind a pointer: HTTP keeps room for this type as long as its connection lives.
    Ready(Option<Box<Response<ResponseBody>>>),
    Poll(PollFuture),
    Boxed(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>),
}

impl Service {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Takes a request.
    pub(super) fn handle<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        self.handle_from(None, request)
    }

    /// Takes a request, perhaps from a listener.
    pub(super) fn handle_from<B>(
        &self,
        newcomer: Option<&Newcomer>,
        request: Request<B>,
    ) -> ResponseFuture
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        if let (Some(newcomer), Some(_)) = (newcomer, &self.engine.options.hooks.headers) {
            facts::mark(&mut parts.extensions, newcomer);
        }
        let decoration = Decoration::of(&self.engine, &mut parts);
        let state = match hygiene::check(parts.version, &parts.headers) {
            Ok(()) => self.answer(newcomer, parts, body),
            Err(refusal) => ready(refuse(&self.engine, refusal, false)),
        };
        ResponseFuture { state, decoration }
    }

    /// Answers a preflight request, or does what the request wants.
    fn answer<B>(&self, newcomer: Option<&Newcomer>, parts: Parts, body: B) -> State
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        match &self.engine.options.cors {
            Some(cors) if parts.method == Method::OPTIONS => {
                let mut response = response::empty(Cors::PREFLIGHT);
                cors.decorate_preflight(&parts.headers, response.headers_mut());
                ready(response)
            }
            _ => self.route(newcomer, parts, body),
        }
    }

    fn route<B>(&self, newcomer: Option<&Newcomer>, parts: Parts, body: B) -> State
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        // Without WebSockets, whoever asks for one has made a request like others.
        let websockets = self.engine.options.session.transports.contains(&Transport::WebSocket);
        let upgrade = websockets
            && parts.headers.contains_key(header::UPGRADE)
            && websocket_request(&parts.headers, |asked| asked.wants_upgrade());
        let asked = if upgrade { Asked::of(&self.engine, newcomer, &parts) } else { None };
        let state = self
            .serve(newcomer, parts, body, upgrade)
            .unwrap_or_else(|refusal| ready(refuse(&self.engine, refusal, upgrade)));
        match (state, asked) {
            (State::Ready(response), Some(asked)) => {
                asked.see_off_unless_granted(response.as_deref());
                State::Ready(response)
            }
            (State::Boxed(answer), Some(asked)) => State::Boxed(Box::pin(async move {
                let response = answer.await;
                asked.see_off_unless_granted(Some(&response));
                response
            })),
            (state, _) => state,
        }
    }

    fn serve<B>(
        &self,
        newcomer: Option<&Newcomer>,
        mut parts: Parts,
        body: B,
        upgrade: bool,
    ) -> Result<State, Refusal>
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        let Options { session, origin, cors, .. } = &self.engine.options;
        let request = EngineRequest {
            method: parts.method.as_str(),
            query: parts.uri.query().unwrap_or(""),
            upgrade,
        };
        let route = Route::of(&request, &session.transports)?;
        let mark = |request: &mut Extensions| {
            newcomer.into_iter().for_each(|newcomer| facts::mark(request, newcomer));
        };
        if parts.headers.contains_key(header::ORIGIN) {
            mark(&mut parts.extensions);
            let known = self.engine.origination(&parts);
            if !origin.allows(&parts.headers, &known, cors.as_ref()) {
                return Err(Refusal::Forbidden);
            }
        }
        match route {
            Route::Open(transport) => {
                mark(&mut parts.extensions);
                self.open(newcomer, parts, transport)
            }
            Route::Session(request) => {
                let (shared, action) = self.find(&request)?;
                newcomer.into_iter().for_each(Newcomer::settle);
                match action {
                    Action::Poll => polling::get(&self.engine, shared).map(State::Poll),
                    Action::Post => Ok(self.post(shared, parts, body)),
                    Action::Upgrade => {
                        mark(&mut parts.extensions);
                        self.upgrade(shared, parts)
                    }
                }
            }
        }
    }

    /// Opens a session, if the application has nothing against it.
    fn open(
        &self,
        newcomer: Option<&Newcomer>,
        mut parts: Parts,
        transport: Transport,
    ) -> Result<State, Refusal> {
        let grant = match transport {
            Transport::Polling => None,
            Transport::WebSocket => Some(self.accept_websocket(&mut parts)?),
        };
        let known = self.engine.origination(&parts);
        // Before the application is asked: so the limits hold for questions too.
        let ticket = self.engine.admit(known.client)?;
        let Options { hooks, hook_timeout, .. } = &self.engine.options;
        let (https, patience) = (known.https, *hook_timeout);
        let newcomer = newcomer.cloned();
        let opening = Opening { service: self.clone(), transport, grant, newcomer, ticket, https };
        if hooks.are_immediate() && hooks.initial_headers.is_none() {
            return opening.finish(random_id(), &parts, known.client, None).map(ready);
        }
        let client = known.client;
        let head = Arc::new(RequestHead::new(parts, client, Purpose::Open(transport)));
        if hooks.are_immediate() {
            return opening.finish(random_id(), head.parts(), client, Some(&head)).map(ready);
        }
        Ok(State::Boxed(Box::pin(async move {
            let (engine, upgrade) = (opening.service.engine.clone(), opening.grant.is_some());
            let hooks = &engine.options.hooks;
            let opened = async {
                hooks.is_allowed(&head, patience).await?;
                hooks.new_id(&head, patience).await
            };
            match opened.await {
                Ok(id) => {
                    let opened = opening.finish(id, head.parts(), head.client_ip(), Some(&head));
                    opened.unwrap_or_else(|refusal| refuse(&engine, refusal, upgrade))
                }
                Err(denial) => deny(&engine, &denial, upgrade),
            }
        })))
    }

    fn find(&self, request: &SessionRequest<'_>) -> Result<(Arc<Shared>, Action), Refusal> {
        let shared = self.engine.sessions.get(&request.sid).ok_or(Refusal::UnknownSession)?;
        let action = request.action(shared.transport())?;
        Ok((shared, action))
    }

    fn post<B>(&self, shared: Arc<Shared>, parts: Parts, body: B) -> State
    where
        B: Body<Data: Buf + Send> + Send + 'static,
    {
        let server = self.engine.clone();
        let headers = polling::check_headers(&parts.headers);
        State::Boxed(Box::pin(async move {
            match polling::post(&server, shared, headers, body).await {
                Ok(response) => response,
                Err(refusal) => refuse(&server, refusal, false),
            }
        }))
    }

    fn accept_websocket(&self, parts: &mut Parts) -> Result<Grant, Refusal> {
        accept_websocket(parts, self.engine.options.per_message_deflate.as_ref())
    }

    /// Lets a WebSocket try to take over a session that polls, if the application has nothing against
    /// it.
    fn upgrade(&self, shared: Arc<Shared>, mut parts: Parts) -> Result<State, Refusal> {
        let Grant { answer, upgrade } = self.accept_websocket(&mut parts)?;
        let Options { hooks, hook_timeout, .. } = &self.engine.options;
        if hooks.allow.is_none() {
            return self.probe(&shared, upgrade).map(|()| ready(answer));
        }
        let connection = Connection { shared: shared.clone() };
        let client = self.engine.origination(&parts).client;
        let head = RequestHead::new(parts, client, Purpose::Upgrade(connection));
        let (service, head, patience) = (self.clone(), Arc::new(head), *hook_timeout);
        Ok(State::Boxed(Box::pin(async move {
            match service.engine.options.hooks.is_allowed(&head, patience).await {
                Ok(()) => match service.probe(&shared, upgrade) {
                    Ok(()) => answer,
                    Err(refusal) => refuse(&service.engine, refusal, true),
                },
                Err(denial) => deny(&service.engine, &denial, true),
            }
        })))
    }

    /// Lets the WebSocket that an answer will leave try to take over a session.
    fn probe(&self, shared: &Arc<Shared>, upgrade: Upgrade) -> Result<(), Refusal> {
        let mut home = shared.home();
        let request = match &mut *home {
            Home::Polling(polling) => {
                let now = Instant::now();
                let request = polling.session.handle_upgrade(now)?;
                let end = polling.drive(now, &shared.mailbox);
                debug_assert!(end.is_none(), "asking for an upgrade ends nothing");
                request
            }
            Home::Task { .. } => UpgradeRequest::Surplus,
        };
        drop(home);
        let (server, shared) = (self.engine.clone(), shared.clone());
        tokio::spawn(async move {
            let Some(opened) = upgrade.opened(server.max_payload()).await else {
                if let UpgradeRequest::Probe(id) = request {
                    probe::abandon(&server, &shared, id);
                }
                return;
            };
            match request {
                UpgradeRequest::Probe(id) => probe::run(server, shared, id, opened).await,
                UpgradeRequest::Surplus => pump::dismiss(opened.link, None, FAREWELL).await,
            }
        });
        Ok(())
    }
}

/// A request for a WebSocket, which may be refused.
struct Asked {
    engine: Arc<Engine>,
    http: OnUpgrade,
    /// Its place among the newcomers, until it has gone.
    newcomer: Option<Newcomer>,
}

impl Asked {
    /// The request for another protocol, if this is one.
    fn of(engine: &Arc<Engine>, newcomer: Option<&Newcomer>, parts: &Parts) -> Option<Self> {
        let http = parts.extensions.get::<OnUpgrade>()?.clone();
        let newcomer = newcomer.cloned();
        Some(Self { engine: engine.clone(), http, newcomer })
    }

    fn see_off_unless_granted(self, response: Option<&Response<ResponseBody>>) {
        if response.is_some_and(|response| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
            tokio::spawn(async move {
                let Self { engine, http, newcomer } = self;
                tokio::select! {
                    () = upgraded::see_off(http, engine.options.stall_timeout) => {}
                    () = engine.lifecycle.stopped() => {}
                }
                drop(newcomer);
            });
        }
    }
}

/// A session that is about to be opened.
struct Opening {
    service: Service,
    transport: Transport,
    /// What a request for a WebSocket is granted.
    grant: Option<Grant>,
    /// The connection that the request came over.
    newcomer: Option<Newcomer>,
    ticket: Option<Box<Ticket>>,
    https: bool,
}

impl Opening {
    /// Opens the session. The answer is the handshake, or leaves the WebSocket that it comes over.
    fn finish(
        self,
        id: SessionId,
        parts: &Parts,
        client: Option<IpAddr>,
        head: Option<&RequestHead>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let engine = &self.service.engine;
        let options = &engine.options;
        let home = match self.transport {
            Transport::Polling => {
                let config = options.session.clone();
                let session = ServerSession::open(Instant::now(), config, Transport::Polling);
                Home::Polling(Box::new(Polling::new(session)))
            }
            Transport::WebSocket => Home::TASK,
        };
        let facts = RequestFacts::of(parts, client, &options.kept_headers);
        let mailbox = Mailbox::new(options.send_limits);
        let inbox = engine.application().wants_inbox();
        let inbox = inbox.then(|| Box::new(Inbox::new(options.receive_bytes)));
        let shared = Arc::new(Shared::new(id, facts, mailbox, inbox, home, self.transport));
        // Time has passed since the client was let in, if the application was asked.
        if engine.lifecycle.is_draining() {
            return Err(Refusal::ServiceUnavailable);
        }
        if !engine.sessions.reserve(shared.clone()) {
            tracing::warn!(session = shared.id.prefix(), "session id is in use");
            return Err(Refusal::BadRequest);
        }
        self.newcomer.iter().for_each(Newcomer::settle);
        let (mut answer, upgrade) = match self.grant {
            Some(Grant { answer, upgrade }) => (answer, Some(upgrade)),
            None => (handshake_answer(options, &shared.id, self.https), None),
        };
        if let (Some(hook), Some(head)) = (&options.hooks.initial_headers, head) {
            add_headers(hook, head, answer.headers_mut());
        }
        tokio::spawn(ConnectionTask::open(engine.clone(), shared, upgrade, self.ticket));
        Ok(answer)
    }
}

/// The answer that opens a session over polling.
fn handshake_answer(options: &Options, id: &SessionId, https: bool) -> Response<ResponseBody> {
    let json = options.session.handshake(id.clone(), Transport::Polling).encode();
    let mut body = payload::Encoder::new(usize::MAX, usize::MAX);
    body.push(&Packet::Open(&json));
    if let Some(message) = &options.initial_message {
        body.push(&Packet::Message(message.as_message_ref()));
    }
    let mut answer = response::packets(body.into_body(), vec![]);
    if let Some(cookie) = &options.cookie {
        answer.headers_mut().append(header::SET_COOKIE, cookie.header(id, https));
    }
    answer
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        self.handle(request)
    }
}

impl<B> hyper::service::Service<Request<B>> for Service
where
    B: Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn call(&self, request: Request<B>) -> ResponseFuture {
        self.handle(request)
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = match &mut self.state {
            State::Ready(response) => {
                Poll::Ready(*response.take().expect("it is not polled after it was ready"))
            }
            State::Poll(poll) => Pin::new(&mut *poll).poll(cx).map(|answer| {
                answer.unwrap_or_else(|refusal| refuse(poll.server(), refusal, false))
            }),
            State::Boxed(future) => future.as_mut().poll(cx),
        };
        poll.map(|mut response| {
            if let Some(decoration) = self.decoration.take() {
                decoration.apply(&mut response);
            }
            Ok(response)
        })
    }
}

impl ResponseFuture {
    /// An answer that is already known.
    pub(super) fn refuse(engine: &Engine, refusal: Refusal) -> Self {
        Self { state: ready(refuse(engine, refusal, false)), decoration: None }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

fn ready(response: Response<ResponseBody>) -> State {
    State::Ready(Some(Box::new(response)))
}

fn refuse(engine: &Engine, refusal: Refusal, upgrade: bool) -> Response<ResponseBody> {
    engine.counters.refused(refusal);
    tracing::debug!(?refusal, "request refused");
    response::refused(refusal, upgrade)
}

fn deny(engine: &Engine, denial: &Denial, upgrade: bool) -> Response<ResponseBody> {
    match denial {
        Denial::Refused(refusal) => refuse(engine, *refusal, upgrade),
        Denial::Rejected(rejection) => {
            engine.counters.rejected();
            tracing::debug!(status = rejection.status.as_u16(), "request rejected");
            response::rejected(rejection, upgrade)
        }
    }
}

/// Looks at what the headers say about a WebSocket.
fn websocket_request<T>(headers: &HeaderMap, ask: impl FnOnce(handshake::Request<'_>) -> T) -> T {
    ask(handshake::Request {
        connection: joined(headers, &header::CONNECTION).as_deref(),
        key: joined(headers, &header::SEC_WEBSOCKET_KEY).as_deref(),
        protocols: joined(headers, &header::SEC_WEBSOCKET_PROTOCOL).as_deref(),
        upgrade: joined(headers, &header::UPGRADE).as_deref(),
        version: joined(headers, &header::SEC_WEBSOCKET_VERSION).as_deref(),
    })
}

/// What a request for a WebSocket is granted.
pub(super) struct Grant {
    pub(super) answer: Response<ResponseBody>,
    /// The connection that becomes free with the answer.
    pub(super) upgrade: Upgrade,
}

/// Grants a request for a WebSocket.
pub(super) fn accept_websocket(
    parts: &mut Parts,
    deflate: Option<&PerMessageDeflate>,
) -> Result<Grant, Refusal> {
    let headers = &parts.headers;
    // Of the subprotocols, the first: as the Node server chooses.
    let (accept, protocol) = websocket_request(headers, |request| {
        let protocol = request.protocol().and_then(|name| HeaderValue::from_str(name).ok());
        request.accept().map(|accept| (accept, protocol))
    })
    .map_err(Refusal::WebSocketHandshake)?;
    let mut answer = response::switching(&accept, protocol);
    let mut negotiated = None;
    if let (Some(deflate), Some(offers)) = (deflate, joined(headers, &EXTENSIONS)) {
        let accepted = deflate.accept(&offers).map_err(|_| Refusal::BadRequest)?;
        if let Some((agreement, extensions)) = accepted {
            let value = HeaderValue::from_str(&extensions).expect("it is made of tokens");
            answer.headers_mut().insert(EXTENSIONS, value);
            negotiated = Some(agreement);
        }
    }
    // A host that does not upgrade has no connection to give.
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refusal::BadRequest)?;
    Ok(Grant { answer, upgrade: Upgrade::new(upgrade, negotiated) })
}

const EXTENSIONS: HeaderName = header::SEC_WEBSOCKET_EXTENSIONS;
