//! What holds on bad networks and under faults, in short.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod faults;

mod networks;
