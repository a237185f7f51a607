//! One contestant's figure for one budget.

use crate::budget::{Budget, Section};
use crate::results::Results;
use crate::statistics::{median, spread};

/// One contestant's figure for one budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    /// The median of the rounds. Where it is relative to another contestant, of the ratios: the machine's speed
    /// changes from round to round.
    pub(crate) value: f64,
    /// How far the rounds are apart, as a part of that.
    pub(crate) spread: f64,
}

impl Figure {
    /// The figure, if it was measured.
    pub(crate) fn of(budget: &Budget, contestant: &str, results: &Results) -> Option<Self> {
        let measured = results.measures.get(&budget.measure)?;
        let number = |contestant: &str, round, metric: &str| {
            let number = measured.number(contestant, round, metric)?;
            match &budget.over {
                Some(over) => Some(number / measured.number(contestant, round, over)?),
                None => Some(number),
            }
        };
        let rounds: Vec<_> = (0..measured.rounds())
            .filter_map(|round| {
                let figure = number(contestant, round, &budget.metric)?;
                let theirs = budget.relative_metric.as_ref().unwrap_or(&budget.metric);
                match &budget.relative_to {
                    Some(other) => Some(figure / number(other, round, theirs)?),
                    None => Some(figure),
                }
            })
            .filter(|figure| figure.is_finite())
            .collect();
        Some(Self { value: median(&rounds)?, spread: spread(&rounds).unwrap_or_default() })
    }
}

/// Whether a section has any.
pub(crate) fn has_figures(section: &Section, results: &Results) -> bool {
    section.budgets.iter().any(|budget| {
        section.contestants.iter().any(|name| Figure::of(budget, name, results).is_some())
    })
}

/// Who is judged.
pub(crate) const OURS: &str = "heartwire";

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let figure = |contestant| Figure::of(&budget(), contestant, &results()).map(|it| it.value);
        // 90 of 100, 45 of 50; in the third round the floor has failed.
        assert_eq!(figure(OURS), Some(0.9));
        assert_eq!(figure("floor"), Some(1.0));
        assert_eq!(figure("nobody"), None);
    }

    #[test]
    fn a_figure_may_be_over_another_of_the_same_contestant() {
        let budget = Budget { over: Some("cpu_us".to_owned()), relative_to: None, ..budget() };
        let figure = Figure::of(&budget, OURS, &results());
        // 90, 45 and 80, over 2 each.
        assert_eq!(figure.map(|figure| figure.value), Some(40.0));
    }

    #[test]
    fn the_other_may_call_it_otherwise() {
        let other = Some("cpu_us".to_owned());
        let budget = Budget { relative_metric: other, ..budget() };
        let figure = Figure::of(&budget, OURS, &results());
        // 90 and 45, over 2 each.
        assert_eq!(figure.map(|figure| figure.value), Some(33.75));
    }

    pub(crate) fn budget() -> Budget {
        serde_json::from_value(json!({
            "title": "echo", "measure": "echo", "metric": "rate", "relative_to": "floor",
            "at_least": 0.9, "unit": "ratio",
        }))
        .unwrap()
    }

    pub(crate) fn results() -> Results {
        let turn = |rate| json!({"numbers": {"rate": rate, "cpu_us": 2}});
        serde_json::from_value(json!({
            "machine": {"processor": "an abacus"},
            "measures": {"echo": {"commit": "abc", "contestants": {
                "floor": [turn(100), turn(50), {"failed": "no answer"}],
                "heartwire": [turn(90), turn(45), turn(80)],
            }}},
        }))
        .unwrap()
    }
}
