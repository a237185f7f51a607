//! A server that runs while it is measured.

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::program::Program;

/// A server that runs. It ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a server on a port that is free, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It cannot be started or does not listen.
    pub(crate) fn start(
        program: &Program,
        place: &Place,
        processor: Option<u8>,
    ) -> Result<Self, Box<dyn Error>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let program = program.with(&[("{port}", &port.to_string())]);
        let mut command = program.command(place, processor);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self { child: child.spawn()?, port };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server has ended: {status}").into());
            }
            if Instant::now() > deadline {
                return Err("the server does not listen".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// A program with this server's port and process.
    pub(crate) fn addressed(&self, program: &Program) -> Program {
        let (port, process) = (self.port.to_string(), self.child.id().to_string());
        program.with(&[("{port}", &port), ("{process}", &process)])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Python takes a second or two to begin.
const PATIENCE: Duration = Duration::from_secs(20);
