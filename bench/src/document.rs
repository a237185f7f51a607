//! The report: tables and charts, between the marks of `docs/performance.md`.

use std::error::Error;
use std::fs;

use crate::budget::Budgets;
use crate::chart::chart;
use crate::place::Place;
use crate::results::Results;
use crate::table::table;

/// Writes the report below `target/`, and to `docs/` if it is to be published.
///
/// # Errors
///
/// A file cannot be written, or the document has no marks.
pub(crate) fn write(
    place: &Place,
    budgets: &Budgets,
    results: &Results,
    publish: bool,
) -> Result<(), Box<dyn Error>> {
    let report = report(budgets, results);
    let mut folders = vec![place.target().join("report")];
    folders.extend(publish.then(|| place.docs()));
    for folder in &folders {
        fs::create_dir_all(folder.join("performance"))?;
        for section in &budgets.sections {
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

fn report(budgets: &Budgets, results: &Results) -> String {
    let facts: Vec<_> =
        results.machine.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let mut report =
        format!("Measured at commit {}. {}.\n", results.commits().join(" and "), facts.join(", "));
    for section in &budgets.sections {
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
    use crate::figure::tests::results;
    use crate::measures;

    #[test]
    fn what_is_written_by_hand_stays() {
        let document = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n";
        let expected = "before\n<!-- figures -->\n\nnew\n\n<!-- end of figures -->\nafter\n";
        assert_eq!(replaced(document, "new\n"), Ok(expected.to_owned()));
        assert!(replaced("no marks", "new").is_err());
    }

    #[test]
    fn a_report_has_every_section() {
        let budgets = Budgets::read(&Place::new().budgets()).unwrap();
        let report = report(&budgets, &results());
        assert!(report.starts_with("Measured at commit abc. processor an abacus.\n"), "{report}");
        for section in &budgets.sections {
            assert!(report.contains(&format!("### {}", section.title)), "{}", section.title);
        }
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
