//! Somebody with sessions of his own at the same server, who does what he can to those of others.
//!
//! What he does is decided by another chance than the rest, so that a run with him can be compared with
//! the same run without him: nobody else may notice that he is there.

use std::sync::Arc;
use std::time::Duration;

use heartwire_proto::engineio::server::{Config, Output, ServerSession, UpgradeRequest};
use heartwire_proto::engineio::{Message, SocketEnd, Transport, payload};
use heartwire_proto::shared::{Limits, SendQueue};

use super::world::{Checked, Sessions, session_of, sid};
use crate::chance::Chance;
use crate::network::Network;

pub(super) struct Intruder {
    net: Network<Prank>,
    session: Option<ServerSession<Message>>,
    queue: SendQueue<Message>,
}

#[derive(Debug)]
enum Prank {
    /// A session of his own.
    Opens(Transport),
    /// A request with an id that is nearly that of another's session.
    Guesses(usize),
    Gets,
    /// A body.
    Posts(String),
    /// A WebSocket that would take his session over.
    Upgrades,
    /// A text message.
    Says(String),
    Breaks,
}

impl Intruder {
    /// Who comes along with one seed of four.
    pub(super) fn of(seed: u64) -> Option<Self> {
        let mut rng = Chance::with_seed(seed ^ 0x1f83_d9ab_fb41_bd6b);
        if rng.u8(..4) != 0 {
            return None;
        }
        let pranks: Vec<_> = (0..rng.usize(5..40))
            .map(|_| (Duration::from_micros(rng.u64(..6_000_000)), prank(&mut rng)))
            .collect();
        let mut net = Network::new(rng, (Duration::ZERO, Duration::ZERO));
        net.at(Duration::from_millis(1), Prank::Opens(Transport::Polling));
        pranks.into_iter().for_each(|(moment, prank)| net.at(moment, prank));
        let queue = SendQueue::new(Limits { messages: 10, bytes: 10_000 });
        Some(Self { net, session: None, queue })
    }

    pub(super) fn next_moment(&mut self) -> Option<Duration> {
        let session = self.session.as_ref().and_then(ServerSession::next_deadline);
        let deadline = session.map(|at| self.net.time_of(at));
        self.net.next_arrival().into_iter().chain(deadline).min()
    }

    /// Does what is due. `sessions` are those of others.
    pub(super) fn act(
        &mut self,
        now: Duration,
        sessions: &Sessions,
        mut note: impl FnMut(&str),
    ) -> Checked {
        self.net.advance(now);
        while let Some(prank) = self.net.arrived() {
            note(&format!("intruder: {}", describe(&prank)));
            let given = match &prank {
                Prank::Posts(text) | Prank::Says(text) => text,
                _ => "",
            };
            let packets = given.split('\u{1e}').count();
            let length = given.len();
            self.play(prank, sessions)?;
            self.check_answer(packets, length)?;
        }
        if let Some(session) = &mut self.session {
            session.handle_time(self.net.instant(), true);
        }
        self.check_answer(1, 0)
    }

    fn play(&mut self, prank: Prank, sessions: &Sessions) -> Checked {
        let now = self.net.instant();
        if let Prank::Guesses(which) = prank {
            let query = guess(sid(0).as_str(), which);
            return match session_of(&query, sessions) {
                None => Ok(()),
                Some(found) => Err(format!("{query:?} has led to session {found} of another")),
            };
        }
        if let Prank::Opens(transport) = prank {
            let config = Config { ping_interval: Duration::from_secs(2), ..Config::default() };
            self.session = Some(ServerSession::open(now, Arc::new(config), transport));
            return Ok(());
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        match prank {
            Prank::Opens(_) | Prank::Guesses(_) => {}
            Prank::Gets => drop(session.handle_poll(now)),
            Prank::Posts(body) => {
                if session.handle_post(now).is_ok() {
                    let mut decoder = payload::Decoder::new(&body);
                    while let Some(packet) = decoder.next_packet() {
                        if session.handle_packet(now, packet).is_err() {
                            break;
                        }
                    }
                    session.handle_post_end();
                }
            }
            Prank::Upgrades => {
                if let Ok(UpgradeRequest::Probe(probe)) = session.handle_upgrade(now) {
                    for text in ["2probe", "2probe", "5"] {
                        session.handle_probe_text(now, probe, text);
                    }
                }
            }
            Prank::Says(text) => drop(session.handle_text(now, &text, &mut vec![])),
            Prank::Breaks => session.handle_socket_end(SocketEnd::Failed),
        }
        Ok(())
    }

    /// What he makes the server do is in proportion to what he does.
    fn check_answer(&mut self, packets: usize, length: usize) -> Checked {
        let now = self.net.instant();
        let Some(session) = &mut self.session else { return Ok(()) };
        let (mut orders, mut bytes) = (0, 0);
        while let Some(output) = session.poll_output(now, &mut self.queue) {
            orders += 1;
            if let Output::Respond { body, .. } = output {
                bytes += body.len();
            }
        }
        if orders > packets + 6 || bytes > length + 100 {
            return Err(format!(
                "{packets} packets of {length} bytes cost {orders} orders and {bytes} bytes"
            ));
        }
        Ok(())
    }
}

fn prank(rng: &mut Chance) -> Prank {
    let text = match rng.u8(..8) {
        0 => ["4x"; 1000].join("\u{1e}"),
        1 => ["3"; 1000].join("\u{1e}"),
        2 => format!("4{}", "y".repeat(rng.usize(..20_000))),
        3 => "4\u{1e}\u{1e}".to_owned(),
        4 => "b%%%".to_owned(),
        5 => "2".to_owned(),
        6 => "1".to_owned(),
        _ => "3".to_owned(),
    };
    match rng.u8(..10) {
        0 => Prank::Opens(if rng.bool() { Transport::Polling } else { Transport::WebSocket }),
        1..=3 => Prank::Guesses(rng.usize(..GUESSES)),
        4 => Prank::Gets,
        5 | 6 => Prank::Posts(text),
        7 => Prank::Upgrades,
        8 => Prank::Says(text),
        _ => Prank::Breaks,
    }
}

const GUESSES: usize = 14;

/// A query with an id that is not `sid`, if only just.
fn guess(sid: &str, which: usize) -> String {
    let other = match which {
        0 => sid[..sid.len() - 1].to_owned(),
        1 => sid.to_uppercase(),
        2 => sid.to_lowercase(),
        3 => format!("{sid}%00"),
        4 => format!("{sid}+"),
        5 => format!("%20{sid}"),
        6 => format!("{sid}{sid}"),
        7 => format!("{sid}&sid=other"),
        8 => format!("{sid}&sid="),
        9 => "__proto__".to_owned(),
        10 => "constructor".to_owned(),
        11 => "A".repeat(64 * 1024),
        12 => format!("{}=", &sid[..sid.len() - 1]),
        _ => format!("{sid}%0d%0a"),
    };
    format!("EIO=4&transport=polling&sid={other}")
}

fn describe(prank: &Prank) -> String {
    let mut text = format!("{prank:?}");
    text.truncate(text.char_indices().nth(80).map_or(text.len(), |(end, _)| end));
    text
}
