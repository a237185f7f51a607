//! Valgrind, which counts instructions.

use std::path::PathBuf;
use std::process::Command;

use crate::debian;

/// Valgrind: the system's, or one of its own below target/. `None`, after a notice, where neither is to be had.
///
/// # Panics
///
/// If the package cannot be downloaded.
pub fn valgrind() -> Option<Valgrind> {
    let version = Command::new("valgrind").arg("--version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return Some(Valgrind { program: PathBuf::from("valgrind"), tools: None });
    }
    let home = debian::unpacked("valgrind", "valgrind.txt")?;
    let tool = debian::find(&home, |name| name.starts_with("cachegrind-"));
    let tools = tool.and_then(|tool| tool.parent().map(PathBuf::from)).expect("the package has it");
    Some(Valgrind { program: home.join("usr/bin/valgrind"), tools: Some(tools) })
}

/// Where valgrind is.
pub struct Valgrind {
    program: PathBuf,
    /// Where its tools are, if that is not where they are mostly.
    tools: Option<PathBuf>,
}

impl Valgrind {
    /// Makes it known to a program that runs it.
    pub fn give(&self, command: &mut Command) {
        command.env("VALGRIND", &self.program);
        if let Some(tools) = &self.tools {
            command.env("VALGRIND_LIB", tools);
        }
    }
}
