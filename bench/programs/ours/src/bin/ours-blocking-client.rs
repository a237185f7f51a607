//! The blocking Engine.IO client, whose handler passes messages to the thread that waits: `PORT`.

use std::error::Error;
use std::sync::mpsc;
use std::time::Instant;

use heartwire::blocking::engineio::Client;
use heartwire::engineio::{self, Transport};
use trial::client::{CROWD, FLOOD, Report, RoundTrips, message};
use trial::memory;

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("a port")?;
    let connect = |client: &Client| {
        let builder = engineio::Client::builder(format!("http://127.0.0.1:{port}"));
        client.connect_with(builder.transports([Transport::WebSocket]))
    };
    let mut report = Report::default();
    let client = Client::new();
    let (messages, received) = mpsc::channel();
    client.on_message(move |_, message| messages.send(message).expect("the main thread lives"));
    connect(&client)?;

    let (resident, threads) = (memory::resident(), memory::threads());
    let crowd: Vec<_> = (0..CROWD).map(|_| Client::new()).collect();
    for client in &crowd {
        client.on_message(|_, _| {});
        connect(client)?;
    }
    report.crowd(resident, threads);
    crowd.iter().for_each(Client::disconnect);

    let echo = message('e');
    let mut trips = RoundTrips::start();
    while !trips.is_over() {
        let sent = Instant::now();
        client.send(&*echo)?;
        let answer = received.recv()?;
        trips.record(sent);
        assert_eq!(answer.as_text(), Some(&*echo));
    }
    report.round_trips(trips);

    let counted = message('S');
    let start = Instant::now();
    for _ in 0..FLOOD {
        client.send(&*counted)?;
    }
    client.send("C")?;
    assert_eq!(received.recv()?.as_text(), Some(&*FLOOD.to_string()));
    report.flood("send", start);

    let start = Instant::now();
    client.send(format!("F{FLOOD}"))?;
    for _ in 0..FLOOD {
        assert_eq!(received.recv()?.len(), 64);
    }
    assert_eq!(received.recv()?.as_text(), Some("D"));
    report.flood("receive", start);
    report.finish()
}
