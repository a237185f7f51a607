//! Sockets on this machine, and no others.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

/// Connects to a port of this machine. Addresses of the loopback network take turns as the client's, so that
/// its ports do not run out.
pub fn dial(port: u16, turn: usize) -> io::Result<TcpStream> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let own = Ipv4Addr::new(127, 0, 0, 2 + (turn % 200) as u8);
    bind(&socket, &SocketAddr::from(SocketAddrV4::new(own, 0)))?;
    connect(&socket, &SocketAddr::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A server that has not answered for so long never will.
const PATIENCE: Duration = Duration::from_secs(15);
