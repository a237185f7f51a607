//! What must hold when a run is over.

use std::time::Duration;

use heartwire_proto::engineio::{DisconnectReason, Transport};
use heartwire_proto::shared::Ending;

use super::plan::Act;
use super::world::{Checked, World, flushes};

impl World {
    pub(super) fn check_end(&mut self) -> Checked {
        self.check_rest()?;
        self.check_strangers()?;
        self.check_told_in_time()?;
        // A client that leaves before it is let in is missed when it does not answer.
        let never_came = self.client.opened.is_none() && self.client.closed.is_some();
        if self.plan.is_peaceful() && !never_came {
            self.check_peace()?;
        }
        let silent = self.plan.acts.iter().any(|(_, act)| *act == Act::Silence);
        let client_is_open = self.client.opened.is_some() && self.client.closed.is_none();
        let server_is_open = self.server.session.is_some() && self.server.closed.is_none();
        if silent && client_is_open {
            return Err("the network is silent, and the client believes in it".to_owned());
        }
        if silent && server_is_open {
            return Err("the network is silent, and the server believes in it".to_owned());
        }
        if client_is_open != server_is_open {
            return Err(format!(
                "one side believes that the session is over: client {:?}, server {:?}",
                self.client.closed, self.server.closed
            ));
        }
        Ok(())
    }

    /// A session that is over wants nothing any more.
    fn check_rest(&mut self) -> Checked {
        let now = self.net.instant();
        if self.client.closed.is_some() {
            if self.client.session.next_deadline().is_some() || self.client.session.has_orders() {
                return Err("the client's session is over and wants something".to_owned());
            }
            if self.client.session.poll_output(now, &mut self.client.queue).is_some() {
                return Err("the client's session is over and says something".to_owned());
            }
        }
        if let (Some(_), Some(session)) = (self.server.closed, &mut self.server.session)
            && (session.next_deadline().is_some() || session.has_orders())
        {
            return Err("the server's session is over and wants something".to_owned());
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
    fn check_told_in_time(&self) -> Checked {
        let sides = [
            ("client", self.client_knows_by, self.client.closed),
            ("server", self.server_knows_by, self.server.closed),
        ];
        for (side, knows_by, closed) in sides {
            let Some(limit) = knows_by else { continue };
            if closed.is_none_or(|(moment, _)| moment > limit) {
                return Err(format!("connections were reset, and the {side} did not notice"));
            }
        }
        Ok(())
    }

    /// Nothing went wrong: nothing may be lost, and nobody given up.
    fn check_peace(&self) -> Checked {
        let timed_out = |closed: Option<(Duration, DisconnectReason)>| {
            closed.is_some_and(|(_, reason)| reason == DisconnectReason::PingTimeout)
        };
        // A client that goes without a word is missed when it does not answer.
        let left = self.plan.acts.iter().any(|(_, act)| *act == Act::ClientCloses(Ending::Discard));
        if timed_out(self.client.closed) || timed_out(self.server.closed) && !left {
            return Err("a peer that answers was given up".to_owned());
        }
        match self.plan.first_close() {
            None => self.check_open(),
            Some(_) => self.check_closed(),
        }
    }

    fn check_open(&self) -> Checked {
        if let Some((_, reason)) = self.client.closed.or(self.server.closed) {
            return Err(format!("nobody has closed the session, and it is over: {reason}"));
        }
        let Some(opened) = self.client.opened else {
            return Err("the session never opened".to_owned());
        };
        for (way, ledger) in [("up", &self.up), ("down", &self.down)] {
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
        if self.client.closed.is_none() || self.server.closed.is_none() {
            return Err("the session was closed, and goes on".to_owned());
        }
        let one_closed = self.plan.acts.iter().filter(|(_, act)| flushes(*act)).count() == 1;
        let ledger = match act {
            Act::ClientCloses(_) => &self.up,
            _ => &self.down,
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
