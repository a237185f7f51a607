//! The async Engine.IO client: `PORT`.

use std::error::Error;
use std::time::Instant;

use heartwire::engineio::client::{Client, Event};
use heartwire::engineio::{Message, Transport};
use trial::client::{CROWD, FLOOD, Report, RoundTrips, message};
use trial::memory;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(std::env::args().nth(1).ok_or("a port")?))
}

async fn run(port: String) -> Result<(), Box<dyn Error>> {
    let connect = || {
        let client = Client::builder(format!("http://127.0.0.1:{port}"));
        client.transports([Transport::WebSocket]).connect()
    };
    let mut report = Report::default();
    let client = connect().await?;

    let (resident, threads) = (memory::resident(), memory::threads());
    let mut crowd = vec![];
    for _ in 0..CROWD {
        crowd.push(connect().await?);
    }
    report.crowd(resident, threads);
    drop(crowd);

    let echo = message('e');
    let mut trips = RoundTrips::start();
    while !trips.is_over() {
        let sent = Instant::now();
        client.send(&*echo).await?;
        let answer = receive(&client).await;
        trips.record(sent);
        assert_eq!(answer.as_text(), Some(&*echo));
    }
    report.round_trips(trips);

    let counted = message('S');
    let start = Instant::now();
    for _ in 0..FLOOD {
        client.send(&*counted).await?;
    }
    client.send("C").await?;
    assert_eq!(receive(&client).await.as_text(), Some(&*FLOOD.to_string()));
    report.flood("send", start);

    let start = Instant::now();
    client.send(format!("F{FLOOD}")).await?;
    for _ in 0..FLOOD {
        assert_eq!(receive(&client).await.len(), 64);
    }
    assert_eq!(receive(&client).await.as_text(), Some("D"));
    report.flood("receive", start);
    report.finish()
}

async fn receive(client: &Client) -> Message {
    loop {
        match client.next().await {
            Some(Event::Message(message)) => return message,
            Some(Event::Disconnected(disconnected)) => panic!("{disconnected}"),
            Some(_) => {}
            None => panic!("the connection has ended"),
        }
    }
}
