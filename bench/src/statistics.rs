//! What is said of the numbers of several rounds.

/// The one in the middle; of an even number, the mean of the two. `None` of nothing.
pub(crate) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return Some(sorted[middle]);
    }
    Some((sorted.get(middle.checked_sub(1)?)? + sorted[middle]) / 2.0)
}

/// How far the rounds are apart: half of the way from the lowest to the highest, as a part of the median.
pub(crate) fn spread(numbers: &[f64]) -> Option<f64> {
    let lowest = numbers.iter().copied().min_by(f64::total_cmp)?;
    let highest = numbers.iter().copied().max_by(f64::total_cmp)?;
    let median = median(numbers)?;
    (median != 0.0).then(|| (highest - lowest) / 2.0 / median.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_one_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[1.0, 100.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn spread_is_a_part_of_the_median() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0.0, 0.0]), None);
        assert_eq!(spread(&[8.0]), Some(0.0));
        assert_eq!(spread(&[9.0, 10.0, 13.0]), Some(0.2));
    }
}
