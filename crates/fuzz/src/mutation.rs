//! Inputs that resemble others: what a fuzzer does, without looking at what it reaches.

use fastrand::Rng;

/// Changes inputs, the same way for the same seed.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// A mutator that knows the words of a dictionary, as libFuzzer writes them.
    ///
    /// # Panics
    ///
    /// If a line is neither empty, nor a comment, nor a word in quotes.
    pub fn new(seed: u64, dictionary: &str) -> Self {
        Self { rng: Rng::with_seed(seed), words: dictionary.lines().filter_map(word).collect() }
    }

    /// An input that resembles one or two of `inputs`, of at most `max` bytes.
    ///
    /// # Panics
    ///
    /// If there are no inputs.
    pub fn mutate(&mut self, inputs: &[Vec<u8>], max: usize) -> Vec<u8> {
        let mut input = inputs[self.rng.usize(..inputs.len())].clone();
        for _ in 0..self.rng.usize(1..=4) {
            let place = self.rng.usize(..=input.len());
            let length = self.rng.usize(..=8).min(input.len() - place);
            match self.rng.u8(..8) {
                0 => input
                    .iter_mut()
                    .skip(place)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << self.rng.u8(..8)),
                1 => input.iter_mut().skip(place).take(1).for_each(|byte| *byte = self.rng.u8(..)),
                2 => input.insert(place, self.rng.u8(..)),
                3 => drop(input.drain(place..place + length)),
                4 => {
                    let piece = input[place..place + length].to_vec();
                    input.splice(place..place, piece);
                }
                5 => {
                    let other = &inputs[self.rng.usize(..inputs.len())];
                    let start = self.rng.usize(..=other.len());
                    input.truncate(place);
                    input.extend_from_slice(&other[start..]);
                }
                6 => input.truncate(place),
                _ if self.words.is_empty() => {}
                _ => {
                    let word = self.words[self.rng.usize(..self.words.len())].clone();
                    input.splice(place..place + length * self.rng.usize(..2), word);
                }
            }
        }
        input.truncate(max);
        input
    }
}

/// The word of a line, if it has one.
fn word(line: &str) -> Option<Vec<u8>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let quoted = line.find('"').map(|start| &line[start + 1..]);
    let quoted = quoted.and_then(|rest| rest.strip_suffix('"'));
    let word = quoted.and_then(|word| super::notation::unescape(word).ok());
    Some(word.unwrap_or_else(|| panic!("{line}: expected a word in quotes")))
}
