//! How figures are written for people.

use std::time::Duration;

/// A number with a mark between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time of so many nanoseconds, with three digits.
pub(super) fn time(nanoseconds: u64) -> String {
    let nanoseconds = nanoseconds as f64;
    // Where rounding leads to the next unit, it is the one to use.
    let units = [(1e3, "µs", 0.9995e6), (1e6, "ms", 0.9995e9), (1e9, "s", f64::INFINITY)];
    let (unit, name, _) = units.into_iter().find(|(_, _, end)| nanoseconds < *end).unwrap_or((
        1e9,
        "s",
        f64::INFINITY,
    ));
    format!("{} {name}", digits(nanoseconds / unit))
}

/// A round number of nanoseconds: 1, 2 or 5 with zeros.
pub(super) fn round_time(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    // A rounded power may be less than it by a little.
    let unit = units.into_iter().find(|(unit, _)| nanoseconds >= unit * 0.999);
    let (unit, name) = unit.unwrap_or((1.0, "ns"));
    format!("{:.0} {name}", nanoseconds / unit)
}

/// A duration as a number.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration, with three digits.
pub(super) fn duration(duration: Duration) -> String {
    time(nanoseconds(duration))
}

/// A number with three digits, or as many as it has before the point.
pub(super) fn digits(number: f64) -> String {
    match number {
        // What would be rounded to the next power of ten has a digit less behind the point.
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number => count(number.round() as u64),
    }
}

/// A share of one, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// So many things of a kind.
pub(super) fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_marked() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn times_have_three_digits() {
        for (nanoseconds, text) in [
            (0, "0.00 µs"),
            (1, "0.00 µs"),
            (1_234, "1.23 µs"),
            (12_345, "12.3 µs"),
            (123_456, "123 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (9_996_000, "10.0 ms"),
            (99_960_000, "100 ms"),
            (999_600_000, "1.00 s"),
            (3_600_000_000_000, "3,600 s"),
        ] {
            assert_eq!(time(nanoseconds), text);
        }
    }

    #[test]
    fn round_times_stay_round() {
        for (nanoseconds, text) in [
            (1.0, "1 ns"),
            (2e3, "2 µs"),
            (500e3, "500 µs"),
            (1e6, "1 ms"),
            (1e9, "1 s"),
            (2e10, "20 s"),
        ] {
            assert_eq!(round_time(nanoseconds), text);
        }
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(many(1, "connection", "connections"), "1 connection");
        assert_eq!(many(0, "connection", "connections"), "0 connections");
    }
}
