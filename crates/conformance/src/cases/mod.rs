//! The cases, a file a group.
//!
//! References: `EIO` is the Engine.IO protocol v4; `Node` what npm `engine.io` answers; `practice` what
//! a server on the open Internet should do.

mod closing;
mod concurrency;
mod framing;
mod handshake;
mod heartbeat;
mod http;
mod message;
mod opening;
mod origin;
mod payload;
mod refusal;
mod repod;
mod session;
mod smuggling;
mod upgrade;

use super::case::Case;
use super::target::Protocol;

/// Every case about servers of this protocol, group by group.
pub fn of(protocol: Protocol) -> Vec<&'static Case> {
    let mut cases = all();
    cases.retain(|case| case.protocol() == protocol);
    cases
}

/// Every case, group by group.
pub fn all() -> Vec<&'static Case> {
    let engineio = [
        handshake::CASES,
        refusal::CASES,
        session::CASES,
        payload::CASES,
        message::CASES,
        heartbeat::CASES,
        upgrade::CASES,
        closing::CASES,
        concurrency::CASES,
        origin::CASES,
        http::CASES,
        smuggling::CASES,
        opening::CASES,
        framing::CASES,
    ];
    engineio.into_iter().chain(repod::CASES).flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_of_one_form() {
        let mut seen = HashSet::new();
        for case in all() {
            assert!(seen.insert(case.id), "{} twice", case.id);
            let word =
                |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
            let parts: Vec<_> = case.id.split('/').collect();
            assert!(
                parts.len() == 2 && parts.iter().all(|part| part.chars().all(word)),
                "{}",
                case.id
            );
            assert!(!case.title.is_empty() && !case.reference.is_empty(), "{}", case.id);
        }
    }
}
