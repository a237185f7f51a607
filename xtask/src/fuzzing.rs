//! Fuzzing: builds the targets of `crates/fuzz` with libFuzzer, runs them, and keeps account.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use fuzz::{TARGETS, Target};

use crate::ledger::{Ledger, Spent};
use crate::{Failed, step};

/// Runs targets, all of them if none is named, for `--seconds` each (30), two at a time. With `--keep`,
/// the corpora get what was found.
pub(crate) fn fuzz(args: &[String]) -> Result<(), Failed> {
    let Plan { targets, seconds, keep } = Plan::of(args).map_err(|what| {
        println!(
            "{what}\n\ncargo xtask fuzz [TARGET…] [--seconds 30] [--keep], where TARGET is one of:"
        );
        for Target { name, about, .. } in &TARGETS {
            println!("  {name:20} {about}");
        }
        Failed
    })?;
    let program = build()?;
    let waiting = Mutex::new(VecDeque::from(targets));
    let results = Mutex::new(vec![]);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(target) = next(&waiting) {
                    let result = Fuzzer::new(&program, target).run(seconds, keep);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((target, result));
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut ledger = Ledger::read();
    let mut findings = vec![];
    for (target, result) in results {
        ledger.add(target.name, &result.spent);
        findings.extend(result.finding.map(|finding| (target, finding)));
    }
    ledger.write();
    for (target, Finding { input, said }) in &findings {
        println!(
            "── {}: FINDING\n{said}\n\ncargo run -p fuzz -- {} {}\n",
            target.name,
            target.name,
            input.display()
        );
    }
    if findings.is_empty() { Ok(()) } else { Err(Failed) }
}

struct Plan {
    targets: Vec<&'static Target>,
    seconds: u64,
    keep: bool,
}

impl Plan {
    fn of(args: &[String]) -> Result<Self, String> {
        let mut plan = Self { targets: vec![], seconds: 30, keep: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--keep" => plan.keep = true,
                "--seconds" => {
                    let seconds = args.next().and_then(|seconds| seconds.parse().ok());
                    plan.seconds = seconds.ok_or("--seconds wants a number")?;
                }
                name => {
                    let known = TARGETS.iter().find(|target| target.name == name);
                    plan.targets.push(known.ok_or_else(|| format!("{name} is no target"))?);
                }
            }
        }
        if plan.targets.is_empty() {
            plan.targets = TARGETS.iter().collect();
        }
        Ok(plan)
    }
}

fn next(waiting: &Mutex<VecDeque<&'static Target>>) -> Option<&'static Target> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Builds the program that runs any of the targets, with everything below it instrumented.
fn build() -> Result<PathBuf, Failed> {
    let rustc = Command::new("rustc").arg("-vV").output().expect("cargo comes with rustc");
    let version = String::from_utf8_lossy(&rustc.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc says so");
    let mut build = Command::new("cargo");
    // With a target named, the flags are not those of build scripts.
    build.args(["build", "--release", "--target", host]).arg("--target-dir").arg(home());
    build.current_dir(root().join("crates/fuzz/libfuzzer")).env("RUSTFLAGS", INSTRUMENTED);
    step("the targets, instrumented", &mut build)?;
    Ok(home().join(host).join("release/fuzz-libfuzzer"))
}

/// libFuzzer on one target.
struct Fuzzer<'a> {
    program: &'a Path,
    target: &'static Target,
    /// What it has found worth keeping, from run to run.
    found: PathBuf,
    seeds: PathBuf,
    artifacts: PathBuf,
}

struct Outcome {
    spent: Spent,
    finding: Option<Finding>,
}

/// An input that must not be, and what the program said when it met it.
struct Finding {
    input: PathBuf,
    said: String,
}

impl<'a> Fuzzer<'a> {
    fn new(program: &'a Path, target: &'static Target) -> Self {
        let folder = |kind: &str| {
            let folder = home().join(kind).join(target.name);
            fs::create_dir_all(&folder).expect("target/ can be written");
            folder
        };
        let [found, seeds, artifacts] = ["found", "seeds", "findings"].map(folder);
        fill(&seeds, &fuzz::inputs(target.name));
        Self { program, target, found, seeds, artifacts }
    }

    fn run(&self, seconds: u64, keep: bool) -> Outcome {
        let mut outcome = Outcome { spent: Spent::default(), finding: None };
        let (start, length) = (Instant::now(), Duration::from_secs(seconds));
        while let Some(left) = length.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            let seconds = left.as_secs().max(1);
            outcome.finding = self.run_once(seconds, &mut outcome.spent);
            // Where machines are shared, an input may take long once. It has to do so again.
            let is_real =
                |finding: &Finding| !is_slow(&finding.input) || self.is_always_slow(&finding.input);
            match outcome.finding.take_if(|finding| !is_real(finding)) {
                Some(slow) => {
                    println!("   {}: {} was slow once", self.target.name, slow.input.display())
                }
                None => break,
            }
        }
        if keep && outcome.finding.is_none() {
            outcome.spent.kept = Some(self.keep());
        }
        let Spent { cpu, executions, edges, .. } = outcome.spent;
        let found = if outcome.finding.is_some() { "a FINDING" } else { "nothing found" };
        let name = self.target.name;
        println!(
            "   {name:20} {cpu:6.0?} of CPU, {executions:9} executions, {edges:5} edges, {found}"
        );
        outcome.spent.findings = usize::from(outcome.finding.is_some());
        outcome
    }

    fn run_once(&self, seconds: u64, spent: &mut Spent) -> Option<Finding> {
        let mut command = self.command();
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-artifact_prefix={}/", self.artifacts.display()));
        command.arg(format!("-dict={}", fuzz::dictionary_file(self.target.name).display()));
        command.args(["-timeout=1", "-rss_limit_mb=512", "-print_final_stats=1"]);
        command.arg(&self.found).arg(&self.seeds).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it was built");
        let stderr = child.stderr.take().expect("it is piped");
        let (mut said, mut input, mut edges, mut news) = (vec![], None, 0, Instant::now());
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(now) = number_after(&line, "cov: ").filter(|now| *now > edges) {
                (edges, news) = (now, Instant::now());
            }
            if let Some(count) = number_after(&line, "stat::number_of_executed_units:") {
                spent.executions += count;
            }
            if let Some((_, path)) = line.split_once("Test unit written to ") {
                input = Some(PathBuf::from(path.trim()));
            }
            let begins = line.contains(" panicked at ") || line.contains("ERROR: libFuzzer");
            let goes_on = !said.is_empty() && said.len() < MAX_LINES && input.is_none();
            if begins || goes_on {
                said.push(line);
            }
        }
        let cpu = cpu_time(&child);
        let status = child.wait().expect("it was started");
        let is_explained = status.success() || input.is_some();
        assert!(is_explained, "{}: libFuzzer ended with {status}: {said:?}", self.target.name);
        spent.cpu += cpu;
        spent.edges = spent.edges.max(edges);
        spent.quiet = news.elapsed().min(cpu);
        input.map(|input| Finding { input, said: said.join("\n") })
    }

    /// Whether an input takes more than a second each time.
    fn is_always_slow(&self, input: &Path) -> bool {
        (0..3).all(|_| {
            let mut again = self.command();
            // It is kept under its name again.
            again.arg(format!("-artifact_prefix={}/", self.artifacts.display()));
            again.arg("-timeout=1").arg(input).stderr(Stdio::null());
            !again.status().expect("it was built").success()
        })
    }

    /// Reduces what was found to what reaches something that the seeds do not, and puts it into the
    /// corpus. Returns how many inputs that are.
    fn keep(&self) -> usize {
        let kept = home().join("kept").join(self.target.name);
        let _ = fs::remove_dir_all(&kept);
        fs::create_dir_all(&kept).expect("target/ can be written");
        let written = fuzz::seeds(self.target.name);
        fill(&kept, &written);
        let mut merge = self.command();
        merge
            .args(["-set_cover_merge=1", "-timeout=5"])
            .arg(&kept)
            .arg(&self.found)
            .arg(&self.seeds);
        let status = merge.stderr(Stdio::null()).status().expect("it was built");
        assert!(status.success(), "libFuzzer could not merge: {status}");
        let mut inputs = read(&kept);
        inputs.retain(|input| !written.contains(input));
        inputs.sort_by_key(Vec::len);
        let mut room = MAX_CORPUS_BYTES;
        inputs.retain(|input| {
            let left = room.checked_sub(fuzz::escape(input).len() + 1);
            room = left.unwrap_or(0);
            left.is_some()
        });
        let count = inputs.len();
        fuzz::set_corpus(self.target.name, inputs).expect("the corpus can be written");
        count
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.env("FUZZ_TARGET", self.target.name).env("RUST_BACKTRACE", "0");
        command.arg(format!("-max_len={}", self.target.max_len)).current_dir(root());
        command.stdout(Stdio::null());
        command
    }
}

fn is_slow(input: &Path) -> bool {
    input.file_name().is_some_and(|name| name.to_string_lossy().starts_with("timeout-"))
}

/// Makes a folder hold these inputs and no others.
fn fill(folder: &Path, inputs: &[Vec<u8>]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let _ = fs::remove_file(entry.path());
    }
    for (number, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("{number:05}")), input).expect("target/ can be written");
    }
}

fn read(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("it was filled").flatten();
    entries.filter_map(|entry| fs::read(entry.path()).ok()).collect()
}

fn number_after(line: &str, label: &str) -> Option<u64> {
    let rest = line.split_once(label)?.1.trim_start();
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What a child that has ended, and was not waited for, has used. Where there is no `/proc`, nothing.
fn cpu_time(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // The name in parentheses may have spaces; behind it, fields 14 and 15 of proc(5) are its times.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
}

/// Where everything lies that is made of the targets.
fn home() -> PathBuf {
    root().join("target/fuzz")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("it is a folder of the project")
        .to_owned()
}

/// What libFuzzer needs to see which edges are taken, and what is compared.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

const AT_A_TIME: usize = 2;

/// Lines of a finding that are shown: a trace of the simulator may be long.
const MAX_LINES: usize = 40;

/// Bytes of a corpus's file: all of them together are a small part of the project.
const MAX_CORPUS_BYTES: usize = 96 * 1024;

/// Linux tells programs its times so, whatever it counts in.
const TICKS_A_SECOND: u64 = 100;
