//! What fuzzing has found, by name: each was wrong once.

use std::error::Error;

use fuzz::{TARGETS, unescape};

/// Runs a target on an input that it once did not get through.
#[track_caller]
fn check(name: &str, input: &str) -> Result<(), Box<dyn Error>> {
    let target = TARGETS.iter().find(|target| target.name == name).ok_or("no such target")?;
    fuzz::run(target, &unescape(input)?);
    Ok(())
}

/// An array with the values of a handshake was taken for one.
#[test]
fn an_open_packet_holds_an_object() -> Result<(), Box<dyn Error>> {
    check("open_packet", r#"["a",[],1,2,3]"#)
}

/// The message was kept as long as the connection.
#[test]
fn a_close_frame_lets_go_of_a_message_that_has_not_ended() -> Result<(), Box<dyn Error>> {
    check("websocket_assembler", r"\x00\x07\x08\x01a\x00\x00\x00\x00\x8f\xc2bye\x80\x00")
}

/// Cut at every byte it was too long, and whole it was invalid: it is both, and too long first.
#[test]
fn a_compressed_message_breaks_the_same_rule_however_it_is_cut() -> Result<(), Box<dyn Error>> {
    check("inflate", r"\x00\x03\xe7\x20JL\x1c\x05\xa3`\x14\x0cw\x00\x00\x14\xa5\x0cw\x00\x00")
}
