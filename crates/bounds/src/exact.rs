//! The largest message is exact, on every way to the server.

use std::io::Write;
use std::net::SocketAddr;

use super::child::Child;
use super::peer::{
    OPEN, close_code, connect, deflated, frame, get, open, post, read_frame, websocket,
    websocket_on,
};
use super::row::{Row, Size};
use super::serve::Config;

/// Whether a message of so many bytes on the wire is accepted; if not, it is refused by name.
type Way = fn(SocketAddr, usize) -> bool;

const WAYS: [(&str, Way); 6] = [
    ("POST", posted),
    ("POST, in pieces", posted_in_pieces),
    ("WebSocket", |addr, length| over_websocket(addr, length, &[frame(0x82, &vec![7; length])])),
    ("WebSocket, text", |addr, length| {
        over_websocket(addr, length, &[frame(0x81, &vec![b'4'; length])])
    }),
    ("WebSocket, fragments", |addr, length| {
        let half = length / 2;
        let parts = [frame(0x02, &vec![7; half]), frame(0x80, &vec![7; length - half])];
        over_websocket(addr, length, &parts)
    }),
    ("WebSocket, compressed", |addr, length| {
        let mut stream = websocket_on(connect(addr), OPEN, true);
        stream.write_all(&frame(0xc1, &deflated(b"4", length - 1))).unwrap();
        accepted(&mut stream)
    }),
];

pub fn rows(size: Size) -> Vec<Row> {
    let maxima: &[usize] = size.pick(&[1_000_000], &[100, 65_535, 65_536, 1_000_000, 10_000_000]);
    let mut rows = vec![];
    for &max in maxima {
        let child = Child::start(&Config { max_payload: max, deflate: true, ..Config::default() });
        for (name, way) in WAYS {
            let accepted = [max - 1, max, max + 1, max + 2].map(|length| way(child.addr, length));
            rows.push(Row::new(
                format!("{name}: {max} - 1, {max}, + 1, + 2"),
                accepted.map(|yes| if yes { "yes" } else { "no" }).join(" "),
                "yes yes no no",
                accepted == [true, true, false, false],
            ));
        }
    }
    rows
}

fn posted(addr: SocketAddr, length: usize) -> bool {
    let target = open(addr);
    match post(addr, &target, &vec![b'4'; length]).0 {
        200 => !get(addr, &target).1.is_empty(),
        413 => false,
        other => panic!("{other}"),
    }
}

/// Without saying how long it will be.
fn posted_in_pieces(addr: SocketAddr, length: usize) -> bool {
    let target = open(addr);
    let mut bytes =
        format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for start in (0..length).step_by(PIECE) {
        let piece = PIECE.min(length - start);
        bytes.push_str(&format!("{piece:x}\r\n{}\r\n", "4".repeat(piece)));
    }
    bytes.push_str("0\r\n\r\n");
    let mut stream = connect(addr);
    match super::peer::ask(&mut stream, bytes.as_bytes()).unwrap().0 {
        200 => true,
        413 => false,
        other => panic!("{other}"),
    }
}

fn over_websocket(addr: SocketAddr, length: usize, frames: &[Vec<u8>]) -> bool {
    let mut stream = websocket(addr);
    for frame in frames {
        // A server that refuses the header need not read the rest.
        let _ = stream.write_all(frame);
    }
    match read_frame(&mut stream).unwrap() {
        (0x88, payload) => {
            assert_eq!(payload.first_chunk(), Some(&1009_u16.to_be_bytes()));
            false
        }
        (_, payload) => {
            assert_eq!(payload.len(), length);
            true
        }
    }
}

fn accepted(stream: &mut std::net::TcpStream) -> bool {
    match read_frame(stream).unwrap() {
        (0x88, payload) => {
            assert_eq!(payload.first_chunk(), Some(&1009_u16.to_be_bytes()));
            false
        }
        (first, _) => {
            assert_eq!(first & 0x0f, 1);
            stream.write_all(&super::peer::text("1")).unwrap();
            assert_eq!(close_code(stream), None);
            true
        }
    }
}

const PIECE: usize = 10_000;
