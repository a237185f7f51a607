//! Two peers and the network between them, as the simulator has them: bytes decide what it decides by
//! chance elsewhere, and it checks what is promised.

/// A byte with the protocol, then what decides.
pub(super) fn target(data: &[u8]) {
    let Some((&protocol, decisions)) = data.split_first() else { return };
    let run = if protocol & 1 == 0 {
        simulator::engineio::run_bytes
    } else {
        simulator::repod::run_bytes
    };
    let report = run(decisions, false);
    if report.violation.is_some() {
        panic!("{}", run(decisions, true));
    }
}
