//! A repod connection to the server.

use super::finding::{Verdict, fail, quoted};
use super::message::{frame, message};
use super::wire::{Next, Wire};

/// A connection to a repod server, greeted or not.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) wire: Wire,
    /// Whether the server sends back what comes.
    echoes: bool,
}

impl Channel {
    pub(crate) fn new(wire: Wire, echoes: bool) -> Self {
        Self { wire, echoes }
    }

    /// Sends bytes, whatever they are.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.write(bytes);
    }

    /// Sends a payload as a frame.
    pub(crate) fn send(&mut self, payload: impl AsRef<[u8]>) {
        self.write(frame(payload));
    }

    /// The next payload.
    pub(crate) fn receive(&mut self) -> Verdict<Vec<u8>> {
        match self.wire.prefixed()? {
            Next::Payload(payload) => Ok(payload),
            Next::End => fail("a frame", "the end of the connection"),
            Next::Nothing => fail("a frame", "nothing"),
        }
    }

    /// This payload has to come next.
    pub(crate) fn brings(&mut self, expected: &[u8]) -> Verdict {
        let payload = self.receive()?;
        if payload == expected {
            return Ok(());
        }
        fail(quoted(expected), quoted(&payload))
    }

    /// What is sent has to come back, where the server echoes.
    pub(crate) fn echoes(&mut self, payload: &[u8]) -> Verdict {
        self.send(payload);
        if self.echoes { self.brings(payload) } else { self.lives() }
    }

    /// The server has to go on with this connection: to answer what is sent now, whatever else it answers
    /// before, or, where it does not echo, to leave it open.
    pub(crate) fn lives(&mut self) -> Verdict {
        if !self.echoes {
            return self.wire.stays();
        }
        let last = message("still there?");
        self.send(&last);
        while self.receive()? != last {}
        Ok(())
    }

    /// The server has to end the connection.
    pub(crate) fn ends(&mut self) -> Verdict {
        self.wire.ends()
    }
}
