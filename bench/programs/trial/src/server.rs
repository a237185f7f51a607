//! A server's runtime and socket: `PORT [THREADS]`, where one thread is tokio's scheduler for one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};

/// What the arguments ask for.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    pub port: u16,
    pub threads: usize,
}

impl Server {
    pub fn from_args() -> Self {
        let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u16>().expect("a number"));
        let port = args.next().expect("a port");
        Self { port, threads: args.next().unwrap_or(1).into() }
    }

    pub fn runtime(self) -> io::Result<Runtime> {
        let mut builder = match self.threads {
            1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        builder.worker_threads(self.threads).enable_all().build()
    }

    /// Listens, with room for many who connect at once.
    pub fn listen(self) -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        socket.listen(4096)
    }
}
