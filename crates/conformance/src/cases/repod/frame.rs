//! Frames: a length of four bytes, and what comes of it.

use std::ops::Range;

use super::super::super::case::Case;
use super::super::super::finding::{Verdict, fail};
use super::super::super::message::{carrying, frame, map, message, number, text};
use super::super::super::repod::Repod;
use super::super::super::wire::Next;

pub(super) static CASES: &[Case] = &[
    Case::repod(
        "repod-frame/byte-by-byte",
        "a frame may come byte by byte",
        "practice",
        |server| {
            let mut channel = server.open()?;
            for byte in frame(message("slowly")) {
                channel.write([byte]);
            }
            channel.lives()
        },
    ),
    Case::repod(
        "repod-frame/cut-anywhere",
        "two frames that are cut anywhere stay the same",
        "practice",
        |server| {
            server.needs_echo()?;
            let (one, other) = (message("one"), message("other"));
            let bytes = [frame(&one), frame(&other)].concat();
            for cut in 1..bytes.len() {
                let mut channel = server.open()?;
                channel.write(&bytes[..cut]);
                channel.write(&bytes[cut..]);
                channel.brings(&one)?;
                channel.brings(&other)?;
            }
            Ok(())
        },
    ),
    Case::repod(
        "repod-frame/in-one-go",
        "two thousand messages in one go come back in order",
        "practice",
        |server| {
            server.needs_echo()?;
            let mut channel = server.open()?;
            let numbered = |count| map(&[(text("action"), text("n")), (text("n"), number(count))]);
            channel.write((0..2000).flat_map(|count| frame(numbered(count))).collect::<Vec<_>>());
            for count in 0..2000 {
                channel.brings(&numbered(count))?;
            }
            Ok(())
        },
    ),
    Case::repod(
        "repod-frame/long",
        "a message of a hundred thousand letters comes back whole",
        "repodnet",
        |server| server.open()?.echoes(&carrying(text(&"x".repeat(100_000)))),
    ),
    Case::repod("repod-frame/empty", "an empty frame ends the connection", "repodnet", |server| {
        server.closes_at(frame(""))
    }),
    Case::repod(
        "repod-frame/length-2-31",
        "a frame of 2^31 bytes is not waited for",
        LENGTH,
        |server| server.closes_at([0x80, 0, 0, 0]),
    ),
    Case::repod(
        "repod-frame/length-2-32",
        "a frame of 2^32 - 1 bytes is not waited for",
        LENGTH,
        |server| server.closes_at([0xff; 4]),
    ),
    Case::repod(
        "repod-frame/length-byte-by-byte",
        "a length that is too much when its last byte comes is not waited for",
        LENGTH,
        |server| {
            let mut channel = server.open()?;
            for _ in 0..4 {
                channel.write([0xff]);
            }
            channel.ends()?;
            server.lives()
        },
    ),
    Case::repod(
        "repod-frame/length-and-bytes",
        "of a frame of 2^32 - 1 bytes, no megabytes are taken in",
        LENGTH,
        |server| {
            let mut channel = server.open()?;
            channel.write([0xff; 4]);
            channel.wire.stuff(&[b'x'; 64 << 10], 6 << 20);
            channel.ends()?;
            server.lives()
        },
    ),
    Case::repod(
        "repod-frame/length-behind-a-message",
        "a message before a length that is too much is handled",
        LENGTH,
        |server| {
            server.needs_echo()?;
            let mut channel = server.open()?;
            channel.send(message("before"));
            channel.brings(&message("before"))?;
            channel.write([0xff; 4]);
            channel.ends()
        },
    ),
    Case::repod(
        "repod-frame/nothing-after-an-error",
        "what follows a frame that is none is not handled",
        "practice",
        |server| {
            server.needs_echo()?;
            let mut channel = server.open()?;
            channel.write([frame([0xc1]), frame(message("after"))].concat());
            match channel.wire.prefixed()? {
                Next::Payload(payload) if payload == message("after") => {
                    fail("the end of the connection", "the message behind comes back")
                }
                Next::Payload(_) | Next::End => Ok(()),
                Next::Nothing => fail("the end of the connection", "nothing"),
            }
        },
    ),
    Case::repod(
        "repod-frame/half-a-length",
        "a client that goes in the middle of a length does no harm",
        "practice",
        |server| leaves_after(server, 1..4),
    ),
    Case::repod(
        "repod-frame/half-a-frame",
        "a client that goes in the middle of a frame does no harm",
        "practice",
        |server| leaves_after(server, 4..frame(message("half")).len()),
    ),
    Case::repod(
        "repod-frame/half-frames-of-many",
        "two hundred frames that do not end keep nobody waiting",
        "practice",
        |server| {
            let mut waiting = vec![];
            for _ in 0..200 {
                let mut channel = server.open()?;
                channel.write([0, 1, 0, 0, 0x81]);
                waiting.push(channel);
            }
            server.lives()
        },
    ),
    Case::repod(
        "repod-frame/trickle",
        "frames that trickle in keep nobody else waiting",
        "practice",
        |server| {
            let mut slow = server.open()?;
            let mut quick = server.open()?;
            for byte in frame(message("slow")) {
                slow.write([byte]);
                quick.lives()?;
            }
            slow.lives()
        },
    ),
    Case::repod(
        "repod-frame/half-closed",
        "a client that says that nothing more comes is let go",
        "repodnet",
        |server| {
            let mut channel = server.open()?;
            channel.wire.finish();
            channel.ends()
        },
    ),
    Case::repod(
        "repod-frame/half-closed-in-a-frame",
        "a client that ends within a frame is let go",
        "repodnet",
        |server| {
            let mut channel = server.open()?;
            channel.write(&frame(message("half"))[..10]);
            channel.wire.finish();
            channel.ends()?;
            server.lives()
        },
    ),
];

const LENGTH: &str = "practice; CWE-789";

fn leaves_after(server: &Repod, lengths: Range<usize>) -> Verdict {
    let bytes = frame(message("half"));
    for length in lengths {
        server.open()?.write(&bytes[..length]);
    }
    server.lives()
}
