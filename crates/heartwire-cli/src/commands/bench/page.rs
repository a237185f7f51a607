//! The report as a page: one file, with charts, for light and dark screens. It is well-formed XML, too.

use super::chart;
use super::recorder::SLICE;
use super::report::{QUANTILES, Report, Row};
use crate::output::json_text;

/// The report as a page.
pub(super) fn page(report: &Report) -> String {
    let (url, settings) = (escaped(&report.url), escaped(&report.settings()));
    let warnings: String = report
        .warnings()
        .iter()
        .map(|warning| format!("<p class=\"warning\">{}</p>\n", escaped(warning)))
        .collect();
    // A script's text is not unescaped by browsers: no tag may begin in it.
    let json = json_text(&report.json()).replace('<', "\\u003c").replace('&', "\\u0026");
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n\
         <head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{url}: heartwire bench</title>\n\
         <style>{STYLE}</style>\n\
         </head>\n\
         <body>\n\
         <h1>{url}</h1>\n\
         <p class=\"settings\">{settings}</p>\n\
         {warnings}\
         {table}\
         {charts}\
         <p class=\"foot\">heartwire {version} bench</p>\n\
         <script type=\"application/json\" id=\"report\">{json}</script>\n\
         </body>\n\
         </html>\n",
        table = table(report),
        charts = charts(report),
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn table(report: &Report) -> String {
    let is_percentile = |row: &Row| QUANTILES.iter().any(|(name, _)| *name == row.name);
    let (percentiles, rows): (Vec<_>, Vec<_>) = report.rows().into_iter().partition(is_percentile);
    let mut html = String::from("<table class=\"figures\">\n");
    for Row { name, text, bad } in rows {
        let class = if bad { " class=\"bad\"" } else { "" };
        html += &format!("<tr{class}><th>{name}</th><td>{}</td></tr>\n", escaped(&text));
    }
    html += "</table>\n";
    if !percentiles.is_empty() {
        html += "<table class=\"percentiles\">\n<tr>";
        html.extend(percentiles.iter().map(|row| format!("<th>{}</th>", row.name)));
        html += "</tr>\n<tr>";
        html.extend(percentiles.iter().map(|row| format!("<td>{}</td>", escaped(&row.text))));
        html += "</tr>\n</table>\n";
    }
    html
}

fn charts(report: &Report) -> String {
    let outcome = &report.outcome;
    let recorder = &outcome.recorder;
    let mut html = String::new();
    let mut figure = |title: &str, caption: &str, chart: String| {
        html += &format!("<h2>{title}</h2>\n<p>{caption}</p>\n<figure>{chart}</figure>\n");
    };
    if !recorder.latency.is_empty() {
        let floor = report.floor.as_ref().map(|floor| &floor.recorder.latency);
        let caption = match floor {
            Some(_) => {
                "So many of the answers took no longer. Dashed: the floor, which is the same load on \
                 a server inside the program that measures."
            }
            None => "So many of the answers took no longer.",
        };
        figure("Latency by percentile", caption, chart::percentiles(&recorder.latency, floor));
        let caption = "How many answers took how long.";
        figure("Latency", caption, chart::latencies(&recorder.latency));
    }
    let (slices, what) = if report.plan.replies {
        (&recorder.answered_by_slice, "Answers a second, by the time when they came.")
    } else {
        (&recorder.sent_by_slice, "Messages a second, by the time when they were sent.")
    };
    let mut caption = format!("{what} Pale: the warm-up, which is not measured.");
    if report.plan.rate.is_some() {
        caption += " Dashed: the rate that was wanted.";
    }
    let (from, until) = (outcome.window.from.as_secs_f64(), outcome.window.until.as_secs_f64());
    let chart = chart::rates(slices, SLICE.as_secs_f64(), from, until, report.plan.rate);
    figure("Rate", &caption, chart);
    html
}

/// Text for HTML and XML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            // What XML does not allow at all.
            char if char.is_control() && !char.is_whitespace() => html.push('\u{fffd}'),
            char => html.push(char),
        }
    }
    html
}

const STYLE: &str = "
:root { --paper: #fff; --ink: #1c2330; --pale: #5d6675; --grid: #e3e6eb; --blue: #2563c9;
  --soft: #a9c3ef; --orange: #b45309; --red: #b91c1c; --box: #fff7e6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171d; --ink: #e4e7ec; --pale: #9aa3b2;
  --grid: #2b313b; --blue: #6ea3f5; --soft: #35507f; --orange: #f0a048; --red: #f87171;
  --box: #2c2416; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  max-width: 780px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 0; }
p { margin: .2rem 0 .6rem; color: var(--pale); }
p.warning { color: var(--ink); background: var(--box); border-left: 4px solid var(--orange);
  padding: .5rem .8rem; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--grid);
  vertical-align: top; }
th { font-weight: 600; color: var(--pale); white-space: nowrap; }
.percentiles th, .percentiles td { text-align: right; padding-right: .3rem; white-space: nowrap; }
tr.bad td { color: var(--red); font-weight: 600; }
figure { margin: .5rem 0; overflow-x: auto; }
svg { width: 100%; min-width: 520px; height: auto; display: block; }
svg text { fill: var(--pale); font: 12px system-ui, sans-serif; }
text.y { text-anchor: end; } text.x { text-anchor: middle; }
text.before { text-anchor: end; }
path.grid { stroke: var(--grid); } rect.bar { fill: var(--blue); } rect.early { fill: var(--soft); }
path.curve { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
path.floor { fill: none; stroke: var(--pale); stroke-width: 1.5; stroke-dasharray: 5 4; }
path.mark { stroke: var(--orange); stroke-dasharray: 2 3; } text.mark { fill: var(--orange); }
.foot { margin-top: 2rem; font-size: .85rem; }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escaped("<a href=\"x\">&\u{1b}</a>"),
            "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}&lt;/a&gt;"
        );
    }
}
