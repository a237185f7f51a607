//! The floor: what the wire work of a protocol costs at the least. One thread, one receive and one send for
//! each time that a socket is ready, and nothing else: no heartbeat, no limits, no UTF-8 check, no errors. It
//! is a bound, not a server.
//!
//! `floor PROTOCOL PORT`

mod protocol;

mod connection;

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use connection::{Connection, Wire};
use protocol::Protocol;
use wire::poller::{Events, Poller};

fn main() -> io::Result<()> {
    let args: Vec<_> = std::env::args().collect();
    let [_, protocol, port] = &*args else { panic!("floor {} PORT", Protocol::NAMES) };
    let protocol = Protocol::from_name(protocol).unwrap_or_else(|| panic!("{}", Protocol::NAMES));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse().expect("a port")))?;
    listener.set_nonblocking(true)?;
    let poller = Poller::new()?;
    poller.add(&listener, 0)?;

    let mut connections: Vec<Option<Box<Connection>>> = vec![None];
    let mut free = vec![];
    let mut wire = Wire::new();
    let mut events = Events::default();
    loop {
        for ready in poller.wait(&mut events, None)? {
            if ready.token == 0 {
                while let Ok((stream, _)) = listener.accept() {
                    let token = free.pop().unwrap_or_else(|| {
                        connections.push(None);
                        connections.len() - 1
                    });
                    poller.add(&stream, token)?;
                    connections[token] =
                        Some(Box::new(Connection::new(stream, token, protocol, &poller)?));
                }
                continue;
            }
            let slot = &mut connections[ready.token];
            let Some(connection) = slot else { continue };
            let mut open = !ready.writable || connection.flush(&poller);
            if open && ready.readable {
                open = connection.receive(protocol, &poller, &mut wire);
            }
            if !open {
                *slot = None;
                free.push(ready.token);
            }
        }
        if !wire.for_all.is_empty() {
            for connection in connections.iter_mut().flatten() {
                connection.send(&wire.for_all, &poller);
            }
            wire.for_all.clear();
        }
    }
}
