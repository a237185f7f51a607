//! How many files, which connections are, the program may have open.

use super::plan::Plan;
use crate::exit::Exit;

/// Sees to it that the program may open what the plan needs. Returns how many files it may have open, where
/// there is a limit.
pub(super) fn make_room(plan: &Plan, per_connection: usize) -> Result<Option<u64>, Exit> {
    let Some(limit) = raise() else { return Ok(None) };
    check(plan.connections, per_connection, limit).map_err(Exit::Usage)?;
    Ok(Some(limit))
}

/// Whether so many connections can be opened.
fn check(connections: usize, per_connection: usize, limit: u64) -> Result<(), String> {
    let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(RESERVE);
    let possible = room / per_connection;
    if connections <= possible {
        return Ok(());
    }
    let each = if per_connection == 1 { "" } else { " of two files each, as they poll," };
    Err(format!(
        "{connections} connections{each} are too many: the program may have {limit} files open, enough \
         for {possible} connections. The system allows no more (see ulimit -Hn)"
    ))
}

/// Raises the limit as far as the system allows, and returns it, if there is one.
#[cfg(unix)]
fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Some systems allow less than they say: then the limit is what it was.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    match raised {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

#[cfg(not(unix))]
fn raise() -> Option<u64> {
    None
}

/// Files that are no connections of the load: those of the runtimes, and of sessions that are being opened.
const RESERVE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_possible_is_said() {
        assert_eq!(check(800, 1, 1000), Ok(()));
        assert_eq!(check(400, 2, 1000), Ok(()));
        let error = check(801, 1, 1000).unwrap_err();
        assert!(
            error.starts_with("801 connections are too many: the program may have 1000 files open")
        );
        assert!(error.contains("enough for 800 connections"), "{error}");
        assert!(check(401, 2, 1000).unwrap_err().contains("enough for 400 connections"));
        assert!(check(1, 1, 10).is_err());
    }
}
