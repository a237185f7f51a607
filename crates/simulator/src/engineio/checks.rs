//! What must hold at every step, and when a run is over.

use std::time::Duration;

use heartwire_proto::engineio::server::ServerSession;
use heartwire_proto::engineio::{DisconnectReason, Transport};
use heartwire_proto::shared::Ending;

use super::plan::Act;
use super::world::{Checked, ServerSide, World, flushes};

impl World {
    pub(super) fn check_step(&self) -> Checked {
        let now = self.net.now();
        let plan = &self.plan.server;
        let beat = plan.ping_interval.max(plan.ping_timeout).max(super::plan::CLOSE_TIMEOUT);
        for side in self.former.iter().chain([&self.server]) {
            let Some(session) = side.session.as_ref().filter(|_| side.closed.is_none()) else {
                continue;
            };
            match session.next_deadline().map(|at| self.net.time_of(at)) {
                None => return Err("the session is open, and no timer watches over it".to_owned()),
                Some(at) if at > now + beat => {
                    return Err(format!("the session's next deadline is at {at:?}"));
                }
                Some(_) => {}
            }
        }
        let patience = plan.ping_interval + plan.ping_timeout + super::plan::CLOSE_TIMEOUT;
        if self.client.is_open() {
            match self.client.session.next_deadline().map(|at| self.net.time_of(at)) {
                None => return Err("the client is open, and no timer watches over it".to_owned()),
                Some(at) if at > now + patience => {
                    return Err(format!("the client's next deadline is at {at:?}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn check_end(&mut self) -> Checked {
        self.check_rest()?;
        self.check_strangers()?;
        self.check_client_told()?;
        check_told("server", self.server.knows_by, self.server.closed)?;
        self.check_doors()?;
        self.check_closing()?;
        self.check_wakes()?;
        // A client that leaves before it is let in is missed when it does not answer.
        let never_came = self.client.opened.is_none() && self.client.closed.is_some();
        if self.peaceful && !never_came {
            self.check_peace()?;
        }
        let silent = self.plan.acts.iter().any(|(_, act)| *act == Act::Silence);
        let (client, server) = (self.client.is_open(), self.server.is_open());
        // Who reads nothing cannot know.
        let stalls = self.client.is_stalled();
        if stalls && server {
            return Err("the client takes nothing, and the server believes in it".to_owned());
        }
        if silent && client && !stalls {
            return Err("the network is silent, and the client believes in it".to_owned());
        }
        if silent && server {
            return Err("the network is silent, and the server believes in it".to_owned());
        }
        if client != server && !(silent && stalls) {
            return Err(format!(
                "one side believes that the session is over: client {:?}, server {:?}",
                self.client.closed, self.server.closed
            ));
        }
        if self.former.iter().any(ServerSide::is_open) {
            return Err("a session that its client has left lives on".to_owned());
        }
        Ok(())
    }

    /// A session that is over wants nothing any more, and keeps nothing.
    fn check_rest(&mut self) -> Checked {
        let now = self.net.instant();
        if self.client.closed.is_some() {
            if self.client.session.next_deadline().is_some() || self.client.session.has_orders() {
                return Err("the client's session is over and wants something".to_owned());
            }
            if self.client.session.poll_output(now, &mut self.client.queue).is_some() {
                return Err("the client's session is over and says something".to_owned());
            }
            if self.comes_back.is_none() && !self.client.queue.is_empty() {
                return Err("the client is over and keeps messages".to_owned());
            }
        }
        for side in self.former.iter().chain([&self.server]).filter(|side| side.closed.is_some()) {
            let wants = |session: &ServerSession<_>| {
                session.next_deadline().is_some() || session.has_orders()
            };
            if side.session.as_ref().is_some_and(wants) {
                return Err("the server's session is over and wants something".to_owned());
            }
            let waits = side.poll.is_some_and(|(_, id)| {
                self.requests.get(&id).is_some_and(|pending| !pending.is_reset)
            });
            if waits || side.probe.is_some() || !side.queue.is_empty() {
                return Err("the server's session is over and keeps something".to_owned());
            }
        }
        Ok(())
    }

    /// What was answered with success was delivered.
    fn check_strangers(&self) -> Checked {
        let stranger = &self.stranger;
        if stranger.accepted > stranger.delivered {
            return Err(format!(
                "{} POSTs were answered ok, and {} of them delivered",
                stranger.accepted, stranger.delivered
            ));
        }
        Ok(())
    }

    /// Who can know that a connection was reset, knows it.
    pub(super) fn check_client_told(&self) -> Checked {
        check_told("client", self.client.knows_by, self.client.closed)
    }

    /// Who was not let in has no session, and nothing of him was delivered.
    fn check_doors(&self) -> Checked {
        let Some(first) = self.plan.hook.refuses_from else { return Ok(()) };
        let mut sides = self.former.iter().chain([&self.server]);
        if sides.any(|side| side.number >= first && side.session.is_some()) {
            return Err("a client that was refused has a session".to_owned());
        }
        if self.client.number >= first && self.client.opened.is_some() {
            return Err("a client that was refused believes that it was let in".to_owned());
        }
        if first == 0 && self.up.delivered() > 0 {
            return Err("a client that was refused has been heard".to_owned());
        }
        Ok(())
    }

    /// What is closed ends, whatever the other side and the network do.
    fn check_closing(&self) -> Checked {
        let patience = self.plan.patience() + Duration::from_secs(1);
        let late = |since: Option<Duration>, closed: Option<(Duration, DisconnectReason)>| {
            since.is_some_and(|since| closed.is_none_or(|(moment, _)| moment > since + patience))
        };
        if late(self.client.closing, self.client.closed) {
            return Err("the client was closed, and goes on".to_owned());
        }
        for side in self.former.iter().chain([&self.server]) {
            if side.session.is_some() && late(side.closing, side.closed) {
                return Err("the server's session was closed, and goes on".to_owned());
            }
            if self.draining.is_some() && side.is_open() {
                return Err("the server was drained, and a session goes on".to_owned());
            }
        }
        Ok(())
    }

    /// A session wakes for its heartbeat and for little else.
    fn check_wakes(&self) -> Checked {
        let sides = 2 + self.former.len() as u64;
        let beats = self.plan.end.as_millis() / self.plan.server.ping_interval.as_millis();
        let limit = sides * (2 * beats as u64 + 20);
        if self.intruder.is_none() && self.wakes() > limit {
            return Err(format!("{} wake-ups for nothing but time", self.wakes()));
        }
        Ok(())
    }

    /// Nothing went wrong: nothing may be lost, and nobody given up.
    fn check_peace(&self) -> Checked {
        let timed_out = |closed: Option<(Duration, DisconnectReason)>| {
            closed.is_some_and(|(_, reason)| reason == DisconnectReason::PingTimeout)
        };
        // A client that goes without a word is missed when it does not answer.
        let left = self.closes.contains(&Act::ClientCloses(Ending::Discard));
        if timed_out(self.client.closed) || timed_out(self.server.closed) && !left {
            return Err("a peer that answers was given up".to_owned());
        }
        if self.closes.is_empty() { self.check_open() } else { self.check_closed() }
    }

    fn check_open(&self) -> Checked {
        if let Some((_, reason)) = self.client.closed.or(self.server.closed) {
            return Err(format!("nobody has closed the session, and it is over: {reason}"));
        }
        let Some(opened) = self.client.opened else {
            return Err("the session never opened".to_owned());
        };
        for (way, ledger) in [("up", &self.up), ("down", &self.server.down)] {
            let (accepted, delivered) = (ledger.accepted(), ledger.delivered());
            if accepted != delivered {
                return Err(format!("{way}: {accepted} messages accepted, {delivered} delivered"));
            }
        }
        let config = &self.plan.client;
        if config.upgrade && config.transport == Transport::Polling {
            let limit = opened + 2 * self.net.round_trip() + Duration::from_millis(200);
            if self.client.upgraded.is_none_or(|moment| moment > limit) {
                return Err(format!(
                    "open at {opened:?}, upgraded at {:?}: it takes more than two round trips",
                    self.client.upgraded
                ));
            }
        }
        Ok(())
    }

    fn check_closed(&self) -> Checked {
        let Some((act, accepted)) = self.flushed else { return Ok(()) };
        // A POST that crosses the server's close is refused, which looks like a fault: it comes back.
        if self.client.number > 0 {
            return Ok(());
        }
        if self.client.closed.is_none() || self.server.closed.is_none() {
            return Err("the session was closed, and goes on".to_owned());
        }
        let one_closed = self.closes.len() == 1;
        let ledger = match act {
            Act::ClientCloses(_) => &self.up,
            _ => &self.server.down,
        };
        // A POST that meets a session which is closing is refused, and the client learns of that before
        // it learns of the rest.
        let crossed = matches!(act, Act::ServerCloses(_))
            && self.plan.client.transport == Transport::Polling
            && self.up.accepted() > 0;
        if one_closed && !crossed && flushes(act) && ledger.delivered() < accepted {
            return Err(format!(
                "closed after {accepted} messages, and {} were delivered of {} handed over",
                ledger.delivered(),
                ledger.handed_over()
            ));
        }
        Ok(())
    }
}

fn check_told(
    side: &str,
    knows_by: Option<Duration>,
    closed: Option<(Duration, DisconnectReason)>,
) -> Checked {
    match knows_by {
        Some(limit) if closed.is_none_or(|(moment, _)| moment > limit) => {
            Err(format!("connections were reset, and the {side} did not notice"))
        }
        _ => Ok(()),
    }
}
