//! Figures as bars, in SVG. Colours follow the reader's choice of light or dark.

use crate::budget::{Budget, Section};
use crate::figure::{Figure, OURS};
use crate::results::Results;

/// A section's chart: a group of bars for each budget, on a scale of its own.
pub(crate) fn chart(section: &Section, results: &Results) -> String {
    let mut body = String::new();
    let mut y = 8.0;
    for budget in &section.budgets {
        let figures: Vec<_> = section
            .contestants
            .iter()
            .filter_map(|name| Some((&**name, Figure::of(budget, name, results)?.value)))
            .collect();
        if !figures.is_empty() {
            group(&mut body, &mut y, budget, &figures);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n{body}</svg>\n",
        height = y.ceil(),
        title = escaped(&section.title),
    )
}

fn group(body: &mut String, y: &mut f64, budget: &Budget, figures: &[(&str, f64)]) {
    let bound = budget.at_least.or(budget.at_most);
    let better = if budget.at_least.is_some() { "longer" } else { "shorter" };
    let highest = figures.iter().map(|(_, figure)| *figure).chain(bound).fold(0.0, f64::max);
    let scale = if highest > 0.0 { BAR_WIDTH / highest } else { 0.0 };
    *body += &format!(
        "<text class=\"title\" x=\"8\" y=\"{:.1}\">{}<tspan class=\"note\" dx=\"8\">{better} is better, \
         budget {}</tspan></text>\n",
        *y + 14.0,
        escaped(&budget.title.replace('`', "")),
        escaped(&budget.bound()),
    );
    *y += 22.0;
    let top = *y;
    for (name, figure) in figures {
        let class = match *name {
            OURS => "ours",
            "floor" => "floor",
            _ => "peer",
        };
        let width = (figure.max(0.0) * scale).max(1.0);
        *body += &format!(
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <rect class=\"{class}\" x=\"{BAR_LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"12\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            BAR_LEFT - 8.0,
            *y + 11.0,
            escaped(name),
            *y + 1.0,
            BAR_LEFT + width + 6.0,
            *y + 11.0,
            escaped(&budget.unit.show(*figure)),
        );
        *y += 16.0;
    }
    if let Some(bound) = bound {
        let x = BAR_LEFT + bound * scale;
        *body += &format!(
            "<line class=\"budget\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\n",
            top - 2.0,
            *y,
        );
    }
    *y += 14.0;
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: f64 = 760.0;
const BAR_LEFT: f64 = 150.0;
const BAR_WIDTH: f64 = 520.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}\
    .title{font-weight:600;font-size:13px}.note{font-weight:400;font-size:11px;fill:#656d76}\
    .name{text-anchor:end}.ours{fill:#d6336c}.floor{fill:#8c959f}.peer{fill:#4a90d9}\
    .budget{stroke:#1f2328;stroke-width:1.5;stroke-dasharray:3 2}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9da7b1}.budget{stroke:#e6edf3}}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::{budget, results};

    #[test]
    fn bars_are_as_long_as_figures_are_high() {
        let section = Section {
            name: "servers".to_owned(),
            title: "Servers <all>".to_owned(),
            about: String::new(),
            contestants: vec!["floor".to_owned(), OURS.to_owned()],
            budgets: vec![Budget { title: "a & b".to_owned(), ..budget() }],
        };
        let chart = chart(&section, &results());
        // The floor is 1.0, which takes the whole width, and ours 0.9 of it.
        assert!(chart.contains("class=\"floor\" x=\"150\" y=\"31.0\" width=\"520.0\""), "{chart}");
        assert!(chart.contains("class=\"ours\" x=\"150\" y=\"47.0\" width=\"468.0\""), "{chart}");
        assert!(chart.contains("a &amp; b") && chart.contains("Servers &lt;all&gt;"), "{chart}");
        assert!(chart.contains("prefers-color-scheme:dark"), "{chart}");
    }
}
