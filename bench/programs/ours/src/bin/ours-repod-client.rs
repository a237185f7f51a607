//! The blocking repod client: `PORT`.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use heartwire::blocking::repod::Client;
use serde::{Deserialize, Serialize};
use trial::client::{CROWD, Report, RoundTrips};
use trial::memory;

#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Echo<'a> {
    action: &'a str,
    d: &'a str,
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("a port")?.parse()?;
    let connect = || {
        let client = Client::new("127.0.0.1", port);
        client.start_background();
        let greeting = client.recv().expect("a greeting");
        assert_eq!(greeting.action(), "connected");
        client
    };
    let mut report = Report::default();
    let client = connect();

    let (resident, threads) = (memory::resident(), memory::threads());
    let crowd: Vec<_> = (0..CROWD).map(|_| connect()).collect();
    report.crowd(resident, threads);
    thread::sleep(Duration::from_millis(300));
    let waits = memory::waits();
    thread::sleep(IDLE);
    // This thread has waited once, for the time to pass.
    let waits = memory::waits() - waits - 1;
    report.add("idle_wakes_per_second", waits as f64 / IDLE.as_secs_f64() / (CROWD + 1) as f64);
    crowd.iter().for_each(Client::close);

    let echo = Echo { action: "e", d: &"x".repeat(48) };
    let mut trips = RoundTrips::start();
    while !trips.is_over() {
        let sent = Instant::now();
        client.send(&echo)?;
        let answer = client.recv().ok_or("the connection has ended")?;
        trips.record(sent);
        assert_eq!(answer.parse::<Echo<'_>>()?, echo);
    }
    report.round_trips(trips);
    report.finish()
}

const IDLE: Duration = Duration::from_secs(2);
