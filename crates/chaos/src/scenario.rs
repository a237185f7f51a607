//! Ten kinds of trouble, and how much of each.

use std::time::Duration;

use crate::weather::Weather;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scenario {
    /// Packets are lost: 1, 5 and 20 of a hundred.
    Loss,
    /// Packets take 200 ms, 100 more or less.
    Delay,
    /// A quarter of the packets is overtaken by others.
    Reorder,
    /// One packet in twenty comes twice.
    Duplicate,
    /// 64 kbit pass in a second.
    Narrow,
    /// The side's plug is pulled for 5, 30 and 60 seconds.
    Partition,
    /// Nothing of what the side sends arrives, for 5 and 15 seconds, while it hears everything.
    OneWay,
    /// One packet with data in fifty becomes a reset.
    Reset,
    /// The side's device takes packets of 576 bytes.
    Mtu,
    /// What the side sends arrives in packets of one byte.
    Shred,
}

/// How much of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// Some seconds.
    Short,
    /// As long as it is said above.
    Long,
}

/// A stretch of trouble, after which the network is good for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// What the side sends meets this.
    Weather(Weather, Duration),
    /// The side's plug is pulled.
    Unplugged(Duration),
    /// The side's device takes packets of so many bytes.
    Mtu(u16, Duration),
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Loss,
        Self::Delay,
        Self::Reorder,
        Self::Duplicate,
        Self::Narrow,
        Self::Partition,
        Self::OneWay,
        Self::Reset,
        Self::Mtu,
        Self::Shred,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Reorder => "reorder",
            Self::Duplicate => "duplicate",
            Self::Narrow => "narrow",
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Reset => "reset",
            Self::Mtu => "mtu",
            Self::Shred => "shred",
        }
    }

    /// What it does, in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Loss => "1, 5 and 20 % of the packets are lost",
            Self::Delay => "packets take 200 ms, 100 more or less",
            Self::Reorder => "25 % of the packets are overtaken",
            Self::Duplicate => "5 % of the packets come twice",
            Self::Narrow => "64 kbit/s",
            Self::Partition => "the plug is pulled for 5, 30 and 60 s",
            Self::OneWay => "nothing of what the side sends arrives, for 5 and 15 s",
            Self::Reset => "2 % of the packets become resets",
            Self::Mtu => "packets of 576 bytes",
            Self::Shred => "packets of one byte",
        }
    }

    /// What happens, one stretch after the other.
    pub fn troubles(self, length: Length) -> Vec<Trouble> {
        let good = Weather::default();
        let ms = Duration::from_millis;
        let seconds = |short, long| match length {
            Length::Short => Duration::from_secs(short),
            Length::Long => Duration::from_secs(long),
        };
        let of_length = |short: &'static [u64], long: &'static [u64]| match length {
            Length::Short => short.iter().copied().map(Duration::from_secs),
            Length::Long => long.iter().copied().map(Duration::from_secs),
        };
        match self {
            Self::Loss => [0.01, 0.05, 0.2]
                .map(|loss| Trouble::Weather(Weather { loss, ..good }, seconds(2, 5)))
                .to_vec(),
            Self::Delay => {
                let weather = Weather { delay: ms(200), jitter: ms(100), ..good };
                vec![Trouble::Weather(weather, seconds(6, 15))]
            }
            Self::Reorder => {
                let weather = Weather { reorder: 0.25, delay: ms(20), jitter: ms(10), ..good };
                vec![Trouble::Weather(weather, seconds(6, 15))]
            }
            Self::Duplicate => {
                let weather = Weather { duplicate: 0.05, ..good };
                vec![Trouble::Weather(weather, seconds(6, 15))]
            }
            Self::Narrow => {
                let weather = Weather { rate: Some(64_000), ..good };
                vec![Trouble::Weather(weather, seconds(6, 15))]
            }
            Self::Partition => of_length(&[5], &[5, 30, 60]).map(Trouble::Unplugged).collect(),
            Self::OneWay => {
                let weather = Weather { cut: true, ..good };
                let cut = |time| Trouble::Weather(weather, time);
                of_length(&[5], &[5, 15]).map(cut).collect()
            }
            Self::Reset => {
                let weather = Weather { reset: 0.02, ..good };
                vec![Trouble::Weather(weather, seconds(6, 15))]
            }
            Self::Mtu => vec![Trouble::Mtu(576, seconds(6, 15))],
            Self::Shred => {
                let weather = Weather { shred: true, ..good };
                vec![Trouble::Weather(weather, seconds(6, 15))]
            }
        }
    }
}
