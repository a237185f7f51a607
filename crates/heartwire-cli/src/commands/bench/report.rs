//! What was found out, in words and as JSON.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::chart;
use super::figure::{self, count, many, percent};
use super::load::Outcome;
use super::plan::Plan;
use super::processor::Shares;
use super::recorder::SLICE;
use super::target::Target;
use crate::args::Carrier;
use crate::exit::Exit;
use crate::output::{BOLD, CYAN, DIM, Format, RED, json_text, line};

/// What was found out about a server.
pub(super) struct Report {
    pub(super) url: String,
    protocol: &'static str,
    carrier: Option<Carrier>,
    pub(super) plan: Plan,
    /// How many files the program may have open.
    open_files: Option<u64>,
    pub(super) outcome: Outcome,
    /// The same of a server in this program.
    pub(super) floor: Option<Outcome>,
    /// Seconds since 1970.
    pub(super) time: u64,
}

/// A figure, or several that belong together, in words.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// Whether it is not as it should be.
    pub(super) bad: bool,
}

impl Row {
    fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), bad: false }
    }

    fn bad(name: &'static str, text: impl Into<String>) -> Self {
        Self { bad: true, ..Self::new(name, text) }
    }
}

impl Report {
    pub(super) fn new(
        url: &str,
        target: &Target,
        plan: Plan,
        open_files: Option<u64>,
        outcome: Outcome,
        floor: Option<Outcome>,
    ) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let (protocol, carrier) = (target.protocol(), target.carrier());
        Self { url: url.to_owned(), protocol, carrier, plan, open_files, outcome, floor, time }
    }

    pub(super) fn print(&self, format: Format) -> Result<(), Exit> {
        if format == Format::Json {
            return Ok(line(&json_text(&self.json()))?);
        }
        line(&format!("{BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}", self.url, self.settings()))?;
        line("")?;
        for Row { name, text, bad } in self.rows() {
            let style = if bad { RED } else { Style::new() };
            line(&format!("{CYAN}{name:12}{CYAN:#} {style}{text}{style:#}"))?;
        }
        let yellow = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
        for warning in self.warnings() {
            line(&format!("\n{yellow}warning:{yellow:#} {warning}"))?;
        }
        Ok(())
    }

    /// What the program says at its end.
    pub(super) fn verdict(&self) -> Result<(), Exit> {
        let Outcome { opened, endings, failures, .. } = &self.outcome;
        if let Some((_, words)) = endings.values().next() {
            let lost = total(endings);
            return Err(Exit::Lost(format!("{lost} of {opened} connections were lost: {words}")));
        }
        if let Some((_, words)) = failures.values().next() {
            let missing = self.plan.connections - opened;
            let wanted = self.plan.connections;
            let words = format!("{missing} of {wanted} connections could not be opened: {words}");
            return Err(Exit::NotConnected(words));
        }
        let problems: Vec<_> = self.problems().into_iter().map(|(words, _)| words).collect();
        if !problems.is_empty() {
            return Err(Exit::Failed(problems.join(", ")));
        }
        if self.outcome.interrupted { Err(Exit::Interrupted) } else { Ok(()) }
    }

    /// What is wrong with the answers, and how often.
    fn problems(&self) -> Vec<(String, u64)> {
        let Outcome { unanswered, unsent, recorder, .. } = &self.outcome;
        let wrong = &recorder.wrong;
        [
            (*unanswered, "unanswered"),
            (wrong.corrupted, "corrupted"),
            (wrong.reordered, "out of order"),
            (wrong.repeated, "answered twice"),
            (wrong.misdirected, "answered to somebody else"),
            (*unsent, "not sent"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(number, what)| (format!("{} {what}", many(number, "message", "messages")), number))
        .collect()
    }

    /// What was done, in a line.
    pub(super) fn settings(&self) -> String {
        let Plan { connections, depth, size, binary, rate, replies, .. } = self.plan;
        let mut text = self.protocol.to_owned();
        match self.carrier {
            Some(Carrier::Polling) => text += " by polling",
            Some(Carrier::Websocket) => text += " over WebSockets",
            Some(Carrier::Upgrade) => text += " over upgraded WebSockets",
            None => {}
        }
        text += &format!(", {}", many(connections as u64, "connection", "connections"));
        let kind = if binary { "binary" } else { "text" };
        text += &format!(", {kind} messages of {} bytes", count(size as u64));
        match rate {
            Some(rate) => text += &format!(", {} of them a second", figure::digits(rate)),
            None if replies => text += &format!(", {} under way on each", count(depth as u64)),
            None => {}
        }
        if !replies {
            text += ", one way";
        }
        text
    }

    /// The figures, in words.
    pub(super) fn rows(&self) -> Vec<Row> {
        let Plan { connections, size, replies, .. } = self.plan;
        let outcome = &self.outcome;
        let recorder = &outcome.recorder;
        let mut rows = vec![];
        let opening = match &outcome.connecting {
            times if times.is_empty() => String::new(),
            times => format!(
                "; each took {} (p50) to {} (max)",
                figure::time(times.value_at_quantile(0.5)),
                figure::time(times.max())
            ),
        };
        let (opened, time) = (outcome.opened, figure::duration(outcome.connecting_time));
        let text = format!("{} opened in {time}{opening}", count(opened as u64));
        rows.push(Row::new("connections", text));
        if opened < connections {
            rows.push(Row::bad("not opened", kinds(&outcome.failures)));
        }
        if !outcome.endings.is_empty() {
            rows.push(Row::bad("lost", kinds(&outcome.endings)));
        }
        let seconds = outcome.window.length().as_secs_f64();
        let cut = if outcome.interrupted { ", then interrupted" } else { "" };
        let sent = count(recorder.sent);
        let done = match replies {
            true => format!("{sent} sent, {} answered rightly", count(recorder.answered)),
            false => format!("{sent} sent"),
        };
        rows.push(Row::new("messages", done));
        let problems = self.problems();
        if !problems.is_empty() {
            let words: Vec<_> = problems.into_iter().map(|(words, _)| words).collect();
            rows.push(Row::bad("wrong", words.join(", ")));
        }
        if let Some(example) = &recorder.wrong.example {
            rows.push(Row::bad("for example", example.clone()));
        }
        let rate = self.rate();
        rows.push(Row::new(
            "rate",
            format!(
                "{} messages/s, {} MB/s{}, for {seconds:.1} s{cut}",
                figure::digits(rate),
                figure::digits(rate * size as f64 / 1e6),
                if replies { " each way" } else { "" },
            ),
        ));
        if replies {
            rows.extend(self.latency_rows());
        }
        rows.extend(self.floor_row());
        rows.push(Row::new("generator", self.generator()));
        rows
    }

    fn latency_rows(&self) -> Vec<Row> {
        let latency = &self.outcome.recorder.latency;
        if latency.is_empty() {
            return vec![Row::bad("latency", "no answers to what was sent in that time")];
        }
        let mut rows = vec![Row::new(
            "latency",
            match self.plan.rate {
                Some(_) => "from when a message was due until its answer",
                None => "from message to answer; a server that stops is asked nothing: see --rate",
            },
        )];
        for (name, quantile) in QUANTILES {
            rows.push(Row::new(name, figure::time(latency.value_at_quantile(quantile))));
        }
        rows
    }

    fn floor_row(&self) -> Option<Row> {
        let floor = self.floor.as_ref()?;
        let rate = per_second(floor, self.plan.replies);
        let mut text = format!("{} messages/s", figure::digits(rate));
        let latency = &floor.recorder.latency;
        if !latency.is_empty() {
            let of = |quantile| figure::time(latency.value_at_quantile(quantile));
            text += &format!(", p50 {}, p99 {}", of(0.5), of(0.99));
        }
        let who = many(floor.opened as u64, "connection", "connections");
        Some(Row::new("floor", format!("{text}, from a server in this program ({who}, no TLS)")))
    }

    /// What this program has had of the machine.
    fn generator(&self) -> String {
        let usage = &self.outcome.usage;
        let mut text = many(self.plan.threads as u64, "thread", "threads");
        if let Some(busy) = mean(usage, |shares| shares.busy) {
            text += &format!(", {} busy", percent(busy));
        }
        if let Some(waiting) = mean(usage, |shares| shares.waiting) {
            text += &format!(", {} waiting for a processor", percent(waiting));
        }
        let lateness = &self.outcome.recorder.lateness;
        if !lateness.is_empty() {
            let of = |quantile| figure::time(lateness.value_at_quantile(quantile));
            text += &format!("; late with messages by {} (p50), {} (p99)", of(0.5), of(0.99));
        }
        text
    }

    /// Answers a second, or messages where there are no answers.
    fn rate(&self) -> f64 {
        per_second(&self.outcome, self.plan.replies)
    }

    /// What makes the figures less than they seem.
    pub(super) fn warnings(&self) -> Vec<String> {
        let outcome = &self.outcome;
        let latency = &outcome.recorder.latency;
        let mut warnings = vec![];
        let most = |of: fn(&Shares) -> Option<f64>| {
            outcome.usage.iter().filter_map(of).reduce(f64::max).unwrap_or_default()
        };
        let (busy, waiting) = (most(|shares| shares.busy), most(|shares| shares.waiting));
        if waiting >= STARVED {
            warnings.push(format!(
                "this program had to wait for a processor {} of the time: this machine does not have \
                 enough of them for it and for what else runs here",
                percent(waiting)
            ));
        } else if busy + waiting >= SATURATED {
            warnings.push(format!(
                "this program was a bottleneck: one of its threads was busy {} of the time. Try more \
                 --threads, or another machine than the server's",
                percent(busy)
            ));
        }
        if outcome.behind > 0 {
            warnings.push(format!(
                "{} due and not sent: the server, or this program, does not keep up with the rate. \
                 They are in no latency",
                match outcome.behind {
                    1 => "1 message was".to_owned(),
                    behind => format!("{} messages were", count(behind)),
                }
            ));
        }
        let late = &outcome.recorder.lateness;
        let much = latency.value_at_quantile(0.99) / 2;
        if !late.is_empty() && !latency.is_empty() && late.value_at_quantile(0.99) > much {
            warnings.push(format!(
                "this program sent messages late by up to {} (p99), more than half of the latency",
                figure::time(late.value_at_quantile(0.99))
            ));
        }
        if let Some(floor) = &self.floor {
            let floor_latency = &floor.recorder.latency;
            let same = floor.opened == outcome.opened;
            let near = match self.plan.rate {
                Some(_) if !latency.is_empty() => {
                    2 * floor_latency.value_at_quantile(0.5) > latency.value_at_quantile(0.5)
                }
                Some(_) => false,
                None => same && self.rate() > NEAR * per_second(floor, self.plan.replies),
            };
            if near {
                warnings.push(
                    "a server in this program was hardly faster (see the floor): what was measured \
                     is this program and this machine more than the server"
                        .to_owned(),
                );
            }
        }
        if outcome.recorder.unexpected > 0 {
            let came = many(outcome.recorder.unexpected, "message", "messages");
            warnings.push(format!("{came} came although --no-reply expects none"));
        }
        warnings
    }

    /// All of it.
    pub(super) fn json(&self) -> Value {
        let Plan { connections, depth, size, binary, rate, warm_up, duration, .. } = self.plan;
        let Outcome { recorder, window, endings, failures, usage, .. } = &self.outcome;
        let wrong = &recorder.wrong;
        let shares: Vec<_> = usage
            .iter()
            .map(|shares| json!({"busy": shares.busy, "waiting": shares.waiting}))
            .collect();
        json!({
            "heartwire": env!("CARGO_PKG_VERSION"),
            "time": self.time,
            "machine": {
                "os": std::env::consts::OS,
                "arch": std::env::consts::ARCH,
                "processors": std::thread::available_parallelism().map_or(1, usize::from),
            },
            "url": self.url,
            "settings": {
                "protocol": self.protocol,
                "transport": self.carrier.map(|carrier| match carrier {
                    Carrier::Polling => "polling",
                    Carrier::Websocket => "websocket",
                    Carrier::Upgrade => "upgrade",
                }),
                "connections": connections,
                "depth": depth,
                "size": size,
                "binary": binary,
                "rate": rate,
                "warm_up_s": warm_up.as_secs_f64(),
                "duration_s": duration.as_secs_f64(),
                "connect_rate": self.plan.connect_rate,
                "replies": self.plan.replies,
                "threads": self.plan.threads,
            },
            "connections": {
                "opened": self.outcome.opened,
                "time_s": self.outcome.connecting_time.as_secs_f64(),
                "each_us": latency_json(&self.outcome.connecting),
                "open_files_limit": self.open_files,
            },
            "messages": {
                "sent": recorder.sent,
                "answered": recorder.answered,
                "unanswered": self.outcome.unanswered,
                "corrupted": wrong.corrupted,
                "reordered": wrong.reordered,
                "repeated": wrong.repeated,
                "misdirected": wrong.misdirected,
                "unsent": self.outcome.unsent,
                "behind": self.outcome.behind,
                "unexpected": recorder.unexpected,
                "example": wrong.example,
            },
            "errors": {
                "not_opened": kinds_json(failures),
                "lost": kinds_json(endings),
            },
            "measured": {
                "seconds": window.length().as_secs_f64(),
                "sent": recorder.sent_measured,
                "answered": recorder.answered_measured,
                "per_second": self.rate(),
                "bytes_per_second": self.rate() * size as f64,
            },
            "latency_us": latency_json(&recorder.latency),
            "histogram_us": chart::buckets(&recorder.latency)
                .iter()
                .map(|bucket| json!([micros(bucket.until), bucket.count]))
                .collect::<Vec<_>>(),
            "slices": {
                "seconds": SLICE.as_secs_f64(),
                "sent": recorder.sent_by_slice,
                "answered": recorder.answered_by_slice,
            },
            "overhead": {
                "threads": shares,
                "late_us": latency_json(&recorder.lateness),
                "floor": self.floor.as_ref().map(|floor| json!({
                    "connections": floor.opened,
                    "per_second": per_second(floor, self.plan.replies),
                    "latency_us": latency_json(&floor.recorder.latency),
                })),
            },
            "interrupted": self.outcome.interrupted,
            "warnings": self.warnings(),
        })
    }
}

/// What was counted, a second.
fn per_second(outcome: &Outcome, replies: bool) -> f64 {
    let length = outcome.window.length();
    if length == Duration::ZERO {
        return 0.0;
    }
    outcome.counted(replies) as f64 / length.as_secs_f64()
}

/// The mean of what the threads have told.
fn mean(usage: &[Shares], of: impl Fn(&Shares) -> Option<f64>) -> Option<f64> {
    let shares: Vec<f64> = usage.iter().filter_map(of).collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

fn total<K>(kinds: &BTreeMap<K, (u64, String)>) -> u64 {
    kinds.values().map(|(count, _)| count).sum()
}

fn kinds<K: AsRef<str>>(kinds: &BTreeMap<K, (u64, String)>) -> String {
    let each = kinds
        .iter()
        .map(|(kind, (number, words))| format!("{} {} ({words})", count(*number), kind.as_ref()));
    each.collect::<Vec<_>>().join(", ")
}

fn kinds_json<K: AsRef<str>>(kinds: &BTreeMap<K, (u64, String)>) -> Value {
    let each = kinds.iter().map(|(kind, (count, words))| {
        (kind.as_ref().to_owned(), json!({"count": count, "example": words}))
    });
    Value::Object(each.collect())
}

/// Nanoseconds as microseconds.
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn latency_json(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let mut json = Map::new();
    json.insert("count".to_owned(), histogram.len().into());
    json.insert("min".to_owned(), micros(histogram.min()).into());
    json.insert("mean".to_owned(), (histogram.mean() / 1e3).into());
    json.insert("stdev".to_owned(), (histogram.stdev() / 1e3).into());
    for (name, quantile) in QUANTILES {
        json.insert(name.replace('.', "_"), micros(histogram.value_at_quantile(quantile)).into());
    }
    Value::Object(json)
}

/// What is told of a distribution.
pub(super) const QUANTILES: [(&str, f64); 8] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("max", 1.0),
];

/// The share of the time from which on a thread can hardly do more.
const SATURATED: f64 = 0.9;

/// The share of the time in which a thread may wait for a processor before the figures suffer.
const STARVED: f64 = 0.2;

/// The share of the floor's rate from which on a server is about as fast.
const NEAR: f64 = 0.8;
