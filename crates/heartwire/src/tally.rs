//! Counters for what happens often: each thread counts in memory of its own, and whoever asks adds up.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// `N` counters.
pub(crate) struct Tally<const N: usize> {
    lanes: Box<[Lane<N>]>,
}

/// The counters of one thread, away from those of others.
#[repr(align(128))]
struct Lane<const N: usize>([AtomicU64; N]);

impl<const N: usize> Tally<N> {
    pub(crate) fn new() -> Self {
        let lane = || Lane(std::array::from_fn(|_| AtomicU64::new(0)));
        Self { lanes: (0..=LANES).map(|_| lane()).collect() }
    }

    /// Adds to each counter.
    #[inline]
    pub(crate) fn add(&self, counts: [u64; N]) {
        let lane = OWN.try_with(Number::get).unwrap_or(LANES);
        for (counter, count) in self.lanes[lane].0.iter().zip(counts) {
            if lane == LANES {
                counter.fetch_add(count, Ordering::Relaxed);
            } else {
                // Nobody else writes here, so that no locked instruction is needed.
                counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
            }
        }
    }

    /// What has been counted.
    pub(crate) fn sum(&self) -> [u64; N] {
        let read = |lane: &Lane<N>, index: usize| lane.0[index].load(Ordering::Relaxed);
        std::array::from_fn(|index| self.lanes.iter().map(|lane| read(lane, index)).sum())
    }
}

/// The lane of a thread, for as long as it lives. Threads that find none left share one.
struct Number(Cell<Option<usize>>);

impl Number {
    fn get(&self) -> usize {
        match self.0.get() {
            Some(lane) => lane,
            None => {
                let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
                let lane = free.take();
                self.0.set(Some(lane));
                lane
            }
        }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        if let Some(lane) = self.0.get().filter(|lane| *lane < LANES) {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).0 |= 1 << lane;
        }
    }
}

/// The lanes that no thread has, one a bit.
struct Free(u64);

impl Free {
    fn take(&mut self) -> usize {
        let lane = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        lane as usize
    }
}

static FREE: Mutex<Free> = Mutex::new(Free(u64::MAX));

thread_local! {
    static OWN: Number = const { Number(Cell::new(None)) };
}

/// Lanes for threads; the one behind them is for all others.
const LANES: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_among_more_threads_than_lanes() {
        let tally = Tally::<2>::new();
        let barrier = std::sync::Barrier::new(100);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    tally.add([1, 0]);
                    barrier.wait(); // so that all live at once
                    for _ in 0..1000 {
                        tally.add([1, 2]);
                    }
                });
            }
        });
        assert_eq!(tally.sum(), [100_100, 200_000]);
    }

    #[test]
    fn lanes_are_used_again() {
        let tally = Tally::<1>::new();
        for _ in 0..200 {
            std::thread::scope(|scope| {
                scope.spawn(|| tally.add([1]));
            });
        }
        assert_eq!(tally.sum(), [200]);
        let shared = tally.lanes[LANES].0[0].load(Ordering::Relaxed);
        assert_eq!(shared, 0, "a thread at a time needs no lane of others");
    }
}
