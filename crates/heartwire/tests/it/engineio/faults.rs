//! Code of the application that fails: its client is told, and nobody else notices.

use std::future;

use heartwire::engineio::Server;

use super::support::listen;
use super::wire::{OPEN, get, read_close, read_text, session, websocket};

#[test]
fn a_connection_whose_future_cannot_be_made_is_closed() {
    let server = Server::new();
    server.on_connection(|connection| -> future::Ready<()> {
        panic!("nothing is done for {connection:?}")
    });
    let (_runtime, addr) = listen(&server);
    let mut socket = websocket(addr);
    assert_eq!(read_text(&mut socket), "1");
    assert_eq!(read_close(&mut socket), None);
    let sid = get(addr, OPEN, &[]).sid();
    assert_eq!(get(addr, &session(&sid), &[]).text(), "1");
}
