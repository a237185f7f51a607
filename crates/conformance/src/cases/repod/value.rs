//! Values: those that come back as they are, those that are passed over, and those that are none.

use super::super::super::case::Case;
use super::super::super::finding::Verdict;
use super::super::super::message::{carrying, frame, map, message, number, text};
use super::super::super::repod::Repod;

pub(super) static CASES: &[Case] = &[
    Case::repod(
        "repod-value/every-type",
        "a message with a value of every type comes back as it is",
        MSGPACK,
        |server| {
            server.needs_echo()?;
            let mut channel = server.open()?;
            for value in EVERY_TYPE {
                channel.echoes(&carrying(value))?;
            }
            Ok(())
        },
    ),
    Case::repod(
        "repod-value/long-map",
        "a map of twenty thousand numbers comes back as it is",
        "practice; CWE-407",
        |server| {
            let entries: Vec<_> = (0..20_000).map(|key| (number(key), number(key))).collect();
            server.open()?.echoes(&carrying(map(&entries)))
        },
    ),
    Case::repod(
        "repod-value/longer-than-needed",
        "numbers in more bytes than they take are read",
        MSGPACK,
        |server| server.passes_over(carrying(b"\xcf\0\0\0\0\0\0\0\x01")),
    ),
    Case::repod(
        "repod-value/same-key-twice",
        "a key that comes twice does no harm",
        MSGPACK,
        |server| {
            let key = || text("value");
            let action = || (text("action"), text("twice"));
            server.passes_over(map(&[action(), (key(), number(1)), (key(), number(2))]))
        },
    ),
    Case::repod("repod-value/nil", "a frame that holds nil is passed over", NIL, |server| {
        server.passes_over(b"\xc0")
    }),
    Case::repod(
        "repod-value/number",
        "a frame that holds a number is passed over",
        OTHER,
        |server| server.passes_over(b"\x2a"),
    ),
    Case::repod("repod-value/bool", "a frame that holds true is passed over", OTHER, |server| {
        server.passes_over(b"\xc3")
    }),
    Case::repod(
        "repod-value/float",
        "a frame that holds a float is passed over",
        OTHER,
        |server| server.passes_over(b"\xcb\x3f\xf8\0\0\0\0\0\0"),
    ),
    Case::repod("repod-value/text", "a frame that holds a text is passed over", OTHER, |server| {
        server.passes_over(text("action"))
    }),
    Case::repod("repod-value/bytes", "a frame that holds bytes is passed over", OTHER, |server| {
        server.passes_over(b"\xc4\x03abc")
    }),
    Case::repod("repod-value/list", "a frame that holds a list is passed over", OTHER, |server| {
        server.passes_over(b"\x92\xa6action\xa1x")
    }),
    Case::repod("repod-value/extension", "an extension is passed over", OTHER, |server| {
        server.passes_over(b"\xd4\x05\x01")
    }),
    Case::repod("repod-value/empty-map", "an empty map is passed over", OTHER, |server| {
        server.passes_over(b"\x80")
    }),
    Case::repod(
        "repod-value/no-action",
        "a map without an action is passed over",
        OTHER,
        |server| server.passes_over(map(&[(text("acti0n"), text("x"))])),
    ),
    Case::repod(
        "repod-value/action-in-bytes",
        "a key of the bytes of action is none",
        OTHER,
        |server| server.passes_over(b"\x81\xc4\x06action\xa1a"),
    ),
    Case::repod("repod-value/type-c1", "the type c1 is none", MALFORMED, |server| {
        closes(server, b"\xc1")
    }),
    Case::repod(
        "repod-value/cut-map",
        "a map that lacks an entry is refused",
        MALFORMED,
        |server| closes(server, b"\x82\xa6action\xa1a"),
    ),
    Case::repod(
        "repod-value/cut-text",
        "a text that lacks letters is refused",
        MALFORMED,
        |server| closes(server, b"\x81\xa6action\xa9a"),
    ),
    Case::repod(
        "repod-value/bytes-behind",
        "bytes behind the value of a frame are refused",
        MALFORMED,
        |server| closes(server, &[message("a"), vec![0xc0]].concat()),
    ),
    Case::repod("repod-value/two-values", "a frame holds one message", MALFORMED, |server| {
        closes(server, &[message("a"), message("b")].concat())
    }),
    Case::repod(
        "repod-value/not-utf-8",
        "a text that is not UTF-8 is refused",
        MALFORMED,
        |server| closes(server, &carrying(b"\xa2\xc3\x28")),
    ),
    Case::repod(
        "repod-value/surrogate",
        "half of a pair of UTF-16 is refused",
        MALFORMED,
        |server| closes(server, &carrying(b"\xa3\xed\xa0\x80")),
    ),
    Case::repod("repod-value/list-as-key", "a list is no key", MALFORMED, |server| {
        closes(server, b"\x82\xa6action\xa1a\x91\x01\x02")
    }),
    Case::repod("repod-value/map-as-key", "a map is no key", MALFORMED, |server| {
        closes(server, b"\x82\xa6action\xa1a\x80\x02")
    }),
    Case::repod(
        "repod-value/reserved-extension",
        "an extension of the protocol's that there is not is refused",
        MALFORMED,
        |server| closes(server, &carrying(b"\xd4\xfe\x01")),
    ),
    Case::repod("repod-value/list-bomb", "a list of 2^32 - 1 is not waited for", BOMB, |server| {
        closes(server, b"\xdd\xff\xff\xff\xff")
    }),
    Case::repod("repod-value/map-bomb", "a map of 2^32 - 1 is not waited for", BOMB, |server| {
        closes(server, b"\xdf\xff\xff\xff\xff")
    }),
    Case::repod("repod-value/text-bomb", "a text of 2^32 - 1 is not waited for", BOMB, |server| {
        closes(server, b"\xdb\xff\xff\xff\xff")
    }),
    Case::repod("repod-value/bytes-bomb", "2^32 - 1 bytes are not waited for", BOMB, |server| {
        closes(server, b"\xc6\xff\xff\xff\xff")
    }),
    Case::repod(
        "repod-value/extension-bomb",
        "an extension of 2^32 - 1 bytes is not waited for",
        BOMB,
        |server| closes(server, b"\xc9\xff\xff\xff\xff\x05"),
    ),
    Case::repod(
        "repod-value/bomb-in-a-message",
        "a list of 2^32 - 1 in a message is not waited for",
        BOMB,
        |server| closes(server, &carrying(b"\xdd\xff\xff\xff\xff")),
    ),
    Case::repod(
        "repod-value/lists-of-bombs",
        "lists of 2^31 in lists of 2^31 are not waited for",
        BOMB,
        |server| closes(server, &carrying(b"\xdd\x80\0\0\0".repeat(10_000))),
    ),
    Case::repod(
        "repod-value/nested",
        "lists in lists, a hundred deep, come back",
        NESTED,
        |server| server.open()?.echoes(&carrying([vec![0x91; 100], vec![0xc0]].concat())),
    ),
    Case::repod(
        "repod-value/nested-lists",
        "lists in lists, a hundred thousand deep, are refused",
        NESTED,
        |server| closes(server, &carrying([vec![0x91; 100_000], vec![0xc0]].concat())),
    ),
    Case::repod(
        "repod-value/nested-maps",
        "maps in maps, a hundred thousand deep, are refused",
        NESTED,
        |server| {
            let deep = [b"\x81\xa1a".repeat(100_000), vec![0xc0]].concat();
            closes(server, &carrying(deep))
        },
    ),
];

const MSGPACK: &str = "the msgpack specification";
const OTHER: &str = "repodnet: what is no message is passed over";
const NIL: &str = "practice: as what else is no message";
const MALFORMED: &str = "repodnet: what is no msgpack ends the connection";
const BOMB: &str = "CVE-2026-38357 and others: lengths are believed";
const NESTED: &str = "RUSTSEC-2017-0006, RUSTSEC-2022-0092: recursion";

/// In their shortest forms, which is how Python's msgpack writes them again.
const EVERY_TYPE: &[&[u8]] = &[
    b"\xc0",
    b"\xc2",
    b"\xc3",
    b"\x00",
    b"\x7f",
    b"\xcc\x80",
    b"\xcd\x01\0",
    b"\xce\0\x01\0\0",
    b"\xcf\0\0\0\x01\0\0\0\0",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff",
    b"\xe0",
    b"\xd0\xdf",
    b"\xd1\xff\x7f",
    b"\xd2\xff\xff\x7f\xff",
    b"\xd3\x80\0\0\0\0\0\0\0",
    b"\xcb\x3f\xf8\0\0\0\0\0\0",
    b"\xa0",
    b"\xa3a\0b",
    b"\xa4\xf0\x9f\x8e\x88",
    b"\xc4\0",
    b"\xc4\x02\0\xff",
    b"\x90",
    b"\x93\x01\xa1a\xc0",
    b"\x80",
    b"\x82\x01\xa1a\xc0\xc2",
    b"\xd4\x05\x01",
    b"\xd6\xff\0\0\0\x01",
];

fn closes(server: &Repod, payload: &[u8]) -> Verdict {
    server.closes_at(frame(payload))
}
