//! What a run has shown.

use std::fmt;

/// What a run has shown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// What happened, a line a step: virtual milliseconds, who, what.
    pub trace: Vec<String>,
    /// What must not happen and did.
    pub violation: Option<String>,
    /// Messages that were delivered.
    pub delivered: usize,
}

impl Report {
    /// A number that is the same for the same trace.
    pub fn fingerprint(&self) -> u64 {
        // FNV-1a: it has to be the same on every machine.
        let bytes = self.trace.iter().flat_map(|line| line.bytes().chain([b'\n']));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        match &self.violation {
            Some(violation) => writeln!(f, "VIOLATION: {violation}"),
            None => writeln!(f, "all is well: {} messages delivered", self.delivered),
        }
    }
}
