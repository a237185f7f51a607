//! What a server says first, and that it says nothing else unasked.

use std::time::Duration;

use super::super::super::case::Case;
use super::super::super::finding::equal;
use super::super::super::message::{self, message};

pub(super) static CASES: &[Case] = &[
    Case::repod(
        "repod-greeting/first",
        "the first frame is the greeting, before the client has said anything",
        REPODNET,
        |server| server.open().map(drop),
    ),
    Case::repod(
        "repod-greeting/exact",
        "the greeting is {\"action\": \"connected\"}, and nothing else",
        REPODNET,
        |server| server.connect()?.brings(&message::greeting()),
    ),
    Case::repod(
        "repod-greeting/once",
        "after the greeting, nothing comes unasked",
        REPODNET,
        |server| {
            server.needs_echo()?;
            let mut channel = server.open()?;
            std::thread::sleep(Duration::from_millis(100));
            channel.echoes(&message("hello"))
        },
    ),
    Case::repod(
        "repod-greeting/early",
        "a message that does not wait for the greeting is answered behind it",
        REPODNET,
        |server| {
            server.needs_echo()?;
            let mut channel = server.connect()?;
            channel.send(message("early"));
            channel.brings(&message::greeting())?;
            channel.brings(&message("early"))
        },
    ),
    Case::repod(
        "repod-greeting/everybody",
        "everybody is greeted, and with the same words",
        REPODNET,
        |server| {
            let mut greetings = vec![];
            for _ in 0..10 {
                greetings.push(server.connect()?.receive()?);
            }
            greetings.dedup();
            equal("different greetings:", greetings.len(), 1)
        },
    ),
];

const REPODNET: &str = "repodnet";
