//! The repod server, as every case finds it.

use std::time::Duration;

use super::channel::Channel;
use super::finding::{Verdict, ensure, quoted};
use super::message::{greeting, message};
use super::server::skip;
use super::target::Target;
use super::wire::Wire;

/// The repod server, and what is known of it.
#[derive(Debug)]
pub(crate) struct Repod {
    target: Target,
    /// How long to wait for what has to come.
    patience: Duration,
    echoes: bool,
}

impl Repod {
    /// Connects, is greeted, and finds out whether messages come back.
    pub(crate) fn learn(target: &Target, patience: Duration) -> Verdict<Self> {
        let mut server = Self { target: target.clone(), patience, echoes: false };
        let mut channel = server.open()?;
        let echo = message("echo");
        channel.send(&echo);
        channel.wire.set_patience(patience.min(QUICKLY));
        server.echoes = channel.receive().is_ok_and(|payload| payload == echo);
        Ok(server)
    }

    /// A connection of which nothing was read yet.
    pub(crate) fn connect(&self) -> Verdict<Channel> {
        Ok(Channel::new(Wire::open(&self.target, self.patience)?, self.echoes))
    }

    /// A connection that was greeted.
    pub(crate) fn open(&self) -> Verdict<Channel> {
        let mut channel = self.connect()?;
        let greeted = channel.receive()?;
        // A server may say more in it: clients do not care.
        let named = &greeting()[1..];
        ensure(greeted.windows(named.len()).any(|part| part == named), GREETING, || {
            quoted(&greeted)
        })?;
        Ok(channel)
    }

    /// These bytes have to end the connection, and nothing else.
    pub(crate) fn closes_at(&self, bytes: impl AsRef<[u8]>) -> Verdict {
        let mut channel = self.open()?;
        channel.write(bytes);
        channel.ends()?;
        self.lives()
    }

    /// This payload has to be passed over: the connection goes on.
    pub(crate) fn passes_over(&self, payload: impl AsRef<[u8]>) -> Verdict {
        let mut channel = self.open()?;
        channel.send(payload);
        channel.lives()
    }

    /// The server has to answer whoever comes next.
    pub(crate) fn lives(&self) -> Verdict {
        self.open()?.lives()
    }

    pub(crate) fn needs_echo(&self) -> Verdict {
        if self.echoes { Ok(()) } else { skip("the server does not echo messages") }
    }
}

/// What a server says first.
const GREETING: &str = "a message with the action \"connected\"";

/// Time for an echo to come, where nobody knows whether one will.
const QUICKLY: Duration = Duration::from_secs(2);
