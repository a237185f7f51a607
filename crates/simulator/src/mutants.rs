//! The core with mistakes put back: the simulator has to notice each.

use heartwire_proto::shared::Mutant;

use crate::{Report, engineio, repod};

/// Seeds within which a mistake has to be noticed.
const SEEDS: u64 = 10_000;

#[test]
fn every_mistake_is_noticed() {
    let engineio =
        Mutant::ENGINEIO.map(|mutant| (mutant, engineio::run as fn(u64, bool) -> Report));
    let repod = Mutant::REPOD.map(|mutant| (mutant, repod::run as fn(u64, bool) -> Report));
    let mut killed = 0;
    for (mutant, run) in engineio.into_iter().chain(repod) {
        Mutant::put_back(Some(mutant));
        let first = (0..SEEDS).find_map(|seed| Some((seed, run(seed, false).violation?)));
        Mutant::put_back(None);
        match first {
            Some((seed, violation)) => {
                println!("{mutant:?}: seed {seed}: {violation}");
                killed += 1;
            }
            None => println!("{mutant:?}: not noticed"),
        }
    }
    println!("{killed}/14 mutants killed");
    assert_eq!(killed, 14);
}

/// What is noticed above is the mistake: without it, the same seeds are well.
#[test]
fn the_core_without_mistakes_is_well() {
    for seed in 0..1000 {
        assert_eq!(engineio::run(seed, false).violation, None, "engineio {seed}");
        assert_eq!(repod::run(seed, false).violation, None, "repod {seed}");
    }
}
