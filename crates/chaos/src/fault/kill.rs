//! `kill -9` of servers and clients under traffic.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;

use super::Report;
use super::stage::{HEARTBEAT, Stage, ends, mark, wait_for_letters};
use crate::journal;
use crate::link::Side;
use crate::oracle::{self, Law};
use crate::peer::{Phase, Way};
use crate::program::wait_for;

/// Kills a server `times` times, under the letters of `clients` clients, each time in the middle of things, and
/// starts another in its place.
///
/// # Errors
///
/// What kept it from coming to its end.
pub async fn servers(
    program: &Path,
    way: Way,
    clients: u32,
    times: u32,
    seed: u64,
) -> Result<Report, String> {
    let stage = Stage::new(program, way, clients, u64::from(clients).max(10));
    let mut rng = Rng::with_seed(seed);
    let (mut server, port) = stage.server(0).await?;
    let mut client = stage.start(Side::Client, port)?;
    let mut there = vec![];
    let (mut restart, mut news, mut back) = (0, 0, 0);
    for _ in 0..times {
        let all = clients as usize;
        wait_for_letters("every client had letters", &client, mark(&client), all).await?;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..100))).await;
        let before = mark(&client);
        let killed_at = journal::now();
        server.signal(Signal::KILL).map_err(|error| error.to_string())?;
        there.extend(server.end().await?.1);
        let dead_at = journal::now();
        (server, _) = stage.server(port).await?;
        restart = restart.max(journal::now() - dead_at);
        let told = || (ends(&client, before).len() >= all).then(|| ends(&client, before));
        let told = wait_for("every client knew that the server was gone", told).await?;
        news = news.max(told.iter().max().map_or(0, |at| at.saturating_sub(killed_at)));
        wait_for_letters("every client was back", &server, 0, all).await?;
        back = back.max(journal::now() - killed_at);
    }
    server.tell(Phase::Quiet).await;
    client.tell(Phase::Quiet).await;
    let settled = || server.look(|there| client.look(|here| oracle::is_settled(there, here)));
    // Letters that died with a server are missed for ever; of the last, none are.
    let _ = tokio::time::timeout(Duration::from_secs(2), wait_for("", || settled().then_some(())))
        .await;
    client.tell(Phase::Leaving).await;
    let (_, here) = client.end().await?;
    server.tell(Phase::Leaving).await;
    there.extend(server.end().await?.1);
    let verdict = oracle::judge(&there, &here, Law::Killed);
    let words = format!(
        "{times} kills of a server with {clients} clients ({way}): {} letters sent, {} arrived, {} \
         reported; it listens again after {restart} ms at most, clients know after {news} ms, all \
         are back after {back} ms",
        verdict.accepted, verdict.delivered, verdict.unsent
    );
    Ok(Report { violations: verdict.violations, words })
}

/// Kills processes of `clients` clients each, `times` times. The server has to notice.
///
/// # Errors
///
/// What kept it from coming to its end.
pub async fn clients(
    program: &Path,
    way: Way,
    clients: u32,
    times: u32,
    seed: u64,
) -> Result<Report, String> {
    let stage = Stage::new(program, way, clients, 20);
    let mut rng = Rng::with_seed(seed);
    let (mut server, port) = stage.server(0).await?;
    let all = clients as usize;
    let mut here = vec![];
    let mut news = 0;
    for _ in 0..times {
        let before = mark(&server);
        let client = stage.start(Side::Client, port)?;
        wait_for_letters("every client had sent letters", &server, before, all).await?;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..50))).await;
        let before = mark(&server);
        let killed_at = journal::now();
        client.signal(Signal::KILL).map_err(|error| error.to_string())?;
        here.extend(client.end().await?.1);
        let told = || (ends(&server, before).len() >= all).then(|| ends(&server, before));
        let told = wait_for("the server knew that its clients were gone", told).await?;
        news = news.max(told.iter().max().map_or(0, |at| at.saturating_sub(killed_at)));
    }
    server.tell(Phase::Leaving).await;
    let (_, there) = server.end().await?;
    let verdict = oracle::judge(&there, &here, Law::Killed);
    let total = times * clients;
    let words = format!(
        "{total} kills of clients, {clients} at a time ({way}): {} letters arrived; the server knows \
         after {news} ms at most, or {} heartbeats",
        verdict.delivered,
        news.div_ceil(HEARTBEAT)
    );
    Ok(Report { violations: verdict.violations, words })
}
