//! What is measured of a client: round trips, a flood of messages each way, and memory.
//!
//! The server is the floor, whose messages begin with a letter that says what to do.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// Messages of a flood.
pub const FLOOD: usize = 200_000;

/// Further clients, whose memory is measured.
pub const CROWD: usize = 50;

/// Round trips within a time, of which the first part is a warm-up.
#[derive(Debug)]
pub struct RoundTrips {
    start: Instant,
    micros: Vec<f64>,
}

impl RoundTrips {
    pub fn start() -> Self {
        Self { start: Instant::now(), micros: vec![] }
    }

    pub fn is_over(&self) -> bool {
        self.start.elapsed() > WARM_UP + MEASURED
    }

    pub fn record(&mut self, sent: Instant) {
        let micros = sent.elapsed().as_secs_f64() * 1e6;
        if self.start.elapsed() > WARM_UP {
            self.micros.push(micros);
        }
    }

    fn quantile(&mut self, quantile: f64) -> f64 {
        self.micros.sort_by(f64::total_cmp);
        self.micros[(self.micros.len() as f64 * quantile) as usize]
    }
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Report(Map<String, Value>);

impl Report {
    pub fn round_trips(&mut self, mut trips: RoundTrips) {
        self.add("p50_us", trips.quantile(0.5));
        self.add("p99_us", trips.quantile(0.99));
    }

    /// Messages of a flood that began at `start` and is over.
    pub fn flood(&mut self, name: &str, start: Instant) {
        self.add(name, FLOOD as f64 / start.elapsed().as_secs_f64());
    }

    /// What [`CROWD`] clients have taken more than was taken before them.
    pub fn crowd(&mut self, memory_before: u64, threads_before: u64) {
        let memory = super::memory::resident() as f64 - memory_before as f64;
        self.add("bytes_each", memory / CROWD as f64);
        let threads = super::memory::threads() as f64 - threads_before as f64;
        self.add("threads_each", threads / CROWD as f64);
    }

    pub fn add(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Prints it, and ends the process without waiting for its connections.
    pub fn finish(self) -> ! {
        println!("{}", Value::Object(self.0));
        std::process::exit(0);
    }
}

/// A message of 64 bytes with this first letter.
pub fn message(first: char) -> String {
    format!("{first}{}", "x".repeat(63))
}

const WARM_UP: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_secs(1);
