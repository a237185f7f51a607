//! Code of the application that fails: its client is told, and nobody else notices.

use std::future;

use heartwire::engineio::Server;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::wire::{OPEN, get, read_close, read_text, session, websocket};

#[test]
fn a_connection_whose_future_cannot_be_made_is_closed() {
    let server = Server::new();
    server.on_connection(|connection| -> future::Ready<()> {
        panic!("nothing is done for {connection:?}")
    });
    let (_runtime, addr) = serve(&server);
    let mut socket = websocket(addr);
    assert_eq!(read_text(&mut socket), "1");
    assert_eq!(read_close(&mut socket), None);
    let sid = get(addr, OPEN, &[]).sid();
    assert_eq!(get(addr, &session(&sid), &[]).text(), "1");
}

/// Serves on a runtime of its own.
fn serve(server: &Server) -> (Runtime, std::net::SocketAddr) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = server.clone();
    runtime.spawn(async move { serving.serve(listener).await });
    (runtime, addr)
}
