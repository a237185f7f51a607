//! Every target over every input that is kept, and over some that resemble them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use fuzz::{Mutator, TARGETS, Target};

/// Inputs that are made for each target: less where an input takes more.
const MADE: usize = 30_000;

fn check(name: &str, made: usize) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = fuzz::inputs(name);
    for input in &inputs {
        assert!(input.len() <= target.max_len, "{} bytes, at most {}", input.len(), target.max_len);
        fuzz::run(target, input);
    }
    let dictionary = std::fs::read_to_string(fuzz::dictionary_file(name)).unwrap();
    let mut mutator = Mutator::new(1, &dictionary);
    for _ in 0..made {
        fuzz::run(target, &mutator.mutate(&inputs, target.max_len));
    }
}

/// A test for each target, so that they run at the same time and are named when they fail.
macro_rules! targets {
    ($($name:ident: $made:expr,)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), $made);
            }
        )*

        #[test]
        fn every_target_is_here() {
            let here = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|target| target.name), here);
        }
    };
}

targets! {
    packet_text: MADE,
    packet_binary: MADE,
    payload: MADE,
    request_head: MADE / 10,
    query: MADE,
    websocket_decoder: MADE / 2,
    websocket_assembler: MADE / 2,
    inflate: MADE / 4,
    handshake_response: MADE,
    open_packet: MADE,
    server_session: MADE,
    client_session: MADE,
    both_peers: MADE / 20,
    repod_frame: MADE,
    repod_message: MADE,
}
