//! The time that is measured: after a warm-up, and no longer than was asked for.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::args::Args;
use crate::process::Process;

/// The time that is measured.
pub struct Window {
    server: Process,
    seconds: Duration,
    stage: Stage,
    latencies: Histogram<u64>,
    count: u64,
}

enum Stage {
    WarmUp { until: Instant },
    Measuring { since: Instant, server: Duration, own: Duration },
}

impl Window {
    pub fn open(args: &Args) -> Self {
        Self {
            server: Process(args.process),
            seconds: args.seconds,
            stage: Stage::WarmUp { until: Instant::now() + args.warm_up },
            latencies: Histogram::new_with_max(60_000_000_000, 3).expect("valid bounds"),
            count: 0,
        }
    }

    /// Moves time forward. Says whether to go on.
    pub fn is_open(&mut self, now: Instant) -> bool {
        match self.stage {
            Stage::WarmUp { until } => {
                if now >= until {
                    (self.count, self.stage) = (
                        0,
                        Stage::Measuring {
                            since: now,
                            server: self.server.processor_time(),
                            own: own_time(),
                        },
                    );
                    self.latencies.clear();
                }
                true
            }
            Stage::Measuring { since, .. } => now < since + self.seconds,
        }
    }

    /// Counts `count` answers that took `latency` each.
    #[inline]
    pub fn record(&mut self, latency: Duration, count: u64) {
        self.count += count;
        self.latencies.saturating_record_n(latency.as_nanos() as u64, count);
    }

    pub fn report(self) -> Value {
        let Stage::Measuring { since, server, own } = self.stage else {
            panic!("the run has ended in its warm-up");
        };
        assert!(self.count > 0, "nothing was answered");
        let elapsed = since.elapsed().as_secs_f64();
        let server = (self.server.processor_time() - server).as_secs_f64();
        let own = (own_time() - own).as_secs_f64();
        let micros = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1e3;
        json!({
            "rate": self.count as f64 / elapsed,
            "p50_us": micros(0.5),
            "p99_us": micros(0.99),
            "cpu_us": server * 1e6 / self.count as f64,
            "server_busy": server / elapsed,
            "load_busy": own / elapsed,
        })
    }
}

fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
