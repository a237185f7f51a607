//! Servers that a WebSocket has served, for all clients of the process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

static SERVERS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Whether a WebSocket has served this server last time.
pub(super) fn has_worked(origin: &str) -> bool {
    servers().iter().any(|known| known == origin)
}

/// Remembers whether a WebSocket serves this server.
pub(super) fn remember(origin: String, works: bool) {
    let mut servers = servers();
    servers.retain(|known| *known != origin);
    if works {
        servers.truncate(MAX_SERVERS - 1);
        servers.push_front(origin);
    }
}

fn servers() -> MutexGuard<'static, VecDeque<String>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More servers than a program talks to in turns; the one that was used longest ago is forgotten.
const MAX_SERVERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_last_ones() {
        for number in 0..=MAX_SERVERS {
            remember(number.to_string(), true);
        }
        assert!(!has_worked("0"), "the oldest is forgotten");
        assert!(has_worked("1"));
        remember("1".to_owned(), false);
        assert!(!has_worked("1"));
    }
}
