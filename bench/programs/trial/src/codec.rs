//! Nanoseconds of one call.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// What was measured, by name.
#[derive(Debug, Default)]
pub struct Times(Map<String, Value>);

impl Times {
    /// Calls `call` for some time. It handles `packets` packets, and the time is told for one.
    pub fn measure<T>(&mut self, name: &str, packets: u32, mut call: impl FnMut() -> T) {
        for _ in 0..1000 {
            black_box(call());
        }
        let (mut calls, start) = (0_u32, Instant::now());
        while start.elapsed() < MEASURED {
            for _ in 0..100 {
                black_box(call());
            }
            calls += 100;
        }
        let nanos = start.elapsed().as_nanos() as f64 / f64::from(calls) / f64::from(packets);
        self.0.insert(name.to_owned(), nanos.into());
    }

    pub fn print(self) {
        println!("{}", Value::Object(self.0));
    }
}

const MEASURED: Duration = Duration::from_millis(300);
