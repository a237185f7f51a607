//! What was counted, and what it was when it was written down.

use std::collections::BTreeMap;
use std::path::Path;

/// Instructions for each message, by workload.
pub type Ledger = BTreeMap<String, f64>;

/// A count may be so much above what was written down: a compiler moves code now and then.
pub const TOLERANCE: f64 = 0.05;

/// Reads what was written down.
///
/// # Errors
///
/// The file cannot be read, or is something else.
pub fn read(file: &Path) -> Result<Ledger, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// Writes down what was counted.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(file: &Path, counts: &Ledger) -> Result<(), String> {
    let text = serde_json::to_string_pretty(counts).map_err(|error| error.to_string())?;
    std::fs::write(file, text + "\n").map_err(|error| error.to_string())
}

/// What is not as it was written down: too much, so much less that it has to be written down anew, or not
/// there on one of both sides.
pub fn compare(recorded: &Ledger, counted: &Ledger) -> Vec<String> {
    let mut problems = vec![];
    for (name, count) in counted {
        match recorded.get(name) {
            None => problems.push(format!("{name}: {count:.1}, which is not written down")),
            Some(before) if *count > before * (1.0 + TOLERANCE) => {
                problems
                    .push(format!("{name}: {count:.1} instructions a message, {before:.1} before"));
            }
            Some(before) if *count < before * (1.0 - 2.0 * TOLERANCE) => {
                problems.push(format!("{name}: {count:.1} instead of {before:.1}: write it down"));
            }
            Some(_) => {}
        }
    }
    let gone = recorded.keys().filter(|name| !counted.contains_key(*name));
    problems.extend(gone.map(|name| format!("{name}: written down, and not counted")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(counts: &[(&str, f64)]) -> Ledger {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn a_little_more_or_less_is_no_news() {
        let recorded = ledger(&[("a", 100.0)]);
        for count in [91.0, 100.0, 104.9] {
            assert!(compare(&recorded, &ledger(&[("a", count)])).is_empty(), "{count}");
        }
    }

    #[test]
    fn what_has_changed_is_named() {
        let recorded = ledger(&[("a", 100.0), ("b", 100.0), ("gone", 1.0)]);
        let counted = ledger(&[("a", 106.0), ("b", 89.0), ("new", 1.0)]);
        let problems = compare(&recorded, &counted);
        let starts = ["a: 106.0", "b: 89.0", "new: ", "gone: "];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }
}
