//! A peer that is stopped, for longer than a heartbeat allows, and goes on later.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::Report;
use super::stage::{Stage, ends, mark, wait_for_letters};
use crate::journal;
use crate::link::Side;
use crate::oracle::{self, Law};
use crate::peer::{Phase, Way};
use crate::program::wait_for;

/// Stops one side for `time`. The other side has to notice meanwhile, and both have to go on afterwards.
///
/// # Errors
///
/// What kept it from coming to its end.
pub async fn freeze(
    program: &Path,
    way: Way,
    side: Side,
    time: Duration,
) -> Result<Report, String> {
    let stage = Stage::new(program, way, 1, 40);
    let (mut server, port) = stage.server(0).await?;
    let mut client = stage.start(Side::Client, port)?;
    wait_for_letters("letters came", &client, 0, 1).await?;
    wait_for_letters("letters came", &server, 0, 1).await?;
    let (frozen, awake) = match side {
        Side::Server => (&server, &client),
        Side::Client => (&client, &server),
    };
    let before = mark(awake);
    let stopped_at = journal::now();
    let said = |error: std::io::Error| error.to_string();
    frozen.signal(Signal::STOP).map_err(said)?;
    // repod has no heartbeat: a kernel whose process is stopped still confirms what comes.
    let noticed = match way {
        Way::Repod => None,
        _ => {
            Some(wait_for("the other side noticed", || ends(awake, before).first().copied()).await)
        }
    };
    tokio::time::sleep(time.saturating_sub(Duration::from_millis(journal::now() - stopped_at)))
        .await;
    let (here, there) = (mark(&client), mark(&server));
    frozen.signal(Signal::CONT).map_err(said)?;
    wait_for_letters("letters came again", &client, here, 1).await?;
    wait_for_letters("letters came again", &server, there, 1).await?;
    server.tell(Phase::Quiet).await;
    client.tell(Phase::Quiet).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.tell(Phase::Leaving).await;
    let (_, here) = client.end().await?;
    server.tell(Phase::Leaving).await;
    let (_, there) = server.end().await?;
    // The kernel takes letters for a process that is stopped, which it may never read.
    let mut violations = oracle::judge(&there, &here, Law::Killed).violations;
    let after = match noticed {
        Some(Ok(at)) => format!("noticed after {} ms", at - stopped_at),
        Some(Err(error)) => {
            violations.push(error);
            "not noticed".to_owned()
        }
        None => "nothing to notice".to_owned(),
    };
    let words = format!("the {} stopped for {time:?} ({way}): {after}", side.name());
    Ok(Report { violations, words })
}
