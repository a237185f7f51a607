//! A server that is told to stop under load.

use std::path::Path;
use std::time::Duration;

use super::Report;
use super::stage::{Stage, wait_for_letters};
use crate::journal;
use crate::link::Side;
use crate::oracle::{self, Law};
use crate::peer::{Phase, Way};

/// Tells a server to stop, in the middle of letters to and from many clients. What it has accepted for sending
/// arrives, or is reported.
///
/// # Errors
///
/// What kept it from coming to its end.
pub async fn drain(program: &Path, way: Way, clients: u32, pace: u64) -> Result<Report, String> {
    let stage = Stage::new(program, way, clients, pace);
    let (mut server, port) = stage.server(0).await?;
    let client = stage.start(Side::Client, port)?;
    wait_for_letters("every client had letters", &client, 0, clients as usize).await?;
    wait_for_letters("every client had sent letters", &server, 0, clients as usize).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told_at = journal::now();
    server.tell(Phase::Leaving).await;
    let (status, there) = server.end().await?;
    let time = journal::now() - told_at;
    // What was on its way is in this host's memory.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let here = client.journal();
    drop(client);
    let verdict = oracle::judge(&there, &here, Law::Downwards);
    let mut violations = verdict.violations;
    if !status.success() {
        violations.push(format!("the server has ended with {status}"));
    }
    let words = format!(
        "{clients} clients ({way}), a letter every {pace} ms each way and client: {} letters of the \
         server and {} to it arrived, {} reported; it stops within {time} ms",
        oracle::delivered(&here),
        oracle::delivered(&there),
        verdict.unsent
    );
    Ok(Report { violations, words })
}
