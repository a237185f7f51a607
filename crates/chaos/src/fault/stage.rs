//! A server and its clients on this host, started as often as a fault needs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::journal::{Entry, Line};
use crate::link::Side;
use crate::peer::{Orders, Way};
use crate::program::{Program, wait_for};

/// How peers of this host are started.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) program: PathBuf,
    pub(super) way: Way,
    /// Clients in a process.
    pub(super) clients: u32,
    /// Milliseconds between letters.
    pub(super) pace: u64,
    /// What every process finds in its environment besides.
    pub(super) environment: Vec<(String, String)>,
}

impl Stage {
    pub(super) fn new(program: &Path, way: Way, clients: u32, pace: u64) -> Self {
        Self { program: program.to_owned(), way, clients, pace, environment: vec![] }
    }

    /// Starts a server, and returns it with its port. With a port, it takes the place of another.
    pub(super) async fn server(&self, port: u16) -> Result<(Program, u16), String> {
        let server = self.start(Side::Server, port)?;
        let port = server.port().await?;
        Ok((server, port))
    }

    pub(super) fn start(&self, side: Side, port: u16) -> Result<Program, String> {
        let orders = Orders {
            side,
            way: self.way,
            host: "127.0.0.1".to_owned(),
            port,
            clients: self.clients,
            pace: self.pace,
            life: None,
            ping_interval: HEARTBEAT,
            ping_timeout: 2 * HEARTBEAT,
        };
        let mut command = Command::new(&self.program);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Program::start(command, &orders).map_err(|error| error.to_string())
    }
}

/// Waits until `count` sessions of a journal have brought letters, looking at what it says from `mark` on.
pub(super) async fn wait_for_letters(
    goal: &str,
    program: &Program,
    mark: usize,
    count: usize,
) -> Result<(), String> {
    let enough = |lines: &[Line]| {
        let mut seen = std::collections::HashSet::new();
        let mut letters = lines[mark..].iter().filter_map(|line| match &line.entry {
            Entry::Delivered { session, .. } => Some(session.as_str()),
            _ => None,
        });
        letters.any(|session| {
            seen.insert(session);
            seen.len() == count
        })
    };
    wait_for(goal, || program.look(enough).then_some(())).await
}

/// Lines of a journal so far.
pub(super) fn mark(program: &Program) -> usize {
    program.look(<[Line]>::len)
}

/// The times of all ends that a journal has from `mark` on.
pub(super) fn ends(program: &Program, mark: usize) -> Vec<u64> {
    program.look(|lines| {
        let ends = lines[mark..].iter();
        let ends = ends.filter(|line| matches!(line.entry, Entry::Disconnected { .. }));
        ends.map(|line| line.at).collect()
    })
}

/// Milliseconds between pings.
pub(super) const HEARTBEAT: u64 = 1000;
