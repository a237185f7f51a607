//! How long each target has been fuzzed, and what came of it: a table that is a part of the project.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// What a run has taken and brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) executions: u64,
    /// Edges of the program that were taken.
    pub(crate) edges: u64,
    /// Time at the end in which no edge was new.
    pub(crate) quiet: Duration,
    pub(crate) findings: usize,
    /// Inputs in the corpus, if they were changed.
    pub(crate) kept: Option<usize>,
}

/// The sums of all runs.
pub(crate) struct Ledger {
    rows: BTreeMap<String, Row>,
}

#[derive(Default)]
struct Row {
    cpu_seconds: u64,
    executions: u64,
    edges: u64,
    quiet_seconds: u64,
    inputs: usize,
    findings: usize,
}

impl Ledger {
    /// Reads the table; where there is none, an empty one.
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(path()).unwrap_or_default();
        Self { rows: text.lines().filter_map(row).collect() }
    }

    pub(crate) fn add(&mut self, target: &str, spent: &Spent) {
        let row = self.rows.entry(target.to_owned()).or_default();
        let seconds = spent.cpu.as_secs();
        let is_new = spent.edges > row.edges;
        row.cpu_seconds += seconds;
        row.executions += spent.executions;
        row.edges = row.edges.max(spent.edges);
        row.quiet_seconds =
            if is_new { spent.quiet.as_secs() } else { row.quiet_seconds + seconds };
        row.inputs = spent.kept.unwrap_or(row.inputs);
        row.findings += spent.findings;
    }

    /// Writes the table.
    pub(crate) fn write(&self) {
        let mut text = HEAD.to_owned();
        for (target, row) in &self.rows {
            let Row { cpu_seconds, executions, edges, quiet_seconds, inputs, findings } = row;
            writeln!(
                text,
                "| {target} | {cpu_seconds} | {executions} | {edges} | {quiet_seconds} | {inputs} | {findings} |"
            )
            .expect("strings grow");
        }
        fs::write(path(), text).expect("the ledger can be written");
    }
}

/// A line of the table, unless it is another one.
fn row(line: &str) -> Option<(String, Row)> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [target, cpu, executions, edges, quiet, inputs, findings] = cells[..] else { return None };
    let row = Row {
        cpu_seconds: cpu.parse().ok()?,
        executions: executions.parse().ok()?,
        edges: edges.parse().ok()?,
        quiet_seconds: quiet.parse().ok()?,
        inputs: inputs.parse().ok()?,
        findings: findings.parse().ok()?,
    };
    Some((target.to_owned(), row))
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/fuzz/ledger.md"))
}

const HEAD: &str = "\
# What has been fuzzed

`cargo xtask fuzz` adds its runs. Edges are those of the instrumented program that inputs reach; quiet is the
time since one was new. Findings have tests in `crates/fuzz/tests/regressions.rs`.

| target | CPU seconds | executions | edges | quiet seconds | inputs kept | findings |
|---|---|---|---|---|---|---|
";
