//! Actions: names that mean something to programs, and what is no name at all.

use super::super::super::case::Case;
use super::super::super::finding::Verdict;
use super::super::super::message::{message, text, with_action};
use super::super::super::repod::Repod;

pub(super) static CASES: &[Case] = &[
    Case::repod(
        "repod-action/connected",
        "connected is a message like any other, when a client sends it",
        RESERVED,
        |server| reserved(server, "connected"),
    ),
    Case::repod(
        "repod-action/disconnected",
        "disconnected is a message like any other, and the connection goes on",
        RESERVED,
        |server| reserved(server, "disconnected"),
    ),
    Case::repod(
        "repod-action/error",
        "error is a message like any other, and the connection goes on",
        RESERVED,
        |server| reserved(server, "error"),
    ),
    Case::repod(
        "repod-action/socket-connect",
        "socketConnect is a message like any other",
        RESERVED,
        |server| reserved(server, "socketConnect"),
    ),
    Case::repod(
        "repod-action/disconnected-of-another",
        "who sends disconnected disconnects nobody else",
        RESERVED,
        |server| {
            let mut other = server.open()?;
            server.open()?.send(message("disconnected"));
            other.lives()
        },
    ),
    Case::repod("repod-action/nil", "an action that is nil does no harm", ODD, |server| {
        odd(server, b"\xc0")
    }),
    Case::repod("repod-action/bool", "an action that is true does no harm", ODD, |server| {
        odd(server, b"\xc3")
    }),
    Case::repod("repod-action/number", "an action that is a number does no harm", ODD, |server| {
        odd(server, b"\x05")
    }),
    Case::repod("repod-action/below-zero", "an action below zero does no harm", ODD, |server| {
        odd(server, b"\xd3\x80\0\0\0\0\0\0\0")
    }),
    Case::repod(
        "repod-action/float",
        "an action that is no number at all does no harm",
        ODD,
        |server| odd(server, b"\xcb\x7f\xf8\0\0\0\0\0\0"),
    ),
    Case::repod("repod-action/bytes", "an action in bytes does no harm", ODD, |server| {
        odd(server, b"\xc4\x02\xff\0")
    }),
    Case::repod("repod-action/list", "an action that is a list does no harm", ODD, |server| {
        odd(server, b"\x93\x01\xa1a\xc0")
    }),
    Case::repod("repod-action/map", "an action that is a map does no harm", ODD, |server| {
        odd(server, b"\x81\xa6action\xa1a")
    }),
    Case::repod(
        "repod-action/extension",
        "an action that is an extension does no harm",
        ODD,
        |server| odd(server, b"\xd4\x05\x01"),
    ),
    Case::repod("repod-action/timestamp", "an action that is a time does no harm", ODD, |server| {
        odd(server, b"\xd6\xff\0\0\0\x01")
    }),
    Case::repod("repod-action/nested", "an action of lists in lists does no harm", ODD, |server| {
        odd(server, &[vec![0x91; 100], vec![0xc0]].concat())
    }),
    Case::repod("repod-action/empty", "an empty action does no harm", ODD, |server| {
        odd(server, &text(""))
    }),
    Case::repod(
        "repod-action/long",
        "an action of a hundred thousand letters does no harm",
        ODD,
        |server| odd(server, &text(&"x".repeat(100_000))),
    ),
    Case::repod(
        "repod-action/control-characters",
        "an action with line ends, escapes and NULs does no harm",
        "CWE-117",
        |server| odd(server, &text("a\r\nb\u{1b}[2J\0\u{202e}")),
    ),
    Case::repod(
        "repod-action/attributes",
        "names of attributes of programs do no harm as actions",
        "CWE-470",
        |server| {
            for name in ["__class__", "__init__", "send", "close", "_closed", "constructor", "../x"]
            {
                odd(server, &text(name))?;
            }
            Ok(())
        },
    ),
    Case::repod("repod-action/twice", "two actions in one message do no harm", ODD, |server| {
        server.passes_over(b"\x82\xa6action\xa1a\xa6action\xacdisconnected")
    }),
];

const RESERVED: &str = "practice: nobody speaks for a connection but itself";
const ODD: &str = "practice: the peer chooses it";

/// It has to come back as any other, and the connection to go on.
fn reserved(server: &Repod, action: &str) -> Verdict {
    let mut channel = server.open()?;
    channel.echoes(&message(action))?;
    channel.lives()
}

fn odd(server: &Repod, action: &[u8]) -> Verdict {
    server.passes_over(with_action(action))
}
