//! What happens to the packets of one direction: chances and times, and the dice that decide for each packet.

use std::time::{Duration, Instant};

use fastrand::Rng;

/// What happens to the packets of one direction. By default, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// The chance that a packet is lost.
    pub loss: f64,
    /// The chance that a packet comes twice.
    pub duplicate: f64,
    /// The chance that a packet is late, and that others overtake it.
    pub reorder: f64,
    /// The chance that a packet with data is taken away, and its receiver told that the connection is
    /// reset.
    pub reset: f64,
    /// How long every packet takes.
    pub delay: Duration,
    /// By how much that varies, up and down.
    pub jitter: Duration,
    /// Bits that pass in a second.
    pub rate: Option<u32>,
    /// Nothing passes.
    pub cut: bool,
    /// Data arrives in packets of one byte.
    pub shred: bool,
}

/// What becomes of one packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is lost.
    Lost,
    /// It is taken away, and its receiver told that the connection is reset.
    Reset {
        /// When.
        at: Instant,
    },
    /// It arrives: once, or twice.
    Arrives {
        /// When, each time.
        at: Vec<Instant>,
    },
}

/// Decides what becomes of each packet of one direction.
#[derive(Debug)]
pub struct Dice {
    rng: Rng,
    /// When the last packet has left the sender.
    sent_at: Instant,
    /// When the last packet arrives that is not late.
    arrives_at: Instant,
}

impl Dice {
    /// The same seed makes the same decisions about the same packets.
    pub fn new(seed: u64, now: Instant) -> Self {
        Self { rng: Rng::with_seed(seed), sent_at: now, arrives_at: now }
    }

    /// Decides about a packet of `length` bytes; `resettable` says whether it is one with data.
    pub fn roll(
        &mut self,
        now: Instant,
        weather: &Weather,
        length: usize,
        resettable: bool,
    ) -> Fate {
        // As many numbers for each packet, so that what the weather was before does not matter.
        let [loss, duplicate, reorder, reset, jitter] = std::array::from_fn(|_| self.rng.f64());
        if weather.cut || loss < weather.loss {
            return Fate::Lost;
        }
        self.sent_at = self.sent_at.max(now);
        if let Some(rate) = weather.rate {
            let backlog = self.sent_at - now;
            if backlog > MAX_BACKLOG {
                return Fate::Lost;
            }
            self.sent_at += Duration::from_secs_f64(length as f64 * 8.0 / f64::from(rate));
        }
        let spread = weather.jitter.as_secs_f64() * (2.0 * jitter - 1.0);
        let way = Duration::from_secs_f64((weather.delay.as_secs_f64() + spread).max(0.0));
        let mut at = self.sent_at + way;
        if reorder < weather.reorder {
            at += LATE;
        } else {
            // Routers are queues: what is not late does not overtake.
            self.arrives_at = self.arrives_at.max(at);
            at = self.arrives_at;
        }
        if resettable && reset < weather.reset {
            return Fate::Reset { at };
        }
        let again = (duplicate < weather.duplicate).then_some(at + LATE);
        Fate::Arrives { at: std::iter::once(at).chain(again).collect() }
    }
}

/// What a slow line keeps waiting before it drops packets, in time.
const MAX_BACKLOG: Duration = Duration::from_secs(1);

/// By how much a packet is late.
const LATE: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_weather_lets_everything_pass_at_once() {
        let now = Instant::now();
        let mut dice = Dice::new(1, now);
        for _ in 0..1000 {
            let fate = dice.roll(now, &Weather::default(), 1500, true);
            assert_eq!(fate, Fate::Arrives { at: vec![now] });
        }
    }

    #[test]
    fn chances_are_what_they_say() {
        let now = Instant::now();
        let mut dice = Dice::new(2, now);
        let weather = Weather { loss: 0.2, duplicate: 0.05, reset: 0.1, ..Weather::default() };
        let (mut lost, mut twice, mut resets) = (0, 0, 0);
        for _ in 0..10_000 {
            match dice.roll(now, &weather, 100, true) {
                Fate::Lost => lost += 1,
                Fate::Reset { .. } => resets += 1,
                Fate::Arrives { at } => twice += at.len() - 1,
            }
        }
        // Five standard deviations around 2 000, 800 and 360.
        assert!((1800..2200).contains(&lost), "{lost}");
        assert!((664..936).contains(&resets), "{resets}");
        assert!((266..454).contains(&twice), "{twice}");
    }

    #[test]
    fn a_slow_line_takes_its_time_and_drops_what_is_too_much() {
        let now = Instant::now();
        let mut dice = Dice::new(3, now);
        let weather = Weather { rate: Some(64_000), ..Weather::default() };
        let mut arrived = 0;
        for _ in 0..100 {
            if let Fate::Arrives { at } = dice.roll(now, &weather, 800, true) {
                arrived += 1;
                assert_eq!(at, [now + Duration::from_millis(100) * arrived]);
            }
        }
        assert_eq!(arrived, 11, "a second's worth waits, and one is under way");
    }

    #[test]
    fn a_seed_decides_everything() {
        let now = Instant::now();
        let weather = Weather {
            loss: 0.3,
            duplicate: 0.3,
            reorder: 0.3,
            delay: Duration::from_millis(200),
            jitter: Duration::from_millis(100),
            ..Weather::default()
        };
        let fates = |seed| {
            let mut dice = Dice::new(seed, now);
            (0..100).map(|_| dice.roll(now, &weather, 100, false)).collect::<Vec<_>>()
        };
        assert_eq!(fates(4), fates(4));
        assert_ne!(fates(4), fates(5));
    }

    #[test]
    fn only_late_packets_are_overtaken() {
        let now = Instant::now();
        let mut dice = Dice::new(6, now);
        let delay = Duration::from_millis(200);
        let jitter = Duration::from_millis(100);
        let weather = Weather { delay, jitter, ..Weather::default() };
        let mut last = now + delay - jitter;
        for _ in 0..1000 {
            let Fate::Arrives { at } = dice.roll(now, &weather, 100, false) else { panic!() };
            assert!(last <= at[0] && at[0] <= now + delay + jitter);
            last = at[0];
        }
        let weather = Weather { reorder: 0.25, ..weather };
        let arrivals = (0..1000).map(|_| match dice.roll(now, &weather, 100, false) {
            Fate::Arrives { at } => at[0],
            fate => panic!("{fate:?}"),
        });
        assert!(!arrivals.collect::<Vec<_>>().is_sorted());
    }
}
