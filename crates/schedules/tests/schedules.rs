//! Every model in some orders of events: `cargo xtask schedules` runs a million of each.

use schedules::MODELS;

/// Orders of each model that are run with every change.
const COUNT: usize = 2000;

#[test]
fn what_threads_share_holds_in_every_order() {
    for model in MODELS {
        println!("{}", model.name);
        model.run(0, COUNT);
    }
}
