//! What people see while they wait: one line that changes, on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::figure;
use super::plan::Plan;
use super::recorder::Window;
use crate::output::{DIM, Format};

/// What people see while they wait.
pub(super) struct Progress {
    shown: bool,
    /// What the load is for, if it is not what was asked for.
    title: &'static str,
    before: Moment,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) now: Duration,
    pub(super) window: Window,
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) wrong: u64,
    /// Nanoseconds that all answers took together.
    pub(super) latency_sum: u64,
}

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        let shown = format == Format::Words && std::io::stderr().is_terminal();
        Self { shown, title: "", before: Moment::default() }
    }

    /// Begins with a load.
    pub(super) fn begin(&mut self, title: &'static str) {
        self.title = title;
        self.before = Moment::default();
    }

    /// When to show it again.
    pub(super) fn ticks(&self) -> Interval {
        let mut ticks = interval(Duration::from_millis(if self.shown { 200 } else { 3_600_000 }));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    pub(super) fn connecting(&self, opened: usize, failed: usize, wanted: usize) {
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        self.line(&format!("connecting  {opened} of {wanted}{failed}"));
    }

    pub(super) fn show(&mut self, moment: Moment, plan: &Plan) {
        let before = std::mem::replace(&mut self.before, moment);
        self.line(&words(moment, before, plan));
    }

    fn line(&self, text: &str) {
        if self.shown {
            anstream::eprint!("\r\x1b[2K{DIM}{}{text}{DIM:#}", self.title);
        }
    }

    /// Leaves nothing of it.
    pub(super) fn clear(&self) {
        if self.shown {
            anstream::eprint!("\r\x1b[2K");
        }
    }
}

/// How far a load is, and what has happened since `before`.
fn words(moment: Moment, before: Moment, plan: &Plan) -> String {
    let Moment { now, window, sent, answered, wrong, .. } = moment;
    if now >= window.until {
        return match sent.saturating_sub(answered) {
            missing if plan.replies => {
                format!("waiting for {}", figure::many(missing, "answer", "answers"))
            }
            _ => "sending what waits".to_owned(),
        };
    }
    let name = if now < window.from { "warm-up" } else { "running" };
    let all = if now < window.from { window.from } else { window.length() };
    let elapsed = if now < window.from { now } else { now - window.from };
    let mut text = format!("{name}  {:.1} of {} s", elapsed.as_secs_f64(), all.as_secs_f64());
    let (done, done_before) =
        if plan.replies { (answered, before.answered) } else { (sent, before.sent) };
    let seconds = (now - before.now).as_secs_f64();
    let messages = done.saturating_sub(done_before);
    if seconds > 0.0 {
        text += &format!("  {} messages/s", figure::count((messages as f64 / seconds) as u64));
    }
    if plan.replies && messages > 0 {
        let mean = (moment.latency_sum - before.latency_sum) / messages;
        text += &format!("  mean {}", figure::time(mean));
    }
    if wrong > 0 {
        text += &format!("  {} wrong", figure::count(wrong));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_line_says_what_has_happened_since_the_last_one() {
        let mut plan = plan();
        let window = Window { from: at(1000), until: at(11_000) };
        let before =
            Moment { now: at(3000), window, answered: 1000, sent: 1001, ..Moment::default() };
        let now = Moment {
            now: at(3500),
            answered: 2000,
            sent: 2001,
            latency_sum: 1000 * 250_000,
            ..before
        };
        assert_eq!(
            words(now, before, &plan),
            "running  2.5 of 10 s  2,000 messages/s  mean 250 µs"
        );
        let wrong = Moment { wrong: 3, ..now };
        assert!(words(wrong, before, &plan).ends_with("  3 wrong"));
        let early = Moment { now: at(500), ..now };
        let line = words(early, Moment { window, ..Moment::default() }, &plan);
        assert!(line.starts_with("warm-up  0.5 of 1 s  4,000 messages/s"), "{line}");
        let late = Moment { now: at(11_000), ..now };
        assert_eq!(words(late, before, &plan), "waiting for 1 answer");
        plan.replies = false;
        assert_eq!(words(now, before, &plan), "running  2.5 of 10 s  2,000 messages/s");
        assert_eq!(words(late, before, &plan), "sending what waits");
    }
}
