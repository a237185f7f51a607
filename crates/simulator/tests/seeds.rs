//! Many seeds, and mistakes that must be noticed.

use simulator::{Mutant, Report, engineio, repod};

/// Seeds of each protocol that are run with every change.
const SEEDS: u64 = 10_000;

/// Seeds within which a mistake has to be noticed.
const SEEDS_A_MUTANT: u64 = 10_000;

fn check(protocol: &str, seeds: std::ops::Range<u64>, run: impl Fn(u64, bool) -> Report) {
    for seed in seeds {
        if run(seed, false).violation.is_some() {
            panic!("simulate {protocol} {seed}\n{}", run(seed, true));
        }
    }
}

#[test]
fn engineio_sessions_keep_what_is_promised() {
    check("engineio", 0..SEEDS / 2, |seed, traced| engineio::run(seed, None, traced));
}

#[test]
fn engineio_sessions_keep_what_is_promised_on() {
    check("engineio", SEEDS / 2..SEEDS, |seed, traced| engineio::run(seed, None, traced));
}

#[test]
fn repod_connections_keep_what_is_promised() {
    check("repod", 0..SEEDS, |seed, traced| repod::run(seed, None, traced));
}

#[test]
fn every_mistake_is_noticed() {
    let missed = |run: fn(u64, Mutant) -> Report, mutants: &[Mutant]| {
        let is_missed = |mutant: &Mutant| {
            (0..SEEDS_A_MUTANT).all(|seed| run(seed, *mutant).violation.is_none())
        };
        mutants.iter().copied().filter(is_missed).collect::<Vec<_>>()
    };
    let engineio = |seed, mutant| engineio::run(seed, Some(mutant), false);
    let repod = |seed, mutant| repod::run(seed, Some(mutant), false);
    assert_eq!(missed(engineio, &Mutant::ENGINEIO), []);
    assert_eq!(missed(repod, &Mutant::REPOD), []);
}

/// A trace that could not be told again would be of no use.
#[test]
fn a_seed_always_tells_the_same() {
    for seed in 0..200 {
        assert_eq!(engineio::run(seed, None, true), engineio::run(seed, None, true));
        assert_eq!(repod::run(seed, None, true), repod::run(seed, None, true));
    }
}
