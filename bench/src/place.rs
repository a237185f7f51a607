//! Where things are.

use std::path::{Path, PathBuf};

/// Where things are.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        Self { root: root.expect("this package is in a folder of the project").to_owned() }
    }

    /// The project.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The programs' sources.
    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("bench/programs")
    }

    pub(crate) fn budgets(&self) -> PathBuf {
        self.root.join("bench/budgets.json")
    }

    pub(crate) fn docs(&self) -> PathBuf {
        self.root.join("docs")
    }

    /// Everything that is built, installed or measured.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target/bench")
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.target().join("results.json")
    }

    /// What cargo builds of the programs.
    pub(crate) fn built(&self) -> PathBuf {
        self.target().join("programs")
    }

    /// The virtual environment of the Python programs.
    pub(crate) fn python(&self) -> PathBuf {
        self.target().join("python")
    }

    /// The folder of the Node programs' packages.
    pub(crate) fn node(&self) -> PathBuf {
        self.target().join("node")
    }
}
