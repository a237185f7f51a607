//! Where a run's decisions come from: a seed, or bytes that somebody has chosen.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use fastrand::Rng;

/// Decides, and always the same way.
#[derive(Clone)]
pub(crate) struct Chance {
    seed: u64,
    rng: Rng,
    /// What decides before the seed does, the last byte first.
    chosen: Vec<u8>,
}

impl Chance {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self { seed, rng: Rng::with_seed(seed), chosen: vec![] }
    }

    /// Lets bytes decide, from the first to the last, and a seed when none are left.
    pub(crate) fn with_bytes(bytes: &[u8]) -> Self {
        Self { chosen: bytes.iter().rev().copied().collect(), ..Self::with_seed(0) }
    }

    /// What decides the rest of a run when its plan is made. A seed starts anew, so that a change of
    /// the plan does not change everything; bytes go on.
    pub(crate) fn rest(self) -> Self {
        if self.chosen.is_empty() {
            Self { rng: Rng::with_seed(self.seed ^ 0x5851_f42d_4c95_7f2d), ..self }
        } else {
            self
        }
    }

    pub(crate) fn bool(&mut self) -> bool {
        if self.chosen.is_empty() { self.rng.bool() } else { self.choose(0, 1) == 1 }
    }

    pub(crate) fn u8(&mut self, range: impl RangeBounds<u8>) -> u8 {
        if self.chosen.is_empty() {
            return self.rng.u8(range);
        }
        let (least, most) = ends(&range, u64::from(u8::MAX));
        self.choose(least, most) as u8
    }

    pub(crate) fn u32(&mut self, range: impl RangeBounds<u32>) -> u32 {
        if self.chosen.is_empty() {
            return self.rng.u32(range);
        }
        let (least, most) = ends(&range, u64::from(u32::MAX));
        self.choose(least, most) as u32
    }

    pub(crate) fn u64(&mut self, range: impl RangeBounds<u64>) -> u64 {
        if self.chosen.is_empty() {
            return self.rng.u64(range);
        }
        let (least, most) = ends(&range, u64::MAX);
        self.choose(least, most)
    }

    pub(crate) fn usize(&mut self, range: impl RangeBounds<usize>) -> usize {
        if self.chosen.is_empty() {
            return self.rng.usize(range);
        }
        let ends =
            (range.start_bound().map(|&end| end as u64), range.end_bound().map(|&end| end as u64));
        let (least, most) = self::ends(&ends, usize::MAX as u64);
        self.choose(least, most) as usize
    }

    /// Takes as many bytes as the range needs.
    fn choose(&mut self, least: u64, most: u64) -> u64 {
        let width = most - least;
        let (mut value, mut left) = (0_u64, width);
        while left > 0 {
            value = value << 8 | u64::from(self.chosen.pop().unwrap_or(0));
            left >>= 8;
        }
        match width.checked_add(1) {
            Some(count) => least + value % count,
            None => value,
        }
    }
}

/// The least and the most of a range that is not empty.
fn ends<T: Copy + Into<u64>>(range: &impl RangeBounds<T>, max: u64) -> (u64, u64) {
    let least = match range.start_bound() {
        Bound::Included(&least) => least.into(),
        Bound::Excluded(&below) => below.into() + 1,
        Bound::Unbounded => 0,
    };
    let most = match range.end_bound() {
        Bound::Included(&most) => most.into(),
        Bound::Excluded(&above) => above.into() - 1,
        Bound::Unbounded => max,
    };
    (least, most)
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.chosen.is_empty() {
            write!(f, "seed {}", self.seed)
        } else {
            write!(f, "{} bytes", self.chosen.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_until_there_are_none() {
        let mut chance = Chance::with_bytes(&[1, 7, 2, 1, 0, 5]);
        assert!(chance.bool());
        assert_eq!(chance.u8(..8), 7);
        assert_eq!(chance.usize(1..=3), 3);
        assert_eq!(chance.u64(10..310), 10 + 256);
        assert_eq!(chance.u8(5..6), 5, "there is no choice, and no byte is taken");
        assert_eq!(chance.u8(..5), 0);
        let mut seed = Chance::with_seed(0);
        assert_eq!(chance.u64(..), seed.u64(..));
        assert_eq!(chance.u32(..), seed.u32(..));
    }

    #[test]
    fn seeds_decide_as_they_always_did() {
        let (mut chance, mut rng) = (Chance::with_seed(9), Rng::with_seed(9));
        for _ in 0..100 {
            assert_eq!(chance.u8(..40), rng.u8(..40));
            assert_eq!(chance.usize(3..70), rng.usize(3..70));
            assert_eq!(chance.bool(), rng.bool());
        }
    }
}
