//! Messages that the system has taken and the peer's has not, when the connection breaks.

#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::time::Duration;

use heartwire::engineio::{DisconnectReason, Server};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::support::silent;
use super::wire;
use crate::support::run;

#[test]
fn what_the_peers_system_has_not_confirmed_is_unsent() {
    run(async {
        let mut server = silent(Server::builder()).await;
        let mut client = deaf(server.addr).await;
        let request = format!(
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.addr
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let connection = server.connection().await;
        for _ in 0..MESSAGES {
            connection.send_tracked("x".repeat(LENGTH)).await.unwrap().await.unwrap();
        }
        // Everything was given to the system. With bytes that were not read, this is a reset.
        drop(client);
        let end = server.disconnected().await;
        assert!(!end.reason.is_asked_for());
        assert!((MESSAGES - 2..=MESSAGES).contains(&end.unsent), "{end:?}");
    });
}

#[test]
fn an_answer_that_no_get_follows_is_unsent() {
    let heartbeat = Duration::from_millis(100);
    let builder = Server::builder().ping_interval(heartbeat).ping_timeout(heartbeat);
    let (runtime, mut server) = wire::start(builder);
    let sid = wire::get(server.addr, "/engine.io/?EIO=4&transport=polling", &[]).sid();
    let connection = runtime.block_on(server.connection());
    for answer in ["4confirmed by the next GET", "4lost"] {
        connection.try_send(&answer[1..]).unwrap();
        assert_eq!(wire::get(server.addr, &wire::session(&sid), &[]).text(), answer);
    }
    let end = runtime.block_on(server.disconnected());
    assert_eq!((end.reason, end.unsent), (DisconnectReason::PingTimeout, 1));
}

/// A connection whose end here takes next to nothing.
async fn deaf(addr: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1).unwrap(); // the system makes it its least
    socket.connect(addr).await.unwrap()
}

/// Less than a system takes, and more than the least that one receives.
const MESSAGES: usize = 10;
const LENGTH: usize = 4000;
