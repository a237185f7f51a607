//! The target that the environment's `FUZZ_TARGET` names, driven by libFuzzer.
#![no_main]

use std::env;
use std::sync::LazyLock;

use fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let named = TARGETS.iter().find(|target| target.name == name);
    named.unwrap_or_else(|| panic!("FUZZ_TARGET={name} names no target"))
});

fuzz_target!(|data: &[u8]| fuzz::run(&TARGET, data));
