//! A client that was cut off, and comes back with what it has not sent.

use std::time::Duration;

use heartwire_proto::engineio::DisconnectReason;
use heartwire_proto::shared::{Ending, SendQueue};

use super::plan::Waits;
use super::wire::Parcel;
use super::world::{Checked, ClientSide, ServerSide, World};

impl World {
    /// The client's session has ended.
    pub(super) fn client_ends(&mut self, reason: DisconnectReason) -> Checked {
        let now = self.net.now();
        self.client.closed = Some((now, reason));
        if self.client.opened.is_some_and(|opened| now - opened > Duration::from_secs(1)) {
            self.attempt = 0;
        }
        let stays = self.client.queue.ending() == Ending::Open;
        let wants = stays && self.was_open && !reason.is_asked_for();
        let Some(waits) = self.plan.waits.filter(|_| wants) else { return self.give_up() };
        let chance = f64::from(self.net.rng.u32(..)) / f64::from(u32::MAX);
        let Some(wait) = waits.backoff().delay(self.attempt + 1, chance) else {
            if self.attempt < waits.attempts {
                return Err(format!("given up after {} attempts", self.attempt));
            }
            return self.give_up();
        };
        self.attempt += 1;
        check_wait(&waits, self.attempt, wait)?;
        if self.comes_back.is_some() {
            return Err("the client comes back twice at once".to_owned());
        }
        self.note(&format!("client: comes back in {wait:?}, attempt {}", self.attempt));
        self.comes_back = Some(now + wait);
        self.net.at(now + wait, Parcel::Reconnect);
        Ok(())
    }

    /// There will be no other session: what waits is told of.
    pub(super) fn give_up(&mut self) -> Checked {
        self.client.queue.close(Ending::Discard);
        self.up.check_left(&self.client.queue.drain())
    }

    pub(super) fn reconnect(&mut self) -> Checked {
        if self.comes_back.take().is_none() {
            return Ok(());
        }
        self.check_client_told()?;
        if self.client.closed.is_none() || self.client.socket.is_some() {
            return Err("the client opens a session beside another".to_owned());
        }
        // What is under way is of the session that has ended.
        self.requests.values_mut().for_each(|pending| pending.awaited = false);
        let number = self.client.number + 1;
        let queue = std::mem::replace(&mut self.client.queue, SendQueue::new(self.plan.limits));
        self.client = ClientSide::new(number, &self.plan, queue);
        let fresh = ServerSide::new(number, &self.plan);
        self.former.push(std::mem::replace(&mut self.server, fresh));
        let stretch = self.up.next_session();
        if stretch != number {
            return Err(format!("session {number} has the messages of session {stretch}"));
        }
        Ok(())
    }
}

/// Waits double from attempt to attempt, to a maximum, and chance moves them by its part.
fn check_wait(waits: &Waits, attempt: u32, wait: Duration) -> Checked {
    let middle =
        (waits.initial.as_secs_f64() * 2_f64.powi(attempt as i32 - 1)).min(waits.max.as_secs_f64());
    let (least, most) = (middle * (1.0 - waits.jitter), middle * (1.0 + waits.jitter));
    let wait = wait.as_secs_f64();
    if wait < least - 1e-6 || wait > most + 1e-6 {
        return Err(format!("attempt {attempt} waits for {wait} s, not {least} to {most}"));
    }
    Ok(())
}
