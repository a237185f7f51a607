//! What must be true of two journals, whatever the network was.
//!
//! - **Order**: what arrives over a session is the beginning of what was accepted for it, once, unchanged.
//! - **Told**: what was accepted and did not arrive is in the sender's count of unsent messages. Only who leaves
//!   of its own accord misses what was still on its way, and does not learn what became of its last letters.
//! - **Life**: a session opens once, before its first message, and ends once, after its last.
//! - **Quiet**: where both sides stay and the network is good, everything arrives.

use std::collections::HashMap;

use crate::journal::{Entry, Line};

/// What two journals come to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What is not as it must be.
    pub violations: Vec<String>,
    /// Letters that were accepted, of both sides.
    pub accepted: u64,
    /// Letters that have arrived.
    pub delivered: u64,
    /// Letters that may not have arrived, as their senders were told.
    pub unsent: u64,
    /// Sessions that the server had.
    pub sessions: usize,
    /// Sessions that went on over a WebSocket.
    pub upgrades: usize,
}

/// Which rules hold for a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Law {
    /// All of them.
    Whole,
    /// All of them for what the server sends; of clients, order and life. Who is told to go does not learn
    /// whether its last letters were read.
    Downwards,
    /// A peer was killed: what it had taken from the network and not written down is lost, and nobody can
    /// know of it.
    Killed,
}

/// A session as one side has seen it.
#[derive(Default)]
struct Session<'a> {
    name: &'a str,
    by: &'a str,
    letters: Vec<(&'a str, u64)>,
    end: Option<(&'a str, u64)>,
}

/// One side's journal, in order.
struct Account<'a> {
    sessions: Vec<Session<'a>>,
    accepted: HashMap<&'a str, u64>,
    gave_up: HashMap<&'a str, u64>,
    upgrades: usize,
}

/// Judges two journals; of a peer that was started again, they follow each other.
pub fn judge(server: &[Line], client: &[Line], law: Law) -> Verdict {
    let mut violations = vec![];
    let there = Account::read("server", server, &mut violations);
    let here = Account::read("client", client, &mut violations);
    let mut verdict = Verdict { sessions: there.sessions.len(), ..Verdict::default() };
    verdict.upgrades = here.upgrades;
    for account in [&there, &here] {
        verdict.accepted += account.accepted.values().sum::<u64>();
        verdict.unsent += account.gave_up.values().sum::<u64>();
        for session in &account.sessions {
            verdict.delivered += session.letters.len() as u64;
            verdict.unsent += session.end.map_or(0, |(_, unsent)| unsent);
        }
    }
    check_downwards(&there, &here, law, &mut violations);
    check_upwards(&there, &here, law, &mut violations);
    verdict.violations = violations;
    verdict
}

impl<'a> Account<'a> {
    /// Reads a journal, and checks the life of each session.
    fn read(side: &str, lines: &'a [Line], violations: &mut Vec<String>) -> Self {
        let mut account = Account {
            sessions: vec![],
            accepted: HashMap::new(),
            gave_up: HashMap::new(),
            upgrades: 0,
        };
        let mut places = HashMap::<&str, usize>::new();
        // The first session of the process that writes now.
        let mut own = 0;
        let mut wrong = |what: String| violations.push(format!("{side}: {what}"));
        for line in lines {
            match &line.entry {
                Entry::Connected { session, by } => {
                    if places.insert(session, account.sessions.len()).is_some() {
                        wrong(format!("session {session} has opened twice"));
                    }
                    account.sessions.push(Session { name: session, by, ..Session::default() });
                }
                Entry::Delivered { session, from, id } => {
                    let place = places.get(&**session).map(|place| &mut account.sessions[*place]);
                    match place {
                        None => wrong(format!("letter {id} before session {session} was open")),
                        Some(Session { end: Some(_), .. }) => {
                            wrong(format!("letter {id} after session {session} had ended"));
                        }
                        Some(session) => session.letters.push((from, *id)),
                    }
                }
                Entry::Disconnected { session, reason, unsent, .. } => {
                    let place = places.get(&**session).map(|place| &mut account.sessions[*place]);
                    match place {
                        None => wrong(format!("session {session} has ended without a beginning")),
                        Some(Session { end: Some(_), .. }) => {
                            wrong(format!("session {session} has ended twice"));
                        }
                        Some(session) => session.end = Some((reason, *unsent as u64)),
                    }
                }
                Entry::Corrupt { session, message } => {
                    wrong(format!("session {session} has brought {message}"));
                }
                Entry::Accepted { from, count } => {
                    account.accepted.insert(from, *count);
                }
                Entry::GaveUp { from, unsent } => {
                    account.gave_up.insert(from, *unsent as u64);
                }
                Entry::Upgraded { .. } => account.upgrades += 1,
                Entry::Ended { sessions } => {
                    if *sessions > 0 {
                        wrong(format!("{sessions} sessions are left over"));
                    }
                    for Session { name, end, .. } in &account.sessions[own..] {
                        if end.is_none() {
                            wrong(format!("session {name} has never ended"));
                        }
                    }
                }
                Entry::Listening { .. } => own = account.sessions.len(),
            }
        }
        account
    }
}

/// What the server has sent: each session has its own letters.
fn check_downwards(
    there: &Account<'_>,
    here: &Account<'_>,
    law: Law,
    violations: &mut Vec<String>,
) {
    let mut arrived = HashMap::<&str, u64>::new();
    for session in &here.sessions {
        for (from, id) in &session.letters {
            let expected = arrived.entry(from).or_default();
            if id != expected {
                let name = session.name;
                violations.push(format!("client: {name} got letter {id}, expected {expected}"));
            }
            *expected = id + 1;
        }
        if let Some((first, _)) = session.letters.first()
            && session.letters.iter().any(|(from, _)| from != first)
        {
            violations.push(format!("client: {} got letters of two sessions", session.name));
        }
    }
    if law == Law::Killed {
        return;
    }
    // The client's view of a session that the server calls so.
    let seen = |name: &str| {
        here.sessions.iter().find(|session| {
            session.name == name || session.letters.first().is_some_and(|(from, _)| *from == name)
        })
    };
    for session in &there.sessions {
        let Some((_, unsent)) = session.end else { continue };
        let Some(accepted) = there.accepted.get(session.name) else { continue };
        let arrived = arrived.get(session.name).copied().unwrap_or(0);
        // Who never knew of the session, or has left it, wants no letters.
        let wanted = seen(session.name).is_some_and(|seen| !has_left(seen));
        let lost = accepted.saturating_sub(arrived);
        if arrived > *accepted || wanted && lost > unsent {
            violations.push(format!(
                "server: {} has accepted {accepted} letters, {arrived} arrived, and only {unsent} \
                 are said to be unsent",
                session.name
            ));
        }
    }
}

/// What clients have sent: their letters go over one session after the other.
fn check_upwards(there: &Account<'_>, here: &Account<'_>, law: Law, violations: &mut Vec<String>) {
    let mut clients: Vec<_> = here.sessions.iter().map(|session| session.by).collect();
    clients.extend(here.accepted.keys());
    clients.sort_unstable();
    clients.dedup();
    for client in clients {
        let sessions: Vec<_> = here.sessions.iter().filter(|each| each.by == client).collect();
        let unsent = |range: std::ops::Range<usize>| -> u64 {
            sessions[range].iter().map(|each| each.end.map_or(0, |(_, unsent)| unsent)).sum()
        };
        // The letter that comes next if nothing is lost, and the first session whose losses may be missing
        // before it.
        let (mut expected, mut since) = (0, 0);
        for session in &there.sessions {
            let letters: Vec<_> =
                session.letters.iter().filter(|(from, _)| *from == client).collect();
            let Some((_, first)) = letters.first() else { continue };
            let name = session.name;
            let place = sessions.iter().position(|each| {
                each.name == name || each.letters.first().is_some_and(|(from, _)| *from == name)
            });
            let until = place.unwrap_or(since).max(since);
            if *first < expected {
                violations.push(format!("server: {name} got letter {first} of {client} again"));
            } else if law == Law::Whole
                && place.is_some()
                && first - expected > unsent(since..until)
            {
                violations.push(format!(
                    "client: {client} has lost {} letters before session {name}, and only {} are \
                     said to be unsent",
                    first - expected,
                    unsent(since..until)
                ));
            }
            for pair in letters.windows(2) {
                if pair[1].1 != pair[0].1 + 1 {
                    violations.push(format!(
                        "server: {name} got letter {} of {client} after letter {}",
                        pair[1].1, pair[0].1
                    ));
                }
            }
            expected = letters.last().map_or(expected, |(_, last)| last + 1);
            since = until;
        }
        let Some(accepted) = here.accepted.get(client) else { continue };
        let gave_up = here.gave_up.get(client).copied().unwrap_or(0);
        let told = unsent(since..sessions.len()) + gave_up;
        // Who leaves does not wait for what the network has taken.
        let left = sessions.last().is_some_and(|last| has_left(last));
        if expected > *accepted {
            violations.push(format!("server: more letters of {client} than {accepted}"));
        } else if law == Law::Whole && !left && accepted - expected > told {
            violations.push(format!(
                "client: {client} has lost {} letters at the end, and only {told} are said to be \
                 unsent",
                accepted - expected
            ));
        }
    }
}

/// Whether a client has ended a session of its own accord.
fn has_left(session: &Session<'_>) -> bool {
    session.end.is_some_and(|(reason, _)| ["client disconnect", "closed"].contains(&reason))
}

/// Whether everything that was accepted for sessions that live has arrived, and nobody sends any more.
pub fn is_settled(server: &[Line], client: &[Line]) -> bool {
    let mut ignored = vec![];
    let there = Account::read("server", server, &mut ignored);
    let here = Account::read("client", client, &mut ignored);
    let downwards = there.sessions.iter().filter(|session| session.end.is_none()).all(|session| {
        let arrived = here.sessions.iter().flat_map(|session| &session.letters);
        let arrived = arrived.filter(|(from, _)| *from == session.name).count() as u64;
        there.accepted.get(session.name) == Some(&arrived)
    });
    // Those that have a session, or will have another one.
    let mut clients: Vec<_> = here.sessions.iter().map(|session| session.by).collect();
    clients.sort_unstable();
    clients.dedup();
    clients.retain(|client| {
        let last = here.sessions.iter().rfind(|session| session.by == *client);
        !here.gave_up.contains_key(client) && last.is_some_and(|last| !has_left(last))
    });
    let upwards = clients.into_iter().all(|client| {
        let sessions = || here.sessions.iter().filter(|session| session.by == client);
        let told: u64 = sessions().map(|each| each.end.map_or(0, |(_, unsent)| unsent)).sum();
        let arrived = there.sessions.iter().flat_map(|session| &session.letters);
        let arrived = arrived.filter(|(from, _)| *from == client).count() as u64;
        here.accepted.get(client).is_some_and(|accepted| arrived + told >= *accepted)
    });
    downwards && upwards
}

/// Letters that a journal's side was delivered.
pub fn delivered(lines: &[Line]) -> usize {
    lines.iter().filter(|line| matches!(line.entry, Entry::Delivered { .. })).count()
}

/// Milliseconds from `since` until letters had come in both directions; `None` if they have not.
pub fn recovery(server: &[Line], client: &[Line], since: u64) -> Option<u64> {
    let first = |lines: &[Line]| {
        let delivered = |line: &&Line| matches!(line.entry, Entry::Delivered { .. });
        lines.iter().filter(delivered).map(|line| line.at).find(|at| *at >= since)
    };
    Some(first(server)?.max(first(client)?) - since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(session: &str, by: &str) -> Entry {
        Entry::Connected { session: session.to_owned(), by: by.to_owned() }
    }

    fn delivered(session: &str, from: &str, id: u64) -> Entry {
        Entry::Delivered { session: session.to_owned(), from: from.to_owned(), id }
    }

    fn disconnected(session: &str, reason: &str, unsent: usize) -> Entry {
        let (session, reason) = (session.to_owned(), reason.to_owned());
        Entry::Disconnected { session, reason, unsent, detail: None }
    }

    fn accepted(from: &str, count: u64) -> Entry {
        Entry::Accepted { from: from.to_owned(), count }
    }

    fn journal(entries: &[Entry]) -> Vec<Line> {
        (0..).zip(entries).map(|(at, entry)| Line { at, entry: entry.clone() }).collect()
    }

    /// A server that got letters 0 and 2 of a client over two sessions, and has sent it three.
    fn server(unsent: usize) -> Vec<Entry> {
        vec![
            Entry::Listening { port: 1 },
            connected("s", "s"),
            delivered("s", "c", 0),
            disconnected("s", "ping timeout", unsent),
            accepted("s", 3),
            connected("t", "t"),
            delivered("t", "c", 2),
            disconnected("t", "client disconnect", 0),
            accepted("t", 0),
            Entry::Ended { sessions: 0 },
        ]
    }

    /// Its client, which got two of the three.
    fn client(unsent: usize) -> Vec<Entry> {
        vec![
            connected("s", "c"),
            delivered("s", "s", 0),
            delivered("s", "s", 1),
            disconnected("s", "transport error", unsent),
            connected("t", "c"),
            accepted("c", 3),
            disconnected("t", "client disconnect", 0),
            Entry::Ended { sessions: 0 },
        ]
    }

    #[track_caller]
    fn violations(server: &[Entry], client: &[Entry], expected: &[&str]) {
        let verdict = judge(&journal(server), &journal(client), Law::Whole);
        assert_eq!(verdict.violations.len(), expected.len(), "{:?}", verdict.violations);
        for (violation, expected) in verdict.violations.iter().zip(expected) {
            assert!(violation.contains(expected), "{violation:?} is not {expected:?}");
        }
    }

    #[test]
    fn losses_that_were_told_are_right() {
        violations(&server(1), &client(1), &[]);
        violations(&server(3), &client(2), &[]);
    }

    #[test]
    fn silent_losses_are_found_in_both_directions() {
        violations(&server(0), &client(1), &["server: s has accepted 3 letters, 2 arrived"]);
        violations(&server(1), &client(0), &["client: c has lost 1 letters before session t"]);
    }

    #[test]
    fn repeated_and_reordered_letters_are_found() {
        let mut again = server(1);
        again.insert(6, delivered("t", "c", 0));
        violations(&again, &client(1), &["again", "letter 2 of c after letter 0"]);
        let mut jump = client(1);
        jump.swap(1, 2);
        let expected = ["s got letter 1, expected 0", "s got letter 0, expected 2", "accepted 3"];
        violations(&server(1), &jump, &expected);
    }

    #[test]
    fn lives_that_are_wrong_are_found() {
        let mut twice = server(1);
        twice.insert(4, disconnected("s", "ping timeout", 0));
        violations(&twice, &client(1), &["s has ended twice"]);
        let mut late = server(1);
        late.insert(4, delivered("s", "c", 1));
        violations(&late, &client(1), &["letter 1 after session s had ended"]);
        let mut zombie = server(1);
        zombie.remove(7);
        violations(&zombie, &client(1), &["session t has never ended"]);
        let mut corrupt = server(1);
        let (session, message) = ("t".to_owned(), "rubbish".to_owned());
        corrupt.insert(6, Entry::Corrupt { session, message });
        violations(&corrupt, &client(1), &["t has brought rubbish"]);
    }

    #[test]
    fn a_killed_process_does_not_end_its_sessions() {
        let mut killed = server(1);
        killed.drain(3..5);
        killed.insert(3, Entry::Listening { port: 1 });
        violations(&killed, &client(1), &[]);
    }

    #[test]
    fn it_is_settled_when_everything_has_arrived_that_can() {
        let there = vec![connected("s", "s"), delivered("s", "c", 0), accepted("s", 1)];
        let here = vec![connected("s", "c"), delivered("s", "s", 0), accepted("c", 1)];
        assert!(is_settled(&journal(&there), &journal(&here)));
        assert!(!is_settled(&journal(&there), &journal(&here[..2])), "it may send more");
        assert!(!is_settled(&journal(&there[..1]), &journal(&here)), "nothing has arrived");
        let unread = [here[0].clone(), here[2].clone()];
        assert!(!is_settled(&journal(&there), &journal(&unread)));
    }
}
