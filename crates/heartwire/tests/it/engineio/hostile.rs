//! Clients that take as much of the server as it lets them.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use heartwire::engineio::Server;

use super::wire::{OPEN, get, start, upgrade};

#[test]
fn a_probe_that_does_not_read_its_pongs_is_not_read() {
    let (_runtime, server) = start(Server::builder().upgrade_timeout(Duration::from_secs(600)));
    let sid = get(server.addr, OPEN, &[]).sid();
    let (mut socket, answer) = upgrade(server.addr, &format!("&sid={sid}"), &[]);
    assert_eq!(answer.status, 101);
    socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Pings of 125 bytes, as many as fit into a write.
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[7; 125]].concat();
    let pings = ping.repeat(500);
    let mut sent = 0;
    let stopped = loop {
        match socket.write(&pings[sent % ping.len()..]) {
            Ok(count) => sent += count,
            Err(error) => break error.kind(),
        }
        // Many times what the kernel holds in both directions.
        assert!(sent < 200 << 20, "{sent} bytes of pings were read");
    };
    assert!(matches!(stopped, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped:?}");

    // Whoever reads is read from: the rest of a ping, and then the probe.
    let mut writing = socket.try_clone().unwrap();
    writing.set_write_timeout(None).unwrap();
    let rest = ping[sent % ping.len()..].to_vec();
    let writer = std::thread::spawn(move || {
        if rest.len() < 131 {
            writing.write_all(&rest).unwrap();
        }
        writing.write_all(&[0x81, 0x86, 0, 0, 0, 0]).unwrap();
        writing.write_all(b"2probe").unwrap();
    });
    let (mut pongs, pong) = (0, [&[0x8a, 125][..], &[7; 125]].concat());
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).unwrap();
        let mut frame = head.to_vec();
        frame.resize(2 + usize::from(head[1]), 0);
        socket.read_exact(&mut frame[2..]).unwrap();
        if frame != pong {
            assert_eq!(frame, b"\x81\x063probe");
            break;
        }
        pongs += 1;
    }
    assert_eq!(pongs, sent.div_ceil(ping.len()), "none is lost");
    writer.join().unwrap();
}
