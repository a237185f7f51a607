//! One point that a server can have right or wrong.

use std::fmt;

use super::finding::Verdict;
use super::server::Server;

/// One point that a server can have right or wrong.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: the group, a slash, and words with hyphens.
    pub id: &'static str,
    /// What is right, as a sentence about the server.
    pub title: &'static str,
    /// Who says so: a section of the protocol (`EIO`), an RFC, or good practice.
    pub reference: &'static str,
    pub(crate) run: fn(&Server) -> Verdict,
}

impl Case {
    pub(crate) const fn new(
        id: &'static str,
        title: &'static str,
        reference: &'static str,
        run: fn(&Server) -> Verdict,
    ) -> Self {
        Self { id, title, reference, run }
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
