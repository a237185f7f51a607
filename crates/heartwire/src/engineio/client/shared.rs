//! What a client's handles and its task share.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heartwire_proto::engineio::{
    DisconnectReason, Handshake, Message, MessageRef, Packet, Transport,
};

use super::super::disconnected::{Disconnected, SendError};
use super::super::outgoing::Outgoing;
use super::event::{Connected, Event};
use super::options::{Conduct, Options};
use crate::inbox::Inbox;
use crate::mailbox::Mailbox;

/// What a client's handles and its task share.
pub(super) struct Shared {
    pub(super) mailbox: Mailbox<Outgoing>,
    pub(super) inbox: Inbox<Event>,
    pub(super) conduct: Conduct,
    /// What is known of the session, while one is open.
    session: Mutex<Option<Session>>,
    transport: AtomicU8,
    /// Whether the session polls and may go on over a WebSocket.
    upgrading: AtomicBool,
    max_payload: AtomicUsize,
    /// Messages that had left the queue when the last session was let go.
    in_flight: AtomicUsize,
}

/// A session that is open.
struct Session {
    handshake: Arc<Handshake>,
    /// The subprotocol of its WebSocket.
    protocol: Option<String>,
}

impl Shared {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            mailbox: Mailbox::new(options.send_limits),
            inbox: Inbox::new(options.receive_bytes),
            conduct: options.conduct.clone(),
            session: Mutex::new(None),
            transport: AtomicU8::new(NONE),
            upgrading: AtomicBool::new(false),
            max_payload: AtomicUsize::new(usize::MAX),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Ends the client whatever it does, for a reason that is not the network's. Nothing happens if it has
    /// ended.
    pub(super) fn cut_off(&self, detail: &'static str) {
        if self.inbox.is_closed() {
            return;
        }
        let unsent = self.mailbox.close_and_drain().len();
        let event = match self.transport() {
            Some(transport) => Event::Disconnected(Disconnected {
                reason: DisconnectReason::TransportError,
                detail: Some(Cow::Borrowed(detail)),
                status: None,
                unsent: unsent + self.in_flight.load(Ordering::Relaxed),
                transport,
            }),
            None => Event::GaveUp { unsent },
        };
        self.set_ended();
        self.inbox.push(event);
        self.inbox.close();
    }

    pub(super) fn set_in_flight(&self, messages: usize) {
        self.in_flight.store(messages, Ordering::Relaxed);
    }

    /// The message as it waits, unless the server does not accept messages of its size.
    pub(super) fn check(&self, message: Message) -> Result<Outgoing, SendError> {
        let max = self.max_payload.load(Ordering::Relaxed);
        let over_polling = self.transport.load(Ordering::Relaxed) == Transport::Polling as u8
            && !self.upgrading.load(Ordering::Relaxed);
        let length = match message.as_message_ref() {
            MessageRef::Binary(data) if !over_polling => data.len(),
            message => Packet::Message(message).encoded_length(),
        };
        if length > max {
            return Err(SendError::TooLarge { message, length, max });
        }
        Ok(Outgoing::Message(message))
    }

    pub(super) fn set_open(&self, connected: &Connected, upgrades: bool) {
        let Connected { handshake, transport, subprotocol } = connected;
        let offered = handshake.upgrades.contains(&Transport::WebSocket);
        let upgrading = upgrades && offered && *transport == Transport::Polling;
        self.max_payload.store(handshake.max_payload.unwrap_or(usize::MAX), Ordering::Relaxed);
        self.upgrading.store(upgrading, Ordering::Relaxed);
        self.set_transport(Some(*transport));
        let (handshake, protocol) = (handshake.clone(), subprotocol.clone());
        *self.session() = Some(Session { handshake, protocol });
    }

    pub(super) fn set_upgraded(&self, protocol: Option<String>) {
        if let Some(session) = &mut *self.session() {
            session.protocol = protocol;
        }
        self.set_transport(Some(Transport::WebSocket));
    }

    pub(super) fn set_upgrade_failed(&self) {
        self.upgrading.store(false, Ordering::Relaxed);
    }

    pub(super) fn set_ended(&self) {
        self.set_transport(None);
        *self.session() = None;
    }

    fn set_transport(&self, transport: Option<Transport>) {
        self.transport
            .store(transport.map_or(NONE, |transport| transport as u8), Ordering::Relaxed);
    }

    pub(super) fn protocol(&self) -> Option<String> {
        self.session().as_ref()?.protocol.clone()
    }

    /// Where the client stands.
    pub(super) fn state(&self) -> ClientState {
        if self.inbox.is_closed() {
            ClientState::Disconnected
        } else if self.mailbox.is_closed() {
            ClientState::Disconnecting
        } else if self.transport().is_some() {
            ClientState::Connected
        } else {
            ClientState::Connecting
        }
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        let known = self.transport.load(Ordering::Relaxed);
        Transport::ALL.into_iter().find(|transport| *transport as u8 == known)
    }

    pub(super) fn handshake(&self) -> Option<Arc<Handshake>> {
        self.session().as_ref().map(|session| session.handshake.clone())
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ClientState {
    /// A session is being opened, or will be, after a wait.
    Connecting,
    /// A session is open.
    Connected,
    /// The user has asked for the end, which is not there yet.
    Disconnecting,
    /// The client has ended for good.
    Disconnected,
}

/// No session is open.
const NONE: u8 = u8::MAX;
