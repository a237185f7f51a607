//! How a session ends.

use super::super::case::Case;
use super::super::finding::{Verdict, fail};
use super::super::frame::{self, Frame};
use super::super::server::Server;
use super::super::socket::Incoming;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "closing/polling",
        "a close packet by POST ends the session: the GET that waits brings a noop",
        CLOSE,
        |server| {
            let session = server.open()?;
            let mut get = session.waiting_get()?;
            session.post("1")?.taken()?;
            get.response()?.brings("6")?;
            session.is_gone()
        },
    ),
    Case::new(
        "closing/crossing",
        "a GET that is sent together with the close packet brings a noop, too",
        "EIO § Test suite",
        |server| {
            let session = server.open()?;
            let mut post = server.connect()?;
            let mut get = server.connect()?;
            post.send(&session.post_request("1"));
            get.send(&session.request("GET"));
            get.response()?.brings("6")?;
            post.response()?.taken()?;
            session.is_gone()
        },
    ),
    Case::new(
        "closing/no-get",
        "a close packet ends a session whose client has no GET waiting",
        CLOSE,
        |server| {
            let session = server.open()?;
            session.post("1")?.taken()?;
            session.is_gone()
        },
    ),
    Case::new(
        "closing/message-before",
        "a message before the close packet is taken",
        CLOSE,
        |server| {
            let session = server.open()?;
            session.post("4last\u{1e}1")?.taken()?;
            session.is_gone()
        },
    ),
    Case::new(
        "closing/message-behind",
        "what follows the close packet does not count",
        CLOSE,
        |server| {
            let session = server.open()?;
            session.post("1\u{1e}4after")?.taken()?;
            session.is_gone()
        },
    ),
    Case::new(
        "closing/post-to-closed",
        "a session that is closed takes no POST",
        CLOSE,
        |server| {
            let session = server.open()?;
            session.post("1")?.taken()?;
            session.post("4x")?.refused(1)
        },
    ),
    Case::new(
        "closing/websocket",
        "a close packet over WebSocket ends the session at once",
        CLOSE,
        |server| {
            let (mut socket, sid) = server.open_websocket()?;
            socket.text("1");
            socket.ends()?;
            drop(socket);
            gone(server, &sid)
        },
    ),
    Case::new(
        "closing/after-upgrade",
        "a close packet ends the session after an upgrade, too",
        CLOSE,
        |server| {
            let session = server.open()?;
            let mut socket = session.upgrade()?;
            socket.text("1");
            socket.ends()?;
            drop(socket);
            gone(server, &session.sid)
        },
    ),
    Case::new(
        "closing/frame",
        "a close frame is answered with its code, and ends the session",
        CLOSE_FRAME,
        |server| {
            let (mut socket, sid) = server.open_websocket()?;
            socket.send(&Frame::close(1000, "done"));
            socket.closes(&[Some(1000)])?;
            drop(socket);
            gone(server, &sid)
        },
    ),
    Case::new(
        "closing/frame-going-away",
        "a close frame as browsers send it when a page is left is answered with its code",
        CLOSE_FRAME,
        |server| server.closes_at(&[Frame::close(1001, "")], &[Some(1001)]),
    ),
    Case::new(
        "closing/frame-of-application",
        "a close frame with a code of the application is answered with it",
        CLOSE_FRAME,
        |server| server.closes_at(&[Frame::close(4321, "bye")], &[Some(4321)]),
    ),
    Case::new(
        "closing/empty-frame",
        "a close frame without a code is answered with one",
        CLOSE_FRAME,
        |server| server.closes_at(&[Frame::new(frame::CLOSE, "")], &[None, Some(1000)]),
    ),
    Case::new(
        "closing/after-close-frame",
        "what follows a close frame is not handled",
        CLOSE_FRAME,
        |server| {
            server.needs_echo()?;
            let (mut socket, _) = server.open_websocket()?;
            let mut bytes = Frame::close(1000, "").to_bytes();
            bytes.extend(Frame::text("4after").to_bytes());
            socket.write(bytes);
            loop {
                match socket.next()? {
                    Incoming::Close(_) => break,
                    Incoming::Text(text) if text == "4after" => return fail("no echo", "4after"),
                    Incoming::End | Incoming::Nothing => return fail("a close frame", "none"),
                    _ => {}
                }
            }
            socket.wire.ends()
        },
    ),
    Case::new(
        "closing/lost-websocket",
        "a WebSocket that is lost ends its session",
        "EIO § WebSocket",
        |server| {
            let (socket, sid) = server.open_websocket()?;
            drop(socket);
            server.settle();
            gone(server, &sid)
        },
    ),
    Case::new(
        "closing/half-closed",
        "a client that sends nothing more is let go",
        "RFC 6455, § 7.1.1",
        |server| {
            let (mut socket, sid) = server.open_websocket()?;
            socket.wire.finish();
            socket.wire.ends()?;
            drop(socket);
            gone(server, &sid)
        },
    ),
    Case::new(
        "closing/aborted-get",
        "a client that leaves its GET has left",
        "EIO § Test suite",
        |server| {
            let session = server.open()?;
            drop(session.waiting_get()?);
            server.settle();
            session.is_gone()
        },
    ),
    Case::new("closing/aborted-post", "a client that leaves its POST has left", "Node", |server| {
        let session = server.open()?;
        let mut wire = server.connect()?;
        wire.send(&session.request("POST").header("Content-Length", "100"));
        wire.write("4half");
        server.settle();
        drop(wire);
        server.settle();
        session.is_gone()
    }),
    Case::new("closing/others-live", "the end of a session is no other's", "practice", |server| {
        let (one, other) = (server.open()?, server.open()?);
        one.post("1")?.taken()?;
        one.is_gone()?;
        other.lives()
    }),
    Case::new("closing/new-after", "who has left may come back", "practice", |server| {
        for _ in 0..3 {
            let session = server.open()?;
            session.lives()?;
            session.post("1")?.taken()?;
        }
        Ok(())
    }),
];

const CLOSE: &str = "EIO § Protocol, close; EIO § Test suite";
const CLOSE_FRAME: &str = "RFC 6455, § 5.5.1";

fn gone(server: &Server, sid: &str) -> Verdict {
    server.settle();
    server.refuses("GET", &format!("EIO=4&transport=polling&sid={sid}"), 1)
}
