//! Every model in some orders of events: `cargo xtask schedules` runs a million of each.

use std::process::Command;

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

/// All of them, in a process of its own.
#[test]
fn the_mailbox_holds_with_weak_memory() {
    let output = Command::new(env!("CARGO_BIN_EXE_weak")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
