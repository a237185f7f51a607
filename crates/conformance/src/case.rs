//! One point that a server can have right or wrong.

use std::fmt;

use super::finding::Verdict;
use super::repod::Repod;
use super::server::Server;
use super::target::Protocol;

/// One point that a server can have right or wrong.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: the group, a slash, and words with hyphens.
    pub id: &'static str,
    /// What is right, as a sentence about the server.
    pub title: &'static str,
    /// Who says so: a section of the protocol (`EIO`), an RFC, what the other implementation does, an
    /// advisory, or good practice.
    pub reference: &'static str,
    pub(crate) run: Run,
}

/// What a case does with the server.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    EngineIo(fn(&Server) -> Verdict),
    Repod(fn(&Repod) -> Verdict),
}

impl Case {
    pub(crate) const fn new(
        id: &'static str,
        title: &'static str,
        reference: &'static str,
        run: fn(&Server) -> Verdict,
    ) -> Self {
        Self { id, title, reference, run: Run::EngineIo(run) }
    }

    /// One about servers of repod.
    pub(crate) const fn repod(
        id: &'static str,
        title: &'static str,
        reference: &'static str,
        run: fn(&Repod) -> Verdict,
    ) -> Self {
        Self { id, title, reference, run: Run::Repod(run) }
    }

    /// What the servers speak that it is about.
    pub fn protocol(&self) -> Protocol {
        match self.run {
            Run::EngineIo(_) => Protocol::EngineIo,
            Run::Repod(_) => Protocol::Repod,
        }
    }

    /// The cases that it belongs to: what its id begins with.
    pub fn group(&self) -> &'static str {
        self.id.split('/').next().unwrap_or(self.id)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.id).finish()
    }
}
