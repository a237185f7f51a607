//! Bodies of fuzz targets, and what they are fed with.
//!
//! ```text
//!  seeds/NAME.txt ──┐                      ┌──► tests/corpora.rs, with every change
//!  corpus/NAME.txt ─┼──► bytes ──► target ─┼──► libFuzzer (`libfuzzer/`), by `cargo xtask fuzz`
//!  mutations ───────┘                      └──► one input: `cargo run -p fuzz -- NAME INPUT`
//! ```
//!
//! A target says what must hold for any bytes: that two implementations agree, that what is written is
//! read again, that cuts change nothing, that limits are exact, that memory follows what has arrived.
//! It panics when something does not hold.
#![expect(clippy::unwrap_used, reason = "a target may panic: that is how it tells")]

mod notation;
pub use notation::{InvalidNotation, escape, unescape};

mod corpus;
pub use corpus::{corpus, corpus_file, dictionary_file, inputs, seeds, set_corpus};

mod mutation;
pub use mutation::Mutator;

mod memory;

mod pieces;

mod targets;
pub use targets::{TARGETS, Target};

/// Runs a target. If it panics, says on the standard error how to run it again.
pub fn run(target: &Target, data: &[u8]) {
    let _notice = Notice { target, data };
    (target.body)(data);
}

/// Tells which input it was when something panics.
struct Notice<'a> {
    target: &'a Target,
    data: &'a [u8],
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { target, data } = self;
            eprintln!("cargo run -p fuzz -- {} '{}'", target.name, escape(data));
        }
    }
}
