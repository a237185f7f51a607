//! Options of sockets, as Python's `setsockopt` takes them: numbers of the system's, and whatever bytes it
//! wants for them.

use std::io;
use std::os::fd::AsRawFd;

use pyo3::prelude::*;
use tokio::net::TcpSocket;

/// An option: level, name, and value.
pub(super) struct Sockopt {
    level: i32,
    name: i32,
    value: Vec<u8>,
}

impl Sockopt {
    /// A tuple of level, name, and an integer or bytes.
    pub(super) fn read(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (level, name, value): (i32, i32, Bound<'_, PyAny>) = given.extract()?;
        let value = match value.extract::<i32>() {
            Ok(value) => value.to_ne_bytes().to_vec(),
            Err(_) => value.extract()?,
        };
        Ok(Self { level, name, value })
    }

    #[expect(
        unsafe_code,
        reason = "the standard library has no function for options that it does not know"
    )]
    pub(super) fn set(&self, socket: &TcpSocket) -> io::Result<()> {
        let length = libc::socklen_t::try_from(self.value.len()).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open while the socket is borrowed, and the system reads no more than
        // `length` bytes, which `value` has.
        let result = unsafe {
            let value = self.value.as_ptr().cast();
            libc::setsockopt(socket.as_raw_fd(), self.level, self.name, value, length)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
