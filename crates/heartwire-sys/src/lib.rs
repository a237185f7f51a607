//! What heartwire asks the kernel and no safe library does: two system calls.

use std::io;
use std::time::Duration;

/// How long a connection's bytes and their confirmation take, as the kernel has measured it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RoundTrip {
    /// The time, smoothed.
    pub time: Duration,
    /// How much it varies.
    pub variation: Duration,
}

/// Asks the kernel for the round trip time of a TCP connection. Nothing is sent for it, and the peer
/// need not know of it.
///
/// # Errors
///
/// The socket is no TCP connection, or the system does not tell (only Linux does here).
#[cfg(target_os = "linux")]
pub fn round_trip(socket: impl std::os::fd::AsFd) -> io::Result<RoundTrip> {
    use std::mem::{MaybeUninit, size_of};
    use std::os::fd::AsRawFd;

    let fd = socket.as_fd().as_raw_fd();
    // An older kernel fills less than the struct: the rest stays zero.
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `fd` is open while `socket` is borrowed; `info` points to `length` writable bytes, which is
    // what the call is told, and it writes no more than that. Both live until it returns.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `tcp_info` is made of integers, for which zeros and whatever the kernel wrote are values.
    let info = unsafe { info.assume_init() };
    Ok(RoundTrip {
        time: Duration::from_micros(info.tcpi_rtt.into()),
        variation: Duration::from_micros(info.tcpi_rttvar.into()),
    })
}

/// Asks the kernel for the round trip time of a TCP connection: this system does not tell.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn round_trip<S>(_: S) -> io::Result<RoundTrip> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Asks the kernel how many bytes that were written to a TCP connection the peer's system has not confirmed.
/// After the connection has broken it still says so.
///
/// # Errors
///
/// The socket is no TCP connection, or the system does not tell (only Linux does here).
#[cfg(target_os = "linux")]
pub fn unconfirmed(socket: impl std::os::fd::AsFd) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    let fd = socket.as_fd().as_raw_fd();
    let mut bytes: libc::c_int = 0;
    // SAFETY: `fd` is open while `socket` is borrowed; the request writes one `int`, to where `bytes` lives
    // until the call returns.
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Asks the kernel how many bytes the peer's system has not confirmed: this system does not tell.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn unconfirmed<S>(_: S) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn a_connection_has_a_round_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"there").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        let trip = round_trip(&client).unwrap();
        assert!(trip.time > Duration::ZERO && trip.time < Duration::from_secs(10), "{trip:?}");
    }

    #[test]
    fn bytes_are_unconfirmed_until_the_peer_has_room_for_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(unconfirmed(&client).unwrap(), 0);
        client.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(count) = client.write(&[0; 65536]) {
            written += count;
        }
        let left = unconfirmed(&client).unwrap();
        assert!(0 < left && left < written, "{left} of {written}");
        server.read_exact(&mut vec![0; written]).unwrap();
        while unconfirmed(&client).unwrap() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_reset_leaves_the_count() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        while client.write(&[0; 65536]).is_ok() {}
        let before = unconfirmed(&client).unwrap();
        server.read_exact(&mut [0]).unwrap();
        drop(server); // with bytes that were not read: that is a reset
        while client.take_error().unwrap().is_none() {
            std::thread::yield_now();
        }
        let after = unconfirmed(&client).unwrap();
        assert!(0 < after && after <= before, "{after} of {before}");
    }

    #[test]
    fn other_sockets_have_none() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(round_trip(&socket).is_err());
    }
}
