//! Figures as a Markdown table, with the budget beside them.

use crate::budget::Section;
use crate::figure::{Figure, OURS};
use crate::results::Results;

/// A section's table. Rows and columns without a figure are left out.
pub(crate) fn table(section: &Section, results: &Results) -> String {
    let contestants: Vec<_> = section
        .contestants
        .iter()
        .filter(|contestant| {
            let figure = |budget| Figure::of(budget, contestant, results);
            section.budgets.iter().any(|budget| figure(budget).is_some())
        })
        .collect();
    let mut table = String::from("| |");
    for contestant in &contestants {
        table += &match contestant.as_str() {
            OURS => format!(" **{OURS}** | budget | met |"),
            other => format!(" {other} |"),
        };
    }
    table += "\n|---|";
    for contestant in &contestants {
        table += if contestant.as_str() == OURS { "--:|--:|:-:|" } else { "--:|" };
    }
    table += "\n";
    for budget in &section.budgets {
        let figure = |contestant: &str| Figure::of(budget, contestant, results);
        if contestants.iter().all(|contestant| figure(contestant).is_none()) {
            continue;
        }
        table += &format!("| {} |", budget.title);
        for contestant in &contestants {
            let figure = figure(contestant);
            let shown = figure.map_or("–".to_owned(), |figure| budget.unit.show(figure.value));
            table += &match (contestant.as_str(), figure) {
                (OURS, Some(figure)) => {
                    let met = if budget.is_met(figure.value) { "yes" } else { "**no**" };
                    let spread = figure.spread * 100.0;
                    format!(" **{shown}** ±{spread:.0} % | {} | {met} |", budget.bound())
                }
                (OURS, None) => format!(" – | {} | – |", budget.bound()),
                _ => format!(" {shown} |"),
            };
        }
        table += "\n";
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::{budget, results};

    #[test]
    fn the_verdict_is_computed() {
        let check = |at_least, verdict: &str| {
            let mut budget = budget();
            budget.at_least = Some(at_least);
            let section = Section {
                name: "servers".to_owned(),
                title: "Servers".to_owned(),
                about: String::new(),
                contestants: ["floor", "absent", OURS].map(str::to_owned).to_vec(),
                budgets: vec![budget],
            };
            assert_eq!(
                table(&section, &results()),
                format!(
                    "| | floor | **heartwire** | budget | met |\n|---|--:|--:|--:|:-:|\n\
                     | echo | 1.00 | **0.90** ±0 % | ≥ {at_least:.2} | {verdict} |\n"
                )
            );
        };
        check(0.9, "yes");
        check(0.91, "**no**");
    }
}
