//! The report: tables and charts, between the marks of `docs/performance.md`.

use std::error::Error;
use std::fs;

use crate::budget::{Budgets, Section};
use crate::chart::chart;
use crate::figure::has_figures;
use crate::place::Place;
use crate::results::Results;
use crate::table::table;

/// Writes the report below `target/`, and to `docs/` if it is to be published.
///
/// # Errors
///
/// There are no figures, or none to publish; a file cannot be written, or the document has no marks.
pub(crate) fn write(
    place: &Place,
    budgets: &Budgets,
    results: &Results,
    publish: bool,
) -> Result<(), Box<dyn Error>> {
    let sections = sections(budgets, results)?;
    if publish {
        check_published(results)?;
    }
    let report = report(&sections, results);
    let mut folders = vec![place.target().join("report")];
    folders.extend(publish.then(|| place.docs()));
    for folder in &folders {
        fs::create_dir_all(folder.join("performance"))?;
        for section in &sections {
            let path = folder.join(format!("performance/{}.svg", section.name));
            fs::write(path, chart(section, results))?;
        }
        results.write(&folder.join("performance/results.json"))?;
    }
    let path = place.target().join("report/performance.md");
    fs::write(&path, &report)?;
    println!("{}", path.display());
    if publish {
        let path = place.docs().join("performance.md");
        let text = fs::read_to_string(&path)?;
        fs::write(&path, replaced(&text, &report)?)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The sections that have figures.
fn sections<'a>(budgets: &'a Budgets, results: &Results) -> Result<Vec<&'a Section>, String> {
    let sections: Vec<_> =
        budgets.sections.iter().filter(|section| has_figures(section, results)).collect();
    if sections.is_empty() {
        return Err("there are no figures: nothing of what the budgets are for was measured".into());
    }
    Ok(sections)
}

/// Checks that everything was measured thoroughly.
fn check_published(results: &Results) -> Result<(), String> {
    let quick = results.measures.iter().filter(|(_, measured)| measured.quick);
    let names: Vec<_> = quick.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(format!("measured with --quick, so not to be published: {}", names.join(", ")))
}

fn report(sections: &[&Section], results: &Results) -> String {
    let facts: Vec<_> =
        results.machine.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let mut report =
        format!("Measured at commit {}. {}.\n", results.commits().join(" and "), facts.join(", "));
    for section in sections {
        report += &format!(
            "\n### {title}\n\n{about}\n\n{table}\n![{title}](performance/{name}.svg)\n",
            title = section.title,
            about = section.about,
            table = table(section, results),
            name = section.name,
        );
    }
    report
}

/// The document with another report in it.
fn replaced(document: &str, report: &str) -> Result<String, String> {
    let missing = || format!("the document has no {BEGIN} and {END}");
    let (before, rest) = document.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n\n{report}\n{END}{after}"))
}

const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::OURS;
    use crate::figure::tests::results;
    use crate::measures;
    use crate::results::{Measured, Turn};

    #[test]
    fn what_is_written_by_hand_stays() {
        let document = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n";
        let expected = "before\n<!-- figures -->\n\nnew\n\n<!-- end of figures -->\nafter\n";
        assert_eq!(replaced(document, "new\n"), Ok(expected.to_owned()));
        assert!(replaced("no marks", "new").is_err());
    }

    #[test]
    fn a_report_has_every_section_that_has_figures() {
        let budgets = Budgets::read(&Place::new().budgets()).unwrap();
        let titles = |results: &Results| {
            let report = report(&sections(&budgets, results).unwrap(), results);
            let start = "Measured at commit abc. processor an abacus.\n";
            assert!(report.starts_with(start), "{report}");
            let title = |line: &str| line.strip_prefix("### ").map(str::to_owned);
            report.lines().filter_map(title).collect::<Vec<_>>()
        };
        let mut results = results();
        assert_eq!(titles(&results), ["Servers: rate"], "of echo, which was measured");
        for budget in budgets.sections.iter().flat_map(|section| &section.budgets) {
            let measured = results.measures.entry(budget.measure.clone()).or_insert_with(|| {
                let contestants = ["floor", OURS].map(|name| (name.to_owned(), vec![]));
                Measured { commit: "abc".into(), contestants: contestants.into(), quick: false }
            });
            for turns in measured.contestants.values_mut() {
                let names = [Some(&budget.metric), budget.over.as_ref()].into_iter().flatten();
                turns.push(Turn::Numbers(names.map(|name| (name.clone(), 1.0)).collect()));
            }
        }
        let all: Vec<_> = budgets.sections.iter().map(|section| section.title.clone()).collect();
        assert_eq!(titles(&results), all);
    }

    #[test]
    fn nothing_is_no_report() {
        let budgets = Budgets::read(&Place::new().budgets()).unwrap();
        assert!(sections(&budgets, &Results::default()).is_err());
        let mut results = results();
        for turns in results.measures.values_mut().flat_map(|it| it.contestants.values_mut()) {
            turns.fill(Turn::Failed("no answer".to_owned()));
        }
        assert!(sections(&budgets, &results).is_err(), "nobody has finished");
    }

    #[test]
    fn what_was_measured_quickly_is_not_published() {
        let mut results = results();
        assert_eq!(check_published(&results), Ok(()));
        results.measures.get_mut("echo").unwrap().quick = true;
        assert!(check_published(&results).unwrap_err().ends_with(": echo"));
    }

    #[test]
    fn every_budget_is_of_something_that_is_measured() {
        let budgets = Budgets::read(&Place::new().budgets()).unwrap();
        let measures = measures::all();
        for section in &budgets.sections {
            for budget in &section.budgets {
                let measure = measures.iter().find(|measure| measure.name == budget.measure);
                let measure = measure.unwrap_or_else(|| panic!("no measure {}", budget.measure));
                for trial in &measure.trials {
                    let named = section.contestants.iter().any(|name| name == trial.contestant);
                    assert!(named, "{} in {}", trial.contestant, section.name);
                }
                assert!(budget.at_least.is_some() != budget.at_most.is_some(), "{}", budget.title);
            }
        }
    }
}
