//! What this process takes.

use std::fs;

/// Bytes of memory that are resident.
pub fn resident() -> u64 {
    let kilobytes = status("/proc/self/status", "VmRSS:");
    kilobytes.expect("the kernel tells kilobytes") * 1024
}

/// Threads.
pub fn threads() -> u64 {
    status("/proc/self/status", "Threads:").expect("the kernel tells threads")
}

/// How often threads of this process have waited for something.
pub fn waits() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("the kernel tells threads").flatten();
    tasks
        .filter_map(|task| {
            let path = task.path().join("status");
            status(path.to_str()?, "voluntary_ctxt_switches:")
        })
        .sum()
}

fn status(path: &str, name: &str) -> Option<u64> {
    let status = fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
