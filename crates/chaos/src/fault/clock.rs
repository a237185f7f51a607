//! Clocks that are set while peers talk: an hour and ten years, forwards and back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Report;
use super::stage::{HEARTBEAT, Stage, ends, mark, wait_for_letters};
use crate::link::Side;
use crate::oracle::{self, Law};
use crate::peer::{Phase, Way};
use crate::program::wait_for;

/// Sets the clocks of both sides, one jump after the other. Nothing may happen.
///
/// `library` is libfaketime's, which answers for the clock.
///
/// # Errors
///
/// What kept it from coming to its end.
pub async fn jump(program: &Path, way: Way, library: &Path) -> Result<Report, String> {
    let said = |error: std::io::Error| error.to_string();
    let file = std::env::temp_dir().join(format!("heartwire-clock-{}-{way}", std::process::id()));
    fs::write(&file, "+0").map_err(said)?;
    let _removed = Removed(&file);
    let mut stage = Stage::new(program, way, 2, 40);
    stage.environment = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", Path::new("1")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
    ]
    .map(|(name, value)| (name.to_owned(), value.display().to_string()))
    .to_vec();
    let (mut server, port) = stage.server(0).await?;
    let mut client = stage.start(Side::Client, port)?;
    let clients = stage.clients as usize;
    wait_for_letters("letters came", &client, 0, clients).await?;
    for jump in JUMPS {
        fs::write(&file, jump).map_err(said)?;
        // A ping, and the time that it has: whoever goes by this clock ends the session now.
        tokio::time::sleep(Duration::from_millis(HEARTBEAT * 3 / 2)).await;
        let goal = format!("letters came after {jump}");
        wait_for_letters(&goal, &client, mark(&client), clients).await?;
        wait_for_letters(&goal, &server, mark(&server), clients).await?;
    }
    let ended = ends(&server, 0).len() + ends(&client, 0).len();
    server.tell(Phase::Quiet).await;
    client.tell(Phase::Quiet).await;
    let settled = || server.look(|there| client.look(|here| oracle::is_settled(there, here)));
    wait_for("everything had arrived", || settled().then_some(())).await?;
    client.tell(Phase::Leaving).await;
    let (_, here) = client.end().await?;
    server.tell(Phase::Leaving).await;
    let (_, there) = server.end().await?;
    let mut violations = oracle::judge(&there, &here, Law::Whole).violations;
    if ended > 0 {
        violations.push(format!("{ended} sessions have ended"));
    }
    let words = format!("clocks set by {} ({way}): {ended} disconnects", JUMPS.join(", "));
    Ok(Report { violations, words })
}

/// Removes a file when it is dropped.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Where clocks stand, against the right time.
const JUMPS: [&str; 5] = ["+1h", "-1h", "+10y", "-10y", "+0"];
