//! One thread of the load, with its connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::alarm::Alarm;
use super::bells::{Bells, Places};
use super::body::Body;
use super::client::End;
use super::clock::Clock;
use super::connection::{Connection, Finished};
use super::exchange::Exchange;
use super::figure::nanoseconds;
use super::pace::Pace;
use super::plan::Plan;
use super::processor::{Shares, Usage};
use super::recorder::{Recorder, histogram};
use super::target::{Failure, Opened, Target};

/// How far the load is, as the threads are told.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Open the connections.
    Connect,
    /// Send. Connections take turns: a thread's have these places among all.
    Load { clock: Arc<Clock>, places: Arc<Places> },
    /// Nothing is wanted any more.
    Abort,
}

/// What the threads tell while they work.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) opened: AtomicUsize,
    pub(super) failed: AtomicUsize,
}

/// One thread of the load.
pub(super) struct Worker {
    pub(super) thread: usize,
    pub(super) plan: Arc<Plan>,
    pub(super) target: Target,
    pub(super) body: Body,
    pub(super) board: Arc<Board>,
    pub(super) recorder: Arc<Mutex<Recorder>>,
    pub(super) stage: watch::Receiver<Stage>,
    /// Told which thread has how many connections, once all are tried.
    pub(super) ready: mpsc::UnboundedSender<(usize, usize)>,
}

/// What a thread has found out.
#[derive(Debug)]
pub(super) struct Share {
    /// Nanoseconds that connections took to open.
    pub(super) connecting: Histogram<u64>,
    /// What kept connections from being opened: how often, and the first time in words.
    pub(super) failures: BTreeMap<&'static str, (u64, String)>,
    /// How connections have ended during the load: the same.
    pub(super) endings: BTreeMap<String, (u64, String)>,
    pub(super) unanswered: u64,
    /// Messages that could not be sent any more, where there are no answers that would tell.
    pub(super) unsent: u64,
    /// Messages that were due and not even tried.
    pub(super) behind: u64,
    pub(super) usage: Option<Shares>,
}

impl Worker {
    /// Does this thread's share.
    pub(super) async fn run(mut self) -> std::io::Result<Share> {
        let mut share = Share::new();
        let mut stage = self.stage.clone();
        let connections = tokio::select! {
            connections = connect(&self, &mut share) => connections,
            _ = stage.wait_for(|stage| matches!(stage, Stage::Abort)) => return Ok(share),
        };
        let _ = self.ready.send((self.thread, connections.len()));
        let stage = self.stage.wait_for(|stage| !matches!(stage, Stage::Connect)).await;
        let stage = stage.map_or(Stage::Abort, |stage| stage.clone());
        if let Stage::Load { clock, places } = stage {
            self.load(&clock, &places, connections, &mut share).await?;
        }
        Ok(share)
    }

    /// Loads the server.
    async fn load(
        &mut self,
        clock: &Arc<Clock>,
        places: &Places,
        opened: Vec<(Body, Opened)>,
        share: &mut Share,
    ) -> std::io::Result<()> {
        let Plan { rate, depth, replies, .. } = *self.plan;
        let mut bells = Bells::default();
        let mut tasks = JoinSet::new();
        for ((body, opened), place) in opened.into_iter().zip(places.of(self.thread)) {
            let pace = rate.map(|rate| Pace::new(rate, *place, places.count()));
            let exchange = Exchange::new(pace, depth, replies);
            let (clock, recorder) = (clock.clone(), self.recorder.clone());
            let connection = Connection::new(opened, body, exchange, replies, clock, recorder);
            tasks.spawn(connection.run(bells.add(pace)));
        }
        let alarm = Alarm::new()?;
        let mut begin = None;
        let mut finished = vec![];
        loop {
            let now = clock.now();
            if now >= clock.from() {
                begin.get_or_insert_with(Usage::now);
            }
            if now >= clock.until() && share.usage.is_none() {
                share.usage = begin.map(|begin| Usage::now().since(&begin));
            }
            bells.ring(now, clock);
            let next = bells.next(clock);
            let next = if begin.is_none() { next.min(clock.from()) } else { next };
            tokio::select! {
                biased;
                // Who was woken has a turn.
                () = tokio::task::yield_now(), if next <= now => {}
                task = tasks.join_next() => match task {
                    Some(task) => finished.extend(share.took(task)),
                    None => break,
                },
                rung = alarm.wait(next.saturating_sub(now)), if next > now => rung?,
                changed = self.stage.changed() => {
                    if changed.is_err() || matches!(*self.stage.borrow(), Stage::Abort) {
                        return Ok(());
                    }
                }
            }
        }
        if share.usage.is_none() {
            share.usage = begin.map(|begin| Usage::now().since(&begin));
        }
        leave(finished, replies, share).await;
        Ok(())
    }
}

/// Opens this thread's connections.
async fn connect(worker: &Worker, share: &mut Share) -> Vec<(Body, Opened)> {
    let Worker { plan, target, board, thread, .. } = worker;
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut attempts = JoinSet::new();
    let start = Instant::now();
    for place in 0..plan.connections_of(*thread) {
        // As for messages, connections of all threads take turns.
        let number = place * plan.threads + thread;
        let due =
            plan.connect_rate.map(|rate| start + Duration::from_secs_f64(number as f64 / rate));
        let (plan, target, turns) = (plan.clone(), target.clone(), turns.clone());
        let body = worker.body.of(number as u64 + 1);
        let probe = worker.body.of(PROBE);
        attempts.spawn(async move {
            let _turn = match due {
                Some(due) => {
                    tokio::time::sleep_until(due.into()).await;
                    None
                }
                None => turns.acquire_owned().await.ok(),
            };
            let start = due.unwrap_or_else(Instant::now);
            let opened = target.open(&plan, &probe).await;
            opened.map(|opened| (body, opened, start.elapsed()))
        });
    }
    let mut connections = vec![];
    while let Some(attempt) = attempts.join_next().await {
        match share.tried(attempt) {
            Some((body, opened, time)) => {
                board.opened.fetch_add(1, Ordering::Relaxed);
                share.connecting.saturating_record(nanoseconds(time));
                connections.push((body, opened));
            }
            None => {
                board.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    connections
}

/// Ends the connections that are left, and counts what has become of all.
async fn leave(finished: Vec<Finished>, replies: bool, share: &mut Share) {
    let mut goodbyes = JoinSet::new();
    for Finished { mut opened, end, unanswered, behind } in finished {
        share.unanswered += unanswered;
        share.behind += behind;
        match end {
            Some(end) => share.ended(end, replies),
            None => {
                goodbyes.spawn(async move {
                    opened.client.disconnect().await;
                    opened.inbox.rest().await
                });
            }
        }
    }
    for end in goodbyes.join_all().await.into_iter().flatten() {
        share.unsent += if replies { 0 } else { end.unsent };
    }
}

impl Share {
    fn new() -> Self {
        Self {
            connecting: histogram(),
            failures: BTreeMap::new(),
            endings: BTreeMap::new(),
            unanswered: 0,
            unsent: 0,
            behind: 0,
            usage: None,
        }
    }

    /// Takes what an attempt has brought, or counts why it has failed.
    fn tried<T>(&mut self, attempt: Result<Result<T, Failure>, JoinError>) -> Option<T> {
        let (kind, words) = match attempt {
            Ok(Ok(opened)) => return Some(opened),
            Ok(Err(Failure { kind, words, .. })) => (kind, words),
            Err(error) => (PANICKED, panicked(&error)),
        };
        self.failures.entry(kind).or_insert((0, words)).0 += 1;
        None
    }

    /// Takes what is left of a connection, or counts that nothing is.
    fn took<T>(&mut self, task: Result<T, JoinError>) -> Option<T> {
        task.inspect_err(|error| {
            let end = (0, panicked(error));
            self.endings.entry(PANICKED.to_owned()).or_insert(end).0 += 1;
        })
        .ok()
    }

    /// Counts a connection that the load has outlived.
    fn ended(&mut self, end: End, replies: bool) {
        self.unsent += if replies { 0 } else { end.unsent };
        self.endings.entry(end.reason).or_insert((0, end.words)).0 += 1;
    }
}

/// Why a task has left nothing: it has panicked, as nobody aborts one whose end is waited for.
fn panicked(error: &JoinError) -> String {
    format!("this program failed: {error}")
}

/// The kind of such a failure or end.
const PANICKED: &str = "panicked";

/// Connections that a thread opens at once, where no rate says when.
const AT_ONCE: usize = 32;

/// The connection of messages that only try whether a server answers.
const PROBE: u64 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_panicked_is_counted() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = || runtime.block_on(runtime.spawn(async { panic!("on purpose") })).unwrap_err();
        let mut share = Share::new();
        assert_eq!(share.took::<()>(Err(error())), None);
        assert_eq!(share.took(Ok(1)), Some(1));
        for _ in 0..2 {
            assert_eq!(share.tried::<()>(Err(error())), None);
        }
        assert_eq!(share.tried(Ok(Ok(1))), Some(1));
        let (count, words) = &share.endings["panicked"];
        assert_eq!(*count, 1);
        assert!(words.contains("on purpose"), "{words}");
        assert_eq!(share.failures["panicked"].0, 2);
    }
}
