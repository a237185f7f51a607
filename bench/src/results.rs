//! What was measured.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What was measured.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Results {
    /// Where, and with which versions of everything.
    pub(crate) machine: BTreeMap<String, String>,
    pub(crate) measures: BTreeMap<String, Measured>,
}

/// The rounds of one measure.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Measured {
    /// The commit of the library.
    pub(crate) commit: String,
    /// Whether it was only to be seen that it works: no figures to publish.
    #[serde(default)]
    pub(crate) quick: bool,
    /// By contestant.
    pub(crate) contestants: BTreeMap<String, Vec<Turn>>,
}

/// One contestant in one round: numbers by name, or what went wrong.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Turn {
    Numbers(BTreeMap<String, f64>),
    Failed(String),
}

impl Results {
    /// What was stored; nothing, if nothing was.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be understood.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(serde_json::from_str(&text)?),
            Err(_) => Ok(Self::default()),
        }
    }

    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// The commits that the measures are of.
    pub(crate) fn commits(&self) -> Vec<&str> {
        let mut commits: Vec<_> =
            self.measures.values().map(|measured| &*measured.commit).collect();
        commits.sort_unstable();
        commits.dedup();
        commits
    }
}

impl Measured {
    /// A contestant's numbers of one round.
    pub(crate) fn number(&self, contestant: &str, round: usize, metric: &str) -> Option<f64> {
        match self.contestants.get(contestant)?.get(round)? {
            Turn::Numbers(numbers) => numbers.get(metric).copied(),
            Turn::Failed(_) => None,
        }
    }

    /// Rounds that there are.
    pub(crate) fn rounds(&self) -> usize {
        self.contestants.values().map(Vec::len).max().unwrap_or_default()
    }
}
