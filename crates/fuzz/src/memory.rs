//! Memory that something takes, counted and not measured.

/// What something has taken while it ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Bytes at most at once.
    pub(crate) peak: usize,
    /// Bytes in all: what is copied again and again counts each time.
    pub(crate) total: usize,
    /// Allocations.
    pub(crate) count: usize,
}

/// Runs something and counts what it takes from the heap, on this thread.
pub(crate) fn count<T>(run: impl FnOnce() -> T) -> (T, Taken) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(run()));
    let taken = Taken {
        peak: info.bytes_max as usize,
        total: info.bytes_total as usize,
        count: info.count_total as usize,
    };
    (result.unwrap(), taken)
}
