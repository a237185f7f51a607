//! What the figures are to be, as `budgets.json` says.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// What the figures are to be.
#[derive(Debug, Deserialize)]
pub(crate) struct Budgets {
    pub(crate) sections: Vec<Section>,
}

/// A table and a chart.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// The name of the chart's file.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What the reader must know.
    pub(crate) about: String,
    /// Contestants in the order of columns.
    pub(crate) contestants: Vec<String>,
    pub(crate) budgets: Vec<Budget>,
}

/// What one figure is to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) title: String,
    pub(crate) measure: String,
    pub(crate) metric: String,
    /// Another metric of the same contestant that it is divided by.
    pub(crate) over: Option<String>,
    /// The contestant whose figure it is divided by, round by round.
    pub(crate) relative_to: Option<String>,
    /// That contestant's metric, where it is called otherwise.
    pub(crate) relative_metric: Option<String>,
    pub(crate) at_least: Option<f64>,
    pub(crate) at_most: Option<f64>,
    pub(crate) unit: Unit,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Bytes,
    Count,
    Micros,
    Nanos,
    PerSecond,
    Ratio,
    Seconds,
}

impl Budgets {
    /// # Errors
    ///
    /// The file cannot be read or understood.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(path)?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    }
}

impl Budget {
    /// Whether a figure keeps to it.
    pub(crate) fn is_met(&self, figure: f64) -> bool {
        self.at_least.is_none_or(|least| figure >= least)
            && self.at_most.is_none_or(|most| figure <= most)
    }

    /// The bound, for people.
    pub(crate) fn bound(&self) -> String {
        match (self.at_least, self.at_most) {
            (Some(least), _) => format!("≥ {}", self.unit.show(least)),
            (None, Some(most)) => format!("≤ {}", self.unit.show(most)),
            (None, None) => String::new(),
        }
    }
}

impl Unit {
    /// A figure, for people: with three digits, or as many as it has before the point.
    pub(crate) fn show(self, figure: f64) -> String {
        let (figure, unit) = match self {
            Self::Bytes if figure >= 10_000.0 => (figure / 1000.0, " KB"),
            Self::Bytes => (figure, " B"),
            Self::PerSecond if figure >= 1e6 => (figure / 1e6, " M/s"),
            Self::PerSecond if figure >= 1e3 => (figure / 1e3, " k/s"),
            Self::PerSecond => (figure, "/s"),
            Self::Micros if figure >= 1e4 => (figure / 1e3, " ms"),
            Self::Micros => (figure, " µs"),
            Self::Nanos if figure >= 1e4 => (figure / 1e3, " µs"),
            Self::Nanos => (figure, " ns"),
            Self::Seconds => (figure, " s"),
            Self::Ratio | Self::Count => (figure, ""),
        };
        let decimals = match (self, figure.abs()) {
            (Self::Ratio, figure) if figure < 0.1 => 3,
            (Self::Ratio, _) => 2,
            (_, figure) if figure == figure.trunc() || figure >= 100.0 => 0,
            (_, figure) if figure >= 10.0 => 1,
            _ => 2,
        };
        format!("{figure:.decimals$}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_may_be_reached() {
        let budget = |at_least, at_most| Budget {
            title: String::new(),
            measure: String::new(),
            metric: String::new(),
            over: None,
            relative_to: None,
            relative_metric: None,
            at_least,
            at_most,
            unit: Unit::Ratio,
        };
        assert!(budget(Some(0.9), None).is_met(0.9));
        assert!(!budget(Some(0.9), None).is_met(0.899));
        assert!(budget(None, Some(20.0)).is_met(20.0));
        assert!(!budget(None, Some(20.0)).is_met(20.1));
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(Unit::Ratio.show(0.9312), "0.93");
        assert_eq!(Unit::Ratio.show(0.0221), "0.022");
        assert_eq!(Unit::Bytes.show(1500.0), "1500 B");
        assert_eq!(Unit::Bytes.show(23_300.0), "23.3 KB");
        assert_eq!(Unit::PerSecond.show(1_200_000.0), "1.20 M/s");
        assert_eq!(Unit::PerSecond.show(160_000.0), "160 k/s");
        assert_eq!(Unit::Micros.show(16.52), "16.5 µs");
        assert_eq!(Unit::Micros.show(104_000.0), "104 ms");
        assert_eq!(Unit::Nanos.show(20.0), "20 ns");
        assert_eq!(Unit::Nanos.show(75_900.0), "75.9 µs");
    }
}
