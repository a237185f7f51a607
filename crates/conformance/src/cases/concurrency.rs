//! Requests of one session at the same time.

use super::super::case::Case;
use super::super::finding::{Verdict, ensure};
use super::super::response::Response;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "concurrency/second-get",
        "of two GETs, one is refused and one told the end, and the session is over",
        GETS,
        |server| {
            let session = server.open()?;
            let mut first = session.waiting_get()?;
            let mut second = session.start_get()?;
            let refused = second.response()?;
            refused.status(&[400])?;
            first.response()?.brings("1")?;
            session.is_gone()
        },
    ),
    Case::new("concurrency/three-gets", "of three GETs, one is told the end", GETS, |server| {
        let session = server.open()?;
        let mut wires = [session.start_get()?, session.start_get()?, session.start_get()?];
        let mut statuses = vec![];
        for wire in &mut wires {
            statuses.push(wire.response()?.status);
        }
        statuses.sort_unstable();
        ensure(statuses == [200, 400, 400], "200, 400 and 400", || format!("{statuses:?}"))?;
        session.is_gone()
    }),
    Case::new(
        "concurrency/second-post",
        "a second POST while one is under way is refused, and the session is over",
        POSTS,
        |server| {
            let session = server.open()?;
            let mut first = server.connect()?;
            first.send(&session.request("POST").header("Content-Length", "100"));
            first.write("4half");
            server.settle();
            let second = session.post("4whole")?;
            second.status(&[400])?;
            session.is_gone()
        },
    ),
    Case::new(
        "concurrency/first-post",
        "the first of two POSTs is not answered with ok",
        POSTS,
        |server| {
            let session = server.open()?;
            let mut first = server.connect()?;
            first.send(&session.request("POST").header("Content-Length", "6"));
            first.write("4ha");
            server.settle();
            session.post("4whole")?.status(&[400])?;
            first.write("lf!");
            match first.answer_or_end()? {
                Some(response) => ended(&response),
                None => Ok(()),
            }
        },
    ),
    Case::new(
        "concurrency/get-and-post",
        "a GET and a POST go side by side",
        "EIO § Transports",
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            for number in 0..5 {
                let packet = format!("4{number}");
                let mut get = session.waiting_get()?;
                session.post(&packet)?.taken()?;
                get.response()?.brings(&packet)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "concurrency/pipelined-gets",
        "GETs that follow each other over one connection are not at the same time",
        "RFC 9112, § 9.3.2",
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut wire = server.connect()?;
            let mut both = session.request("GET").to_bytes();
            both.extend(session.request("GET").to_bytes());
            wire.write(both);
            server.settle();
            session.post("4first")?.taken()?;
            wire.response()?.brings("4first")?;
            session.post("4second")?.taken()?;
            wire.response()?.brings("4second")
        },
    ),
    Case::new(
        "concurrency/pipelined-posts",
        "POSTs that follow each other over one connection are not at the same time",
        "RFC 9112, § 9.3.2",
        |server| {
            let session = server.open()?;
            let mut wire = server.connect()?;
            let packets = ["4first", "4second", "4third"];
            let all: Vec<_> =
                packets.iter().flat_map(|packet| session.post_request(packet).to_bytes()).collect();
            wire.write(all);
            for _ in packets {
                wire.response()?.taken()?;
            }
            server.needs_echo()?;
            session.brings(&packets.join("\u{1e}"))
        },
    ),
    Case::new(
        "concurrency/handshakes",
        "sessions may be opened at the same time",
        "practice",
        |server| {
            let mut wires = vec![];
            for _ in 0..50 {
                let mut wire = server.connect()?;
                wire.send(&server.request("GET", "EIO=4&transport=polling"));
                wires.push(wire);
            }
            wires.iter_mut().try_for_each(|wire| wire.response()?.status(&[200]))
        },
    ),
];

const GETS: &str = "EIO § Receiving data";
const POSTS: &str = "EIO § Sending data";

fn ended(response: &Response) -> Verdict {
    ensure(response.status >= 400, "an error or the end of the connection", || response.words())
}
