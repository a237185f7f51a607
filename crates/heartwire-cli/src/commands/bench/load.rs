//! A load from its first connection to its last answer, with all its threads.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime;
use tokio::sync::{mpsc, watch};

use super::bells::Places;
use super::body::Body;
use super::clock::Clock;
use super::plan::Plan;
use super::processor::Shares;
use super::progress::{Moment, Progress};
use super::recorder::{Recorder, Window, histogram};
use super::target::Target;
use super::worker::{Board, Share, Stage, Worker};
use crate::exit::Exit;
use crate::termination::Termination;

/// What has become of a load.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Connections that were opened.
    pub(super) opened: usize,
    /// Time until all were.
    pub(super) connecting_time: Duration,
    /// Nanoseconds that each took.
    pub(super) connecting: Histogram<u64>,
    /// What kept connections from being opened: how often, and the first time in words.
    pub(super) failures: BTreeMap<&'static str, (u64, String)>,
    /// How connections have ended during the load: the same.
    pub(super) endings: BTreeMap<String, (u64, String)>,
    /// What was measured.
    pub(super) window: Window,
    pub(super) recorder: Recorder,
    pub(super) unanswered: u64,
    /// Messages that could not be sent any more, where there are no answers that would tell.
    pub(super) unsent: u64,
    /// Messages that were due and not even tried.
    pub(super) behind: u64,
    /// Of each thread.
    pub(super) usage: Vec<Shares>,
    pub(super) interrupted: bool,
}

/// Loads a server as planned. `None` when it was interrupted before anything was measured.
pub(super) async fn run(
    target: &Target,
    plan: &Plan,
    progress: &mut Progress,
    termination: &mut Termination,
) -> Result<Option<Outcome>, Exit> {
    let mut crew = Crew::start(target, plan)?;
    let start = Instant::now();
    let Some(connections) = crew.connect(plan, progress, termination).await else {
        crew.abort();
        return Ok(None);
    };
    let connecting_time = start.elapsed();
    if connections.iter().all(|count| *count == 0) {
        return Err(crew.nobody()?);
    }
    let until = plan.warm_up + plan.duration;
    let clock = Arc::new(Clock::start(plan.warm_up, until, plan.patience));
    let places = Arc::new(Places::new(&connections));
    crew.stage.send_replace(Stage::Load { clock: clock.clone(), places });
    let Some(interrupted) = crew.wait(&clock, plan, progress, termination).await else {
        crew.abort();
        return Ok(None);
    };
    // Where all connections were lost, there was nothing to measure after that.
    clock.stop();
    progress.clear();
    let (shares, recorder) = crew.finish()?;
    let mut outcome = Outcome {
        opened: connections.iter().sum(),
        connecting_time,
        connecting: histogram(),
        failures: BTreeMap::new(),
        endings: BTreeMap::new(),
        window: clock.window(),
        recorder,
        unanswered: 0,
        unsent: 0,
        behind: 0,
        usage: vec![],
        interrupted,
    };
    shares.into_iter().for_each(|share| outcome.add(share));
    Ok(Some(outcome))
}

impl Outcome {
    /// Right answers, or messages where there are no answers, in the time that was measured.
    pub(super) fn counted(&self, replies: bool) -> u64 {
        let recorder = &self.recorder;
        if replies { recorder.answered_measured } else { recorder.sent_measured }
    }

    fn add(&mut self, share: Share) {
        self.connecting.add(share.connecting).expect("both have the same bounds");
        for (kind, (count, words)) in share.failures {
            self.failures.entry(kind).or_insert((0, words)).0 += count;
        }
        for (reason, (count, words)) in share.endings {
            self.endings.entry(reason).or_insert((0, words)).0 += count;
        }
        self.unanswered += share.unanswered;
        self.unsent += share.unsent;
        self.behind += share.behind;
        self.usage.extend(share.usage);
    }
}

/// The threads of a load.
struct Crew {
    threads: Vec<thread::JoinHandle<io::Result<Share>>>,
    recorders: Vec<Arc<Mutex<Recorder>>>,
    board: Arc<Board>,
    stage: watch::Sender<Stage>,
    ready: mpsc::UnboundedReceiver<(usize, usize)>,
    /// Closed when all threads have ended.
    ended: mpsc::Receiver<()>,
}

impl Crew {
    fn start(target: &Target, plan: &Plan) -> Result<Self, Exit> {
        let (stage, stages) = watch::channel(Stage::Connect);
        let (readies, ready) = mpsc::unbounded_channel();
        let (working, ended) = mpsc::channel(1);
        let board = Arc::new(Board::default());
        let plan = Arc::new(plan.clone());
        let body = Body::new(plan.size, plan.binary);
        let mut crew = Self { threads: vec![], recorders: vec![], board, stage, ready, ended };
        let failed = |error| Exit::failed("cannot start threads", error);
        for thread in 0..plan.threads {
            let recorder = Arc::new(Mutex::new(Recorder::new()));
            crew.recorders.push(recorder.clone());
            let worker = Worker {
                thread,
                plan: plan.clone(),
                target: target.clone(),
                body: body.clone(),
                board: crew.board.clone(),
                recorder,
                stage: stages.clone(),
                ready: readies.clone(),
            };
            // One runtime a thread: a connection and who drives it stay together.
            let runtime =
                runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
            let working = working.clone();
            let run = move || {
                let _working = working;
                runtime.block_on(worker.run())
            };
            let thread = thread::Builder::new().name(format!("bench-{thread}")).spawn(run);
            crew.threads.push(thread.map_err(failed)?);
        }
        Ok(crew)
    }

    /// Waits until the connections are open: how many each thread has. `None` when it is interrupted.
    async fn connect(
        &mut self,
        plan: &Plan,
        progress: &mut Progress,
        termination: &mut Termination,
    ) -> Option<Vec<usize>> {
        let mut connections = vec![0; plan.threads];
        let mut missing = plan.threads;
        let mut ticks = progress.ticks();
        while missing > 0 {
            tokio::select! {
                ready = self.ready.recv() => {
                    let (thread, count) = ready?;
                    connections[thread] = count;
                    missing -= 1;
                }
                _ = ticks.tick() => {
                    let opened = self.board.opened.load(Ordering::Relaxed);
                    let failed = self.board.failed.load(Ordering::Relaxed);
                    progress.connecting(opened, failed, plan.connections);
                }
                _ = termination.wait() => return None,
            }
        }
        Some(connections)
    }

    /// Waits until all threads have ended, and says whether somebody has wanted it to be sooner. `None` when
    /// it is to be at once.
    async fn wait(
        &mut self,
        clock: &Clock,
        plan: &Plan,
        progress: &mut Progress,
        termination: &mut Termination,
    ) -> Option<bool> {
        let mut interrupted = false;
        let mut ticks = progress.ticks();
        loop {
            tokio::select! {
                _ = self.ended.recv() => return Some(interrupted),
                _ = ticks.tick() => progress.show(self.moment(clock), plan),
                _ = termination.wait() => {
                    if interrupted {
                        return None;
                    }
                    interrupted = true;
                    clock.stop();
                    // The threads look at the clock.
                    self.stage.send_modify(|_| {});
                }
            }
        }
    }

    fn moment(&self, clock: &Clock) -> Moment {
        let mut moment = Moment { now: clock.now(), window: clock.window(), ..Moment::default() };
        for recorder in &self.recorders {
            let recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            moment.sent += recorder.sent;
            moment.answered += recorder.answered;
            moment.wrong += recorder.wrong.count();
            moment.latency_sum += recorder.latency_sum;
        }
        moment
    }

    /// Why there is no connection at all.
    fn nobody(self) -> Result<Exit, Exit> {
        self.stage.send_replace(Stage::Abort);
        let (shares, _) = self.finish()?;
        let failures = shares.into_iter().flat_map(|share| share.failures.into_values());
        let words = failures.map(|(_, words)| words).next().unwrap_or_default();
        Ok(Exit::NotConnected(format!("no connection could be opened: {words}")))
    }

    /// Leaves the threads alone: the program ends.
    fn abort(self) {
        self.stage.send_replace(Stage::Abort);
    }

    fn finish(self) -> Result<(Vec<Share>, Recorder), Exit> {
        let mut shares = vec![];
        for thread in self.threads {
            let share = thread.join().map_err(|_| Exit::Failed("a thread panicked".to_owned()))?;
            shares.push(share.map_err(|error| Exit::failed("cannot wait", error))?);
        }
        let mut all = Recorder::new();
        for recorder in self.recorders {
            let recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(recorder.clone());
        }
        Ok((shares, all))
    }
}
