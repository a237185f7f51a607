//! Rows: what was measured, and what it may be.

use std::fmt;

use super::{churn, descriptors, exact, faults, linear, memory, neighbours, slow, truth};

/// How much is done for a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// Seconds, for tests.
    Short,
    /// Minutes.
    Long,
}

impl Size {
    pub fn pick<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// What was measured.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub figure: String,
    pub limit: String,
    pub holds: bool,
}

impl Row {
    pub fn new(
        what: impl Into<String>,
        figure: impl fmt::Display,
        limit: impl fmt::Display,
        holds: bool,
    ) -> Self {
        Self { what: what.into(), figure: figure.to_string(), limit: limit.to_string(), holds }
    }

    /// A number that may not be larger than another.
    pub fn at_most(what: impl Into<String>, figure: i64, limit: i64, unit: &str) -> Self {
        let figures = (format!("{figure} {unit}"), format!("at most {limit} {unit}"));
        Self::new(what, figures.0, figures.1, figure <= limit)
    }

    /// A number without a limit.
    pub fn told(what: impl Into<String>, figure: impl fmt::Display) -> Self {
        Self::new(what, figure, "", true)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, limit, holds } = self;
        let mark = if *holds { ' ' } else { '!' };
        write!(f, "{mark} {what:58} {figure:>20}  {limit}")
    }
}

/// Measures the rows of one name.
pub type Measure = fn(Size) -> Vec<Row>;

pub const ROWS: &[(&str, Measure)] = &[
    ("12 linear work", linear::rows),
    ("13 memory of strangers", memory::strangers),
    ("13 memory of clients", memory::clients),
    ("14 declared lengths", memory::declared),
    ("15 tiny fragments", memory::fragments),
    ("16 decompression", memory::bombs),
    ("17 largest message", exact::rows),
    ("18 slowloris", slow::loris),
    ("19 slow readers", slow::readers),
    ("20 what send says", truth::rows),
    ("21 connect and close", churn::cycles),
    ("22 abandoned", churn::abandoned),
    ("23 refusals end", churn::refusals),
    ("24 no descriptors left", descriptors::exhausted),
    ("25 many connections", descriptors::many),
    ("34 one bad neighbour", neighbours::rows),
    ("35 faults of handlers", faults::rows),
];
