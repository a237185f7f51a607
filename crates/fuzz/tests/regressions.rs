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

/// A code without an end of the block was inflated by miniz_oxide until there was nothing left, and taken for right.
#[test]
fn a_code_without_an_end_of_the_block_is_invalid_before_it_is_used() -> Result<(), Box<dyn Error>> {
    check(
        "inflate",
        r"\x00\x00\x17\x03\xe9\x00JL\x1c\x12\x20\x00\x00\x00\xff\xff\x00\x00\x17\x9a\xff4\x00\xf7\x9a\x9aF\x9a\x9a\x88\xa3",
    )
}

/// A POST whose rest comes when the server has closed is refused, and was thought to end the session as one that
/// breaks the rules does.
#[test]
fn a_server_that_leaves_may_refuse_the_rest_of_a_post() -> Result<(), Box<dyn Error>> {
    check("both_peers", r"\x00\xc6\x19q\x17D\x94\xd6I<\x9d\\4`\xbe1")?;
    check("both_peers", r"\x00\x7f\xff\xff\xff\xff\xff\xff\xff\x8d\x04P\xe0\xd0\x8d\x0cP")
}

/// A GET is answered before its body comes, and was thought to be refused for the body.
#[test]
fn a_garbled_body_that_nobody_wants_ends_the_connection_alone() -> Result<(), Box<dyn Error>> {
    check(
        "request_head",
        r"\x00GET\x20/?EIO=4&transport=polling\x20HTTP/1.1\r\nHost:\x20h\r\nTransfer-Encoding:\x20chunked\r\n\r\n+2\r\n4x\r\n0\r\n\r\nGET\x20/?EIO=4&transport=polling\x20HTTP/1.1\r\nHost:\x20h\r\n\r\n",
    )
}

/// RFC 9112, § 6.3, lets chunks count and not the length, if the connection ends behind them. It was thought to be
/// refused.
#[test]
fn chunks_with_a_length_end_the_connection() -> Result<(), Box<dyn Error>> {
    check(
        "request_head",
        r"\x00POST\x20/?EIO=4&transport=polling&sid=s0\x20HTTP/1.1\r\nHost:\x20h\r\nContent-Length:\x202\r\nTransfer-Encoding:\x20chunked\r\n\r\n2\r\n4x\r\n1\r\ny\r\n0\r\n\r\nGET\x20/?EIO=4&transport=polling\x20HTTP/1.1\r\nHost:\x20h\r\n\r\n",
    )
}

/// A server of repod that sends what waits before it leaves does not look at what comes, and was thought to end for
/// a message that cannot be read.
#[test]
fn a_server_that_lingers_does_not_look_at_what_comes() -> Result<(), Box<dyn Error>> {
    check(
        "both_peers",
        r"\x01\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\x00\xff\x00\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\x0c\xff\xff\xff",
    )
}

/// Lines behind the last chunk that end in LF alone: hyper goes on to the next CRLF, and was thought to have missed
/// the request between.
#[test]
fn trailers_may_be_read_to_either_end() -> Result<(), Box<dyn Error>> {
    check(
        "request_head",
        r"\x00POST\x20/?EIO=4&transport=polling&sid=s0\x20HTTP/1.1\r\nHost:\x20h\r\nTransfer-Encoding:\x20chunked\r\n\r\n2\r\n4x\r\n0\r\n\nGET\x20/?EIO=4&transport=polling\x20HTTP/1.1\r\nHost:\x20h\r\n\r\nGET\x20/?EIO=4&transport=tobi\x20HTTP/1.1\r\nHost:\x20h\r\n\r\n",
    )?;
    check(
        "request_head",
        r"\x00POST\x20/?EIO=4&transport=polling&sid=s0\x20HTTP/1.1\r\nHost:\x20h\r\nTransfer-Encoding:\x20chunked\r\n\r\n2\r\n4x\r\n0\r\nA:\x20b\n\r\nGET\x20/?EIO=4&transport=tobi\x20HTTP/1.1\r\nHost:\x20h\r\n\r\n",
    )
}
