//! `heartwire check`: is that server right?

use std::io::IsTerminal;
use std::path::Path;

use conformance::{Case, Deviation, Options, Outcome, Protocol, Report, Target, Trust};
use serde_json::json;

use crate::args::{Check, Known};
use crate::exit::Exit;
use crate::output::{BOLD, CYAN, DIM, Format, GREEN, RED, excerpt, json_text, line};

pub(crate) fn run(args: Check) -> Result<(), Exit> {
    let format = Format::new(args.json);
    let target = match &args.url {
        Some(url) => Some(target(url, &args)?),
        None => None,
    };
    let cases = chosen(target.as_ref().map(Target::protocol), &args.only)?;
    let (Some(target), Some(url), false) = (target, args.url, args.list) else {
        return list(&cases, format);
    };
    let options = Options {
        patience: args.patience_ms,
        known: args.known.map_or(&[], known),
        ..Options::default()
    };
    let mut progress = Progress::new(cases.len(), format);
    let reports = conformance::check(&target, &cases, &options, |report| progress.show(report));
    progress.clear();
    let reports = reports.map_err(|error| Exit::NotConnected(format!("{url}: {error}")))?;
    match format {
        Format::Words => tell(&reports)?,
        Format::Json => {
            for report in &reports {
                line(&json_text(&as_json(report)))?;
            }
        }
    }
    let failures = count(&reports, |outcome| matches!(outcome, Outcome::Fail { .. }));
    if failures == 0 {
        return Ok(());
    }
    Err(Exit::Failed(format!("the server fails {failures} of {} points", reports.len())))
}

/// The server, and how it is reached.
fn target(url: &str, args: &Check) -> Result<Target, Exit> {
    let target: Target = url.parse().map_err(|error| Exit::Usage(format!("{error}")))?;
    let about_http = args.path.is_some() || args.cacert.is_some() || args.insecure;
    if target.protocol() == Protocol::Repod && about_http {
        let options = "--path, --cacert and --insecure";
        return Err(Exit::Usage(format!("{options} are for servers of Engine.IO, not for {url}")));
    }
    let target = match &args.path {
        Some(path) => target.at(path),
        None => target,
    };
    Ok(match trust(args.cacert.as_deref(), args.insecure)? {
        Some(trust) => target.trusting(trust),
        None => target,
    })
}

/// Whose certificates count, where it is said.
fn trust(authorities: Option<&Path>, anybody: bool) -> Result<Option<Trust>, Exit> {
    if anybody {
        return Ok(Some(Trust::anybody()));
    }
    let Some(file) = authorities else { return Ok(None) };
    let unusable =
        |error: &dyn std::fmt::Display| Exit::Usage(format!("{}: {error}", file.display()));
    let pem = std::fs::read(file).map_err(|error| unusable(&error))?;
    Trust::authorities(&pem).map(Some).map_err(|error| unusable(&error))
}

/// The cases about a protocol, or about any, whose name has one of the patterns in it; without patterns,
/// all.
fn chosen(protocol: Option<Protocol>, patterns: &[String]) -> Result<Vec<&'static Case>, Exit> {
    let mut cases = protocol.map_or_else(conformance::every_case, conformance::cases);
    for pattern in patterns {
        if !cases.iter().any(|case| case.id.contains(pattern.as_str())) {
            return Err(Exit::Usage(format!("no case has '{pattern}' in its name; see --list")));
        }
    }
    cases.retain(|case| {
        patterns.is_empty() || patterns.iter().any(|pattern| case.id.contains(pattern.as_str()))
    });
    Ok(cases)
}

fn list(cases: &[&Case], format: Format) -> Result<(), Exit> {
    for case in cases {
        let Case { id, title, reference, .. } = case;
        format.print(
            &format!("{CYAN}{id}{CYAN:#}  {title}  {DIM}{reference}{DIM:#}"),
            json!({"case": id, "title": title, "reference": reference}),
        )?;
    }
    Ok(())
}

fn known(peer: Known) -> &'static [Deviation] {
    match peer {
        Known::EngineIo => conformance::ENGINE_IO,
        Known::Repodnet => conformance::REPODNET,
    }
}

/// A line a group, then what is wrong, in words.
fn tell(reports: &[Report]) -> Result<(), Exit> {
    let mut groups: Vec<&str> = reports.iter().map(|report| report.case.group()).collect();
    groups.dedup();
    for group in groups {
        let of_group = || reports.iter().filter(|report| report.case.group() == group);
        let all = of_group().count();
        let passed = of_group().filter(|report| report.outcome == Outcome::Pass).count();
        let failed = of_group().filter(|report| is_failure(&report.outcome)).count();
        let style = if failed > 0 { RED } else { GREEN };
        line(&format!("{group:14} {style}{passed:3}{style:#} of {all}"))?;
    }
    for report in reports {
        let Case { id, title, reference, .. } = report.case;
        let (mark, lines) = match &report.outcome {
            Outcome::Pass => continue,
            Outcome::Fail { expected, got } => {
                (format!("{RED}fails{RED:#}"), vec![("expected", &**expected), ("got", got)])
            }
            Outcome::KnownDeviation { why, got } => {
                (format!("{CYAN}known{CYAN:#}"), vec![("known", *why), ("got", got)])
            }
            Outcome::Skipped { why } => (format!("{DIM}skipped{DIM:#}"), vec![("because", &**why)]),
        };
        line(&format!("\n{mark} {BOLD}{id}{BOLD:#}: {title}"))?;
        for (name, words) in lines {
            line(&format!("    {DIM}{name:9}{DIM:#} {}", excerpt(words)))?;
        }
        line(&format!("    {DIM}source    {reference}{DIM:#}"))?;
    }
    let passed = count(reports, |outcome| *outcome == Outcome::Pass);
    let failed = count(reports, is_failure);
    let known = count(reports, |outcome| matches!(outcome, Outcome::KnownDeviation { .. }));
    let skipped = count(reports, |outcome| matches!(outcome, Outcome::Skipped { .. }));
    let mut summary = format!("\n{BOLD}{passed} pass{BOLD:#}, {failed} fail");
    for (number, name) in [(known, "known deviations"), (skipped, "skipped")] {
        if number > 0 {
            summary.push_str(&format!(", {number} {name}"));
        }
    }
    Ok(line(&summary)?)
}

fn as_json(report: &Report) -> serde_json::Value {
    let Case { id, title, reference, .. } = report.case;
    let mut json = json!({"case": id, "title": title, "reference": reference});
    let details = match &report.outcome {
        Outcome::Pass => json!({"outcome": "pass"}),
        Outcome::Fail { expected, got } => {
            json!({"outcome": "fail", "expected": expected, "got": got})
        }
        Outcome::KnownDeviation { why, got } => {
            json!({"outcome": "known deviation", "why": why, "got": got})
        }
        Outcome::Skipped { why } => json!({"outcome": "skipped", "why": why}),
    };
    if let (Some(json), serde_json::Value::Object(details)) = (json.as_object_mut(), details) {
        json.extend(details);
    }
    json
}

fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Fail { .. })
}

fn count(reports: &[Report], which: impl Fn(&Outcome) -> bool) -> usize {
    reports.iter().filter(|report| which(&report.outcome)).count()
}

/// How far the check is, for people who wait.
struct Progress {
    done: usize,
    failed: usize,
    all: usize,
    shown: bool,
}

impl Progress {
    fn new(all: usize, format: Format) -> Self {
        let shown = format == Format::Words && std::io::stderr().is_terminal();
        Self { done: 0, failed: 0, all, shown }
    }

    fn show(&mut self, report: &Report) {
        self.done += 1;
        self.failed += usize::from(is_failure(&report.outcome));
        let Self { done, failed, all, shown } = *self;
        if shown {
            anstream::eprint!("\r{DIM}{done} of {all}, {failed} fail{DIM:#}  ");
        }
    }

    fn clear(&self) {
        if self.shown {
            anstream::eprint!("\r{:40}\r", "");
        }
    }
}
