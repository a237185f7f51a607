//! A network of its own: nothing but a loopback interface, with the congestion control that most systems have.
//!
//! On the network of the machine there is other traffic, and its congestion control may be one that paces: then a
//! flood behind a few small messages measures how long it takes to trust the connection.

use std::env;
use std::error::Error;
use std::process::Command;

/// Whether this process is in a network of its own.
pub(crate) fn is_own() -> bool {
    env::var_os(OWN).is_some()
}

/// Runs this program once more, in a network of its own, with as many open files as the system grants. `None` where
/// the system does not let programs have networks.
///
/// # Errors
///
/// It cannot be started, or has failed.
pub(crate) fn enter() -> Result<Option<()>, Box<dyn Error>> {
    let unshare = |command: &mut Command| {
        command.args(["--map-root-user", "--net", "sh", "-c", SETUP]);
    };
    let mut trial = Command::new("unshare");
    unshare(&mut trial);
    if !trial.arg("true").output().is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let mut again = Command::new("unshare");
    unshare(&mut again);
    let status =
        again.arg(env::current_exe()?).args(env::args_os().skip(1)).env(OWN, "1").status()?;
    if status.success() { Ok(Some(())) } else { Err("not everything could be measured".into()) }
}

/// Says that this process is in a network of its own.
const OWN: &str = "HEARTWIRE_BENCH_NETWORK";

/// Ends as the program whose command line is `$0` and what follows.
const SETUP: &str = "set -e; ip link set lo up; \
    echo cubic > /proc/sys/net/ipv4/tcp_congestion_control; \
    ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\"";
