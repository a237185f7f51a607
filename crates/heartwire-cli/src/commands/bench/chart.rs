//! Charts, as SVG: one column of numbers each, drawn with the colours of the page that they stand in.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::figure;

/// Latencies that are counted together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// Nanoseconds.
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) count: u64,
}

/// A histogram in few pieces, each longer than the last by the same factor; without gaps.
pub(super) fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    if histogram.is_empty() {
        return vec![];
    }
    let place = |value: u64| ((value.max(1) as f64).log10() * PER_DECADE).floor() as i32;
    let edge = |place: i32| 10_f64.powf(f64::from(place) / PER_DECADE).round() as u64;
    let (first, last) = (place(histogram.min()), place(histogram.max()));
    let mut buckets: Vec<_> = (first..=last)
        .map(|place| Bucket { from: edge(place), until: edge(place + 1), count: 0 })
        .collect();
    for value in histogram.iter_recorded() {
        let place = place(histogram.lowest_equivalent(value.value_iterated_to()));
        let bucket = (place - first).clamp(0, last - first) as usize;
        buckets[bucket].count += value.count_at_value();
    }
    buckets
}

/// How values are spread over an axis.
#[derive(Clone, Copy)]
enum Scale {
    Linear {
        from: f64,
        to: f64,
    },
    /// Each factor of ten has the same length.
    Log {
        from: f64,
        to: f64,
    },
}

impl Scale {
    /// Where a value lies, from 0 to 1.
    fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { from, to } => (value / from).log10() / (to / from).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// One that begins and ends with round numbers, for latencies.
    fn of_latencies(min: u64, max: u64) -> Self {
        let from = 10_f64.powf((min.max(1) as f64).log10().floor());
        let to = 10_f64.powf((max.max(2) as f64).log10().ceil());
        Self::Log { from, to: to.max(from * 10.0) }
    }

    /// Values to write at the axis.
    fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { from, to } => {
                let step = round_step((to - from) / 5.0);
                let first = (from / step).ceil() as i64;
                (first..=(to / step + 1e-9).floor() as i64).map(|tick| tick as f64 * step).collect()
            }
            Self::Log { from, to } => {
                let decades = (to / from).log10().round() as i32;
                let within: &[f64] = if decades > 3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                (0..=decades)
                    .flat_map(|decade| {
                        within.iter().map(move |step| from * 10_f64.powi(decade) * step)
                    })
                    .filter(|tick| *tick <= to * 1.000_001)
                    .collect()
            }
        }
    }
}

/// The next larger of 1, 2, 5, 10, 20, …
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * 0.999_999);
    factor.unwrap_or(10.0) * power
}

/// A chart that is being drawn.
struct Chart {
    svg: String,
    x: Scale,
    y: Scale,
}

impl Chart {
    /// An empty one. `label` says what it shows to who cannot see it.
    fn new(label: &str, x: Scale, y: Scale) -> Self {
        let svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n"
        );
        Self { svg, x, y }
    }

    fn left(&self, x: f64) -> f64 {
        LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT)
    }

    fn top(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(y) * (HEIGHT - TOP - BOTTOM)
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(text).expect("a string takes everything");
        self.svg.push('\n');
    }

    /// Lines across, with what they mean.
    fn horizontal(&mut self, write: impl Fn(f64) -> String) {
        for tick in self.y.ticks() {
            let (y, right, text) = (self.top(tick), WIDTH - RIGHT, write(tick));
            self.add(format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text class=\"y\" x=\"{}\" y=\"{:.1}\">{text}</text>",
                LEFT - 8.0,
                y + 4.0
            ));
        }
    }

    /// Marks below, with what they mean.
    fn vertical(&mut self, ticks: &[f64], write: impl Fn(f64) -> String) {
        for tick in ticks {
            let (x, text) = (self.left(*tick), write(*tick));
            let (top, bottom) = (TOP, HEIGHT - BOTTOM);
            self.add(format_args!(
                "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>\
                 <text class=\"x\" x=\"{x:.1}\" y=\"{}\">{text}</text>",
                bottom + 18.0
            ));
        }
    }

    /// A line through points.
    fn line(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let (x, y) = (self.left(x), self.top(y));
            write!(path, "{command}{x:.1} {y:.1}").expect("a string takes everything");
        }
        if !path.is_empty() {
            self.add(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    /// A bar from the bottom up, which tells what it is.
    fn bar(&mut self, class: &str, from: f64, until: f64, y: f64, title: &str) {
        let (left, right, top) = (self.left(from), self.left(until), self.top(y));
        let height = HEIGHT - BOTTOM - top;
        // What is there is seen, however little it is.
        let height = if y > 0.0 { height.max(1.0) } else { height };
        let (width, top) = ((right - left - 0.5).max(0.5), HEIGHT - BOTTOM - height);
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{title}</title></rect>"
        ));
    }

    /// A mark across the whole height, with a name at its top, on the side that `class` says.
    fn mark(&mut self, class: &str, x: f64, name: &str) {
        let (x, bottom) = (self.left(x), HEIGHT - BOTTOM);
        self.add(format_args!(
            "<path class=\"mark\" d=\"M{x:.1} {TOP}V{bottom}\"/>\
             <text class=\"mark {class}\" x=\"{:.1}\" y=\"{}\">{name}</text>",
            x,
            TOP - 4.0
        ));
    }

    fn end(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// Latency over percentile, where each further nine has the same width; that of the floor below it.
pub(super) fn percentiles(histogram: &Histogram<u64>, floor: Option<&Histogram<u64>>) -> String {
    let floor = floor.filter(|floor| !floor.is_empty());
    let min = floor.map_or(histogram.min(), |floor| floor.min().min(histogram.min()));
    let max = floor.map_or(histogram.max(), |floor| floor.max().max(histogram.max()));
    // There is nothing beyond the last but one.
    let nines = (histogram.len() as f64).log10().clamp(1.0, 6.0);
    let x = Scale::Linear { from: 0.0, to: nines };
    let mut chart = Chart::new("Latency by percentile", x, Scale::of_latencies(min, max));
    chart.horizontal(figure::round_time);
    let named = [("0", 0.0), ("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999)];
    let named = named.into_iter().chain([("99.99 %", 0.9999), ("99.999 %", 0.99999)]);
    for (name, quantile) in named {
        let place = nines_of(quantile);
        if place <= nines {
            chart.vertical(&[place], |_| name.to_owned());
        }
    }
    let curve = |histogram: &Histogram<u64>| {
        let end = (histogram.len() as f64).log10().clamp(0.0, nines);
        let points = (0..=POINTS).map(|point| {
            let place = end * f64::from(point) / f64::from(POINTS);
            let quantile = 1.0 - 10_f64.powf(-place);
            (place, histogram.value_at_quantile(quantile) as f64)
        });
        points.collect::<Vec<_>>()
    };
    if let Some(floor) = floor {
        chart.line("floor", curve(floor).into_iter());
    }
    chart.line("curve", curve(histogram).into_iter());
    chart.end()
}

/// How many answers took how long.
pub(super) fn latencies(histogram: &Histogram<u64>) -> String {
    let buckets = buckets(histogram);
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1);
    let x = Scale::of_latencies(histogram.min(), histogram.max());
    let y = Scale::Linear { from: 0.0, to: most as f64 };
    let mut chart = Chart::new("Answers by latency", x, y);
    chart.horizontal(|tick| figure::count(tick as u64));
    chart.vertical(&x.ticks(), figure::round_time);
    for Bucket { from, until, count } in buckets {
        if count == 0 {
            continue;
        }
        let title = format!(
            "{} to {}: {}",
            figure::time(from),
            figure::time(until),
            figure::many(count, "answer", "answers")
        );
        chart.bar("bar", from as f64, until as f64, count as f64, &title);
    }
    // Names on either side do not meet, however near the marks are.
    chart.mark("before", histogram.value_at_quantile(0.5) as f64, "p50");
    chart.mark("behind", histogram.value_at_quantile(0.99) as f64, "p99");
    chart.end()
}

/// Messages a second as time goes by, of slices with so many seconds each; what comes before `from` was
/// not measured. `wanted` is the rate that they were to have.
pub(super) fn rates(
    slices: &[u64],
    seconds: f64,
    from: f64,
    until: f64,
    wanted: Option<f64>,
) -> String {
    // The last slice that has passed whole.
    let whole = ((until / seconds + 1e-9).floor() as usize).max(1);
    let together = whole.div_ceil(MOST_BARS);
    let mut slices = slices[..slices.len().min(whole)].to_vec();
    slices.resize(whole, 0);
    let rates: Vec<_> = slices
        .chunks(together)
        .map(|chunk| chunk.iter().sum::<u64>() as f64 / (chunk.len() as f64 * seconds))
        .collect();
    let most = rates.iter().copied().chain(wanted).fold(1.0, f64::max);
    let (x, y) = (Scale::Linear { from: 0.0, to: until }, Scale::Linear { from: 0.0, to: most });
    let mut chart = Chart::new("Messages a second by time", x, y);
    chart.horizontal(|tick| figure::count(tick as u64));
    chart.vertical(&x.ticks(), |tick| format!("{} s", (tick * 100.0).round() / 100.0));
    for (place, rate) in rates.iter().enumerate() {
        let begin = (place * together) as f64 * seconds;
        let end = (((place + 1) * together) as f64 * seconds).min(until);
        let class = if end <= from + 1e-9 { "bar early" } else { "bar" };
        let title = format!("{begin:.1} s: {} messages/s", figure::digits(*rate));
        chart.bar(class, begin, end, *rate, &title);
    }
    if let Some(wanted) = wanted {
        chart.line("floor", [(0.0, wanted), (until, wanted)].into_iter());
    }
    chart.end()
}

/// How many nines a quantile has: one for 90 %, two for 99 %.
fn nines_of(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 32.0;

/// Points of a curve.
const POINTS: u32 = 200;

/// Buckets of a histogram from one power of ten to the next.
const PER_DECADE: f64 = 20.0;

const MOST_BARS: usize = 120;

#[cfg(test)]
mod tests {
    use super::super::recorder::histogram;
    use super::*;

    #[test]
    fn every_latency_is_in_one_bucket() {
        let mut all = histogram();
        for value in [1, 999, 1000, 1001, 50_000, 1_000_000, 3_599_999_999_999] {
            all.record_n(value, 3).unwrap();
        }
        let buckets = buckets(&all);
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 21);
        assert!(buckets.windows(2).all(|pair| pair[0].until == pair[1].from), "no gaps");
        let of = |value| buckets.iter().find(|bucket| (bucket.from..bucket.until).contains(&value));
        assert_eq!(of(50_000).unwrap().count, 3);
        assert_eq!(of(1000).unwrap().count, 6, "1000 and 1001, and not 999");
    }

    #[test]
    fn ticks_are_round() {
        let linear = |to| Scale::Linear { from: 0.0, to }.ticks();
        assert_eq!(linear(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear(183_000.0), [0.0, 50_000.0, 100_000.0, 150_000.0]);
        let log = Scale::of_latencies(34_000, 900_000).ticks();
        assert_eq!(log, [10e3, 20e3, 50e3, 100e3, 200e3, 500e3, 1000e3]);
        let log = Scale::of_latencies(34, 900_000_000).ticks();
        assert_eq!(log.len(), 9, "10 ns to 1 s, the powers of ten alone");
    }

    #[test]
    fn a_place_is_within_the_chart() {
        let scale = Scale::of_latencies(1000, 1000);
        assert_eq!(scale.place(1000.0), 0.0);
        assert_eq!(scale.place(10_000.0), 1.0);
        assert_eq!(scale.place(0.0), 0.0);
        assert_eq!(scale.place(1e12), 1.0);
    }

    #[test]
    fn each_nine_has_the_same_width() {
        for (quantile, nines) in [(0.0, 0.0), (0.9, 1.0), (0.99, 2.0), (0.999, 3.0)] {
            assert!((nines_of(quantile) - nines).abs() < 1e-9);
        }
    }

    #[test]
    fn slices_that_have_not_passed_are_not_drawn() {
        // Four slices of 0.1 s, the last of which has passed half: 100, 200 and 0 messages/s.
        let svg = rates(&[10, 20, 0, 7], 0.1, 0.1, 0.35, None);
        let titles: Vec<_> = svg
            .split("<title>")
            .skip(1)
            .map(|rest| rest.split("</title>").next().unwrap())
            .collect();
        assert_eq!(
            titles,
            ["0.0 s: 100 messages/s", "0.1 s: 200 messages/s", "0.2 s: 0.00 messages/s"]
        );
        assert_eq!(svg.matches("bar early").count(), 1);
    }
}
