//! Every session of a server, by id.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heartwire_proto::engineio::Transport;

use super::connection::{Connection, Shared};

/// Every session of a server, by id. The locks are many, so that requests of different sessions seldom
/// meet.
pub(super) struct Sessions {
    shards: Box<[Mutex<HashSet<Entry>>]>,
    polling: AtomicUsize,
    websocket: AtomicUsize,
}

/// A session that is found by its id.
struct Entry(Arc<Shared>);

impl Sessions {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            polling: AtomicUsize::new(0),
            websocket: AtomicUsize::new(0),
        }
    }

    /// Takes the id of a session, which nobody sees yet; false if it is taken.
    pub(super) fn reserve(&self, session: Arc<Shared>) -> bool {
        self.shard(session.id.as_str()).insert(Entry(session))
    }

    /// Lets everybody see a session.
    pub(super) fn announce(&self, session: &Shared) {
        session.set_announced();
        self.count(session.transport()).fetch_add(1, Ordering::Relaxed);
    }

    /// Moves a session from polling to its WebSocket.
    pub(super) fn set_upgraded(&self, session: &Shared) {
        session.set_upgraded();
        self.websocket.fetch_add(1, Ordering::Relaxed);
        self.polling.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Shared>> {
        let shard = self.shard(id);
        shard.get(id).filter(|entry| entry.0.is_announced()).map(|entry| entry.0.clone())
    }

    pub(super) fn remove(&self, session: &Shared) {
        let mut shard = self.shard(session.id.as_str());
        let removed = shard.take(session.id.as_str());
        if shard.capacity() > 4 * shard.len() + KEPT_CAPACITY {
            let length = shard.len();
            shard.shrink_to(2 * length);
        }
        drop(shard);
        if removed.is_some() && session.is_announced() {
            self.count(session.transport()).fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn len(&self) -> usize {
        Transport::ALL.map(|transport| self.len_on(transport)).iter().sum()
    }

    /// Sessions on one transport.
    pub(super) fn len_on(&self, transport: Transport) -> usize {
        self.count(transport).load(Ordering::Relaxed)
    }

    fn count(&self, transport: Transport) -> &AtomicUsize {
        match transport {
            Transport::Polling => &self.polling,
            Transport::WebSocket => &self.websocket,
        }
    }

    /// Calls `visit` with every session that was announced, without a lock.
    pub(super) fn for_each(&self, mut visit: impl FnMut(Arc<Shared>)) {
        let mut sessions = vec![];
        for shard in &self.shards {
            let announced = |entry: &Entry| entry.0.is_announced().then(|| entry.0.clone());
            sessions.extend(lock(shard).iter().filter_map(announced));
            sessions.drain(..).for_each(&mut visit);
        }
    }

    /// A handle to every session.
    pub(super) fn connections(&self) -> Vec<Connection> {
        let mut connections = Vec::with_capacity(self.len());
        self.for_each(|shared| connections.push(Connection { shared }));
        connections
    }

    fn shard(&self, id: &str) -> MutexGuard<'_, HashSet<Entry>> {
        // Whoever could choose ids would make threads meet, and no more.
        let sum: usize = id.bytes().map(usize::from).sum();
        lock(&self.shards[sum % SHARDS])
    }
}

fn lock(shard: &Mutex<HashSet<Entry>>) -> MutexGuard<'_, HashSet<Entry>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Borrow<str> for Entry {
    fn borrow(&self) -> &str {
        self.0.id.as_str()
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.as_str().hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Entry {}

const SHARDS: usize = 64;

/// Room that a shard may keep however few sessions it has.
const KEPT_CAPACITY: usize = 64;
