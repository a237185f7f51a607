//! Another process, as the kernel sees it.

use std::fs;
use std::time::Duration;

/// Another process.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    /// The time on a processor of all threads that live.
    pub fn processor_time(self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0)).expect("the server lives");
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .map(|line| {
                let time = line.split(' ').next().and_then(|time| time.parse().ok());
                Duration::from_nanos(time.expect("the kernel counts nanoseconds"))
            })
            .sum()
    }

    /// Bytes of memory that are resident.
    pub fn memory(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0));
        let status = status.expect("the server lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        size.expect("the kernel tells kilobytes") * 1024
    }
}
