//! rust_engineio's clients: `async|blocking PORT`.

use std::error::Error;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use rust_engineio::{Client, ClientBuilder, Packet, PacketId, asynchronous};
use trial::client::{CROWD, FLOOD, Report, RoundTrips, message};
use trial::memory;
use url::Url;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [kind, port] = &*args else { return Err("async|blocking PORT".into()) };
    let url = Url::parse(&format!("http://127.0.0.1:{port}/engine.io/"))?;
    match &**kind {
        "async" => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(asynchronously(url)),
        "blocking" => blocking(url),
        other => Err(format!("async or blocking, not {other}").into()),
    }
}

async fn asynchronously(url: Url) -> Result<(), Box<dyn Error>> {
    let connect = async || {
        let client = asynchronous::ClientBuilder::new(url.clone()).build_websocket().await?;
        client.connect().await?;
        Ok::<_, rust_engineio::Error>(client)
    };
    let mut report = Report::default();
    let mut client = connect().await?;
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
        client.emit(packet(&echo)).await?;
        let answer = receive(&mut client).await?;
        trips.record(sent);
        assert_eq!(answer, echo);
    }
    report.round_trips(trips);

    let counted = message('S');
    let start = Instant::now();
    for _ in 0..FLOOD {
        client.emit(packet(&counted)).await?;
    }
    client.emit(packet("C")).await?;
    assert_eq!(receive(&mut client).await?, FLOOD.to_string());
    report.flood("send", start);

    let start = Instant::now();
    client.emit(packet(&format!("F{FLOOD}"))).await?;
    for _ in 0..FLOOD {
        assert_eq!(receive(&mut client).await?.len(), 64);
    }
    assert_eq!(receive(&mut client).await?, "D");
    report.flood("receive", start);
    report.finish()
}

async fn receive(client: &mut asynchronous::Client) -> Result<Bytes, Box<dyn Error>> {
    loop {
        let packet = client.next().await.ok_or("the connection has ended")??;
        if packet.packet_id == PacketId::Message {
            return Ok(packet.data);
        }
    }
}

fn blocking(url: Url) -> Result<(), Box<dyn Error>> {
    let connect = || {
        let client = ClientBuilder::new(url.clone()).build_websocket()?;
        client.connect()?;
        Ok::<_, rust_engineio::Error>(client)
    };
    let mut report = Report::default();
    let client = connect()?;
    let (resident, threads) = (memory::resident(), memory::threads());
    let crowd = (0..CROWD).map(|_| connect()).collect::<Result<Vec<_>, _>>()?;
    report.crowd(resident, threads);
    drop(crowd);

    let echo = message('e');
    let mut trips = RoundTrips::start();
    while !trips.is_over() {
        let sent = Instant::now();
        client.emit(packet(&echo))?;
        let answer = poll(&client)?;
        trips.record(sent);
        assert_eq!(answer, echo);
    }
    report.round_trips(trips);

    let counted = message('S');
    let start = Instant::now();
    for _ in 0..FLOOD {
        client.emit(packet(&counted))?;
    }
    client.emit(packet("C"))?;
    assert_eq!(poll(&client)?, FLOOD.to_string());
    report.flood("send", start);

    let start = Instant::now();
    client.emit(packet(&format!("F{FLOOD}")))?;
    for _ in 0..FLOOD {
        assert_eq!(poll(&client)?.len(), 64);
    }
    assert_eq!(poll(&client)?, "D");
    report.flood("receive", start);
    report.finish()
}

fn poll(client: &Client) -> Result<Bytes, Box<dyn Error>> {
    loop {
        let packet = client.poll()?.ok_or("the connection has ended")?;
        if packet.packet_id == PacketId::Message {
            return Ok(packet.data);
        }
    }
}

fn packet(text: &str) -> Packet {
    Packet::new(PacketId::Message, Bytes::copy_from_slice(text.as_bytes()))
}
