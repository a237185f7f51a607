//! From polling to WebSocket.

use super::super::case::Case;
use super::super::finding::{Verdict, fail};
use super::super::frame::Frame;
use super::super::server::Server;
use super::super::socket::{Incoming, Socket};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "upgrade/whole",
        "a session goes from polling to WebSocket, and goes on there",
        UPGRADE,
        |server| {
            server.needs_echo()?;
            let mut socket = server.open()?.upgrade()?;
            socket.echoes("4hello")?;
            socket.send(&Frame::binary([1, 2, 3]));
            socket.brings_message(Incoming::Binary(vec![1, 2, 3]))
        },
    ),
    Case::new(
        "upgrade/get-after-probe",
        "a GET after the probe is answered with a noop",
        UPGRADE,
        |server| {
            let session = server.open()?;
            let _socket = session.probe()?;
            session.get()?.brings("6")
        },
    ),
    Case::new(
        "upgrade/waiting-get",
        "a GET that waits is answered with a noop at the probe",
        UPGRADE,
        |server| {
            let session = server.open()?;
            let mut get = session.waiting_get()?;
            let _socket = session.probe()?;
            get.response()?.brings("6")
        },
    ),
    Case::new(
        "upgrade/every-get",
        "every GET between probe and upgrade is answered with a noop",
        UPGRADE,
        |server| {
            let session = server.open()?;
            let _socket = session.probe()?;
            for _ in 0..3 {
                session.get()?.brings("6")?;
            }
            Ok(())
        },
    ),
    Case::new(
        "upgrade/get-at-upgrade",
        "a GET that waits at the end of the upgrade is answered with a noop",
        UPGRADE,
        |server| {
            let session = server.open()?;
            let mut get = session.waiting_get()?;
            let mut socket = session.websocket()?;
            let mut bytes = Frame::text("2probe").to_bytes();
            bytes.extend(Frame::text("5").to_bytes());
            socket.write(bytes);
            socket.brings("3probe")?;
            get.response()?.brings("6")
        },
    ),
    Case::new(
        "upgrade/get-after-upgrade",
        "a GET after the upgrade is refused, and the session goes on",
        WEBSOCKET,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut socket = session.upgrade()?;
            socket.echoes("4there")?;
            session.get()?.refused(3)?;
            socket.echoes("4still there?")
        },
    ),
    Case::new(
        "upgrade/post-after-upgrade",
        "a POST after the upgrade is refused, and the session goes on",
        WEBSOCKET,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut socket = session.upgrade()?;
            socket.echoes("4there")?;
            session.post("4astray")?.refused(3)?;
            socket.echoes("4still there?")
        },
    ),
    Case::new(
        "upgrade/second-while-probing",
        "a second WebSocket is closed while one probes, which goes on",
        WEBSOCKET,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut first = session.probe()?;
            surplus(server, &session.upgrade_query())?;
            first.text("5");
            first.echoes("4through")
        },
    ),
    Case::new(
        "upgrade/second-before-probe",
        "a second WebSocket is closed even before the first has said anything",
        WEBSOCKET,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut first = session.websocket()?;
            surplus(server, &session.upgrade_query())?;
            first.text("2probe");
            first.brings("3probe")?;
            first.text("5");
            first.echoes("4through")
        },
    ),
    Case::new(
        "upgrade/second-after",
        "a second WebSocket is closed after the upgrade, and the first goes on",
        WEBSOCKET,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut first = session.upgrade()?;
            first.echoes("4there")?;
            surplus(server, &session.upgrade_query())?;
            first.echoes("4still there?")
        },
    ),
    Case::new(
        "upgrade/message-instead",
        "a WebSocket that begins with a message is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "4hello"),
    ),
    Case::new(
        "upgrade/bare-ping",
        "a WebSocket that begins with a ping that is no probe is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "2"),
    ),
    Case::new(
        "upgrade/other-probe",
        "a WebSocket that probes with another word is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "2probeX"),
    ),
    Case::new(
        "upgrade/pong-instead",
        "a WebSocket that begins with a pong is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "3probe"),
    ),
    Case::new(
        "upgrade/noop-instead",
        "a WebSocket that begins with a noop is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "6"),
    ),
    Case::new(
        "upgrade/close-instead",
        "a WebSocket that begins with a close packet is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "1"),
    ),
    Case::new(
        "upgrade/no-packet",
        "a WebSocket that begins with what is no packet is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "abc"),
    ),
    Case::new(
        "upgrade/empty-frame",
        "a WebSocket that begins with an empty frame is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, ""),
    ),
    Case::new(
        "upgrade/without-probe",
        "a WebSocket that upgrades without a probe is closed, and the session polls on",
        UPGRADE,
        |server| dismisses(server, "5"),
    ),
    Case::new(
        "upgrade/binary-instead",
        "a WebSocket that begins with bytes is closed, and the session polls on",
        UPGRADE,
        |server| server.open()?.dismisses(Frame::binary("2probe").to_bytes()),
    ),
    Case::new(
        "upgrade/unmasked",
        "a WebSocket that probes without a mask is closed, and the session polls on",
        "RFC 6455, § 5.1",
        |server| server.open()?.dismisses(Frame::text("2probe").unmasked().to_bytes()),
    ),
    Case::new(
        "upgrade/reserved-bits",
        "a WebSocket that probes with reserved bits is closed, and the session polls on",
        "RFC 6455, § 5.2; CVE-2022-21676",
        |server| server.open()?.dismisses(Frame::text("2probe").reserved(2).to_bytes()),
    ),
    Case::new(
        "upgrade/not-utf-8",
        "a WebSocket that probes with what is not UTF-8 is closed, and the session polls on",
        "RFC 6455, § 8.1",
        |server| server.open()?.dismisses(Frame::text(b"2\xff").to_bytes()),
    ),
    Case::new(
        "upgrade/immense-frame",
        "a WebSocket that announces more than there can be is closed, and the session polls on",
        "RFC 6455, § 5.2; CVE-2022-35922",
        |server| server.open()?.dismisses(Frame::text("2probe").announced(1 << 62, 8).to_bytes()),
    ),
    Case::new(
        "upgrade/message-after-probe",
        "a message after the probe closes the WebSocket, and the session polls on",
        UPGRADE,
        |server| {
            let session = server.open()?;
            let mut socket = session.probe()?;
            socket.text("4hello");
            socket.ends()?;
            session.lives()
        },
    ),
    Case::new(
        "upgrade/probe-twice",
        "who probes twice is answered twice, and may upgrade",
        "Node",
        |server| {
            server.needs_echo()?;
            let mut socket = server.open()?.probe()?;
            socket.text("2probe");
            socket.brings("3probe")?;
            socket.text("5");
            socket.echoes("4hello")
        },
    ),
    Case::new(
        "upgrade/closed-after-probe",
        "a WebSocket that closes after its probe leaves the session on polling",
        UPGRADE,
        |server| {
            let session = server.open()?;
            let mut socket = session.probe()?;
            socket.send(&Frame::close(1000, ""));
            socket.ends()?;
            session.lives()
        },
    ),
    Case::new(
        "upgrade/dropped-after-probe",
        "a WebSocket that is lost after its probe leaves the session on polling",
        UPGRADE,
        |server| {
            let session = server.open()?;
            drop(session.probe()?);
            server.settle();
            session.lives()
        },
    ),
    Case::new(
        "upgrade/second-try",
        "an upgrade that was given up may be tried again",
        UPGRADE,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut socket = session.probe()?;
            socket.text("4hello");
            socket.ends()?;
            session.upgrade()?.echoes("4hello")
        },
    ),
    Case::new(
        "upgrade/waiting-messages",
        "messages that wait for a GET come over the WebSocket, once and in order",
        LOSS,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            session.post("4a\u{1e}4b\u{1e}bAQID")?.taken()?;
            let mut socket = session.upgrade()?;
            socket.brings("4a")?;
            socket.brings("4b")?;
            socket.brings_message(Incoming::Binary(vec![1, 2, 3]))?;
            socket.echoes("4c")
        },
    ),
    Case::new(
        "upgrade/message-behind",
        "messages right behind the upgrade packet count",
        LOSS,
        |server| {
            server.needs_echo()?;
            let mut socket = server.open()?.probe()?;
            let mut bytes = vec![];
            for packet in ["5", "4a", "4b"] {
                bytes.extend(Frame::text(packet).to_bytes());
            }
            socket.write(bytes);
            socket.brings("4a")?;
            socket.brings("4b")
        },
    ),
    Case::new(
        "upgrade/all-at-once",
        "probe, upgrade and a message may follow the request at once",
        LOSS,
        |server| {
            server.needs_echo()?;
            server.needs_upgrades()?;
            let session = server.open()?;
            let mut bytes = vec![];
            for packet in ["2probe", "5", "4a"] {
                bytes.extend(Frame::text(packet).to_bytes());
            }
            let mut socket = server.websocket(&session.upgrade_query(), &bytes)?;
            socket.brings("3probe")?;
            socket.brings("4a")
        },
    ),
    Case::new(
        "upgrade/order",
        "messages before, during and after an upgrade come back in order",
        LOSS,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            session.post("40\u{1e}41")?.taken()?;
            let mut socket = session.probe()?;
            session.post("42")?.taken()?;
            socket.text("5");
            socket.text("43");
            for packet in ["40", "41", "42", "43"] {
                socket.brings(packet)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "upgrade/post-while-probing",
        "POSTs are taken while a WebSocket probes",
        UPGRADE,
        |server| {
            server.needs_echo()?;
            let session = server.open()?;
            let mut socket = session.probe()?;
            session.post("4x")?.taken()?;
            session.get()?.brings("4x")?;
            socket.text("5");
            socket.echoes("4y")
        },
    ),
    Case::new(
        "upgrade/session-ends",
        "when the session ends, the WebSocket that probes is closed",
        "EIO § Upgrade",
        |server| {
            let session = server.open()?;
            let mut socket = session.probe()?;
            session.post("1")?.taken()?;
            socket.ends()?;
            session.is_gone()
        },
    ),
    Case::new(
        "upgrade/version-3",
        "an upgrade in another version is refused, and the session goes on",
        "EIO § Query parameters",
        |server| {
            server.needs_upgrades()?;
            let session = server.open()?;
            let query = format!("EIO=3&transport=websocket&sid={}", session.sid);
            server.exchange(&server.upgrade_request(&query))?.upgrade_refused(&[400])?;
            session.lives()
        },
    ),
    Case::new(
        "upgrade/bad-request",
        "a request for a WebSocket that is wrong leaves the session on polling",
        "RFC 6455, § 4.2.2",
        |server| {
            server.needs_upgrades()?;
            let session = server.open()?;
            let request = server.upgrade_request(&session.upgrade_query());
            server.exchange(&request.without("Sec-WebSocket-Key"))?.upgrade_refused(&[400])?;
            session.lives()
        },
    ),
    Case::new(
        "upgrade/post-instead",
        "an upgrade by POST is refused, and the session goes on",
        "RFC 6455, § 4.1",
        |server| {
            server.needs_upgrades()?;
            let session = server.open()?;
            let mut request = server.upgrade_request(&session.upgrade_query());
            request.method = "POST".to_owned();
            server.exchange(&request)?.upgrade_refused(&[400, 405])?;
            session.lives()
        },
    ),
    Case::new(
        "upgrade/of-unknown",
        "an upgrade of an unknown session is refused before the WebSocket opens",
        "EIO § WebSocket",
        |server| {
            server.needs_upgrades()?;
            let request = server.upgrade_request("EIO=4&transport=websocket&sid=test");
            server.exchange(&request)?.upgrade_refused(&[400])
        },
    ),
];

const UPGRADE: &str = "EIO § Upgrade";
const WEBSOCKET: &str = "EIO § WebSocket; EIO § Test suite";
const LOSS: &str = "EIO § Upgrade: no packet gets lost";

fn dismisses(server: &Server, text: &str) -> Verdict {
    server.open()?.dismisses(Frame::text(text).to_bytes())
}

/// A WebSocket more than a session can have has to be refused, or closed.
fn surplus(server: &Server, query: &str) -> Verdict {
    let mut wire = server.connect()?;
    wire.send(&server.upgrade_request(query));
    let response = wire.response()?;
    match response.status {
        101 => Socket::new(wire).ends(),
        400 => Ok(()),
        _ => fail("101 and a close frame, or 400", response.words()),
    }
}
