//! What many clients do, or one does to the others.

use super::super::super::case::Case;
use super::super::super::finding::fail;
use super::super::super::message::{carrying, frame, map, message, number, text};

pub(super) static CASES: &[Case] = &[
    Case::repod(
        "repod-crowd/apart",
        "a hundred clients at once each get their own",
        "practice",
        |server| {
            server.needs_echo()?;
            let mine = |client| map(&[(text("action"), text("mine")), (text("n"), number(client))]);
            let mut channels = vec![];
            for client in 0..100 {
                let mut channel = server.open()?;
                channel.send(mine(client));
                channels.push(channel);
            }
            for (client, channel) in (0..).zip(&mut channels) {
                channel.brings(&mine(client))?;
            }
            Ok(())
        },
    ),
    Case::repod(
        "repod-crowd/come-and-go",
        "three hundred clients that come and go at once leave the server as it was",
        "practice",
        |server| {
            for _ in 0..300 {
                server.connect()?;
            }
            server.lives()
        },
    ),
    Case::repod(
        "repod-crowd/silent",
        "two hundred clients that say nothing keep nobody waiting",
        "practice",
        |server| {
            let mut silent = vec![];
            for _ in 0..200 {
                silent.push(server.connect()?);
            }
            server.lives()
        },
    ),
    Case::repod(
        "repod-crowd/bad-neighbours",
        "clients that break the rules do not end the connection of one that keeps them",
        "practice",
        |server| {
            let mut good = server.open()?;
            let bad: [&[u8]; 6] = [
                b"\0\0\0\0",
                b"\xff\xff\xff\xff",
                b"\0\0\0\x01\xc1",
                b"\0\0\0\x05\xdd\xff\xff\xff\xff",
                b"GET / HTTP/1.1\r\n\r\n",
                b"\0\0\0\x16\x81\xa6action\xacdisconnected",
            ];
            for bytes in bad {
                server.open()?.write(bytes);
                good.lives()?;
            }
            Ok(())
        },
    ),
    Case::repod(
        "repod-crowd/answers-not-taken",
        "a client that takes no answers is not read from without end",
        "practice; RUSTSEC-2020-0043",
        |server| {
            server.needs_echo()?;
            let mut greedy = server.open()?;
            let piece = frame(carrying(text(&"x".repeat(60_000))));
            let taken = greedy.wire.stuff(&piece, LIMIT);
            if taken >= LIMIT {
                return fail(
                    "a server that stops reading, or ends the connection",
                    format!("{} MB were taken while no answer was read", taken / 1_000_000),
                );
            }
            server.lives()
        },
    ),
    Case::repod(
        "repod-crowd/flood",
        "who floods the server keeps nobody else waiting for long",
        "practice",
        |server| {
            let mut flooding = server.open()?;
            flooding.write(frame(message("flood")).repeat(5_000));
            server.lives()
        },
    ),
];

/// More than the buffers of the kernels at both ends hold.
const LIMIT: usize = 64_000_000;
