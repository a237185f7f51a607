//! A connection to the server, by TCP or TLS, and what has come over it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::finding::{Verdict, fail, quoted};
use super::frame::{Frame, Received};
use super::request::Request;
use super::response::Response;
use super::target::Target;
use super::trust::{self, Trust};

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    received: Vec<u8>,
    patience: Duration,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What comes next of a stream of payloads with their lengths.
#[derive(Debug)]
pub(crate) enum Next {
    Payload(Vec<u8>),
    End,
    Nothing,
}

/// What became of waiting for bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Arrival {
    Bytes,
    /// The server has closed the connection, or reset it.
    End,
    Nothing,
}

impl Wire {
    /// Connects. Whoever waits on the connection gives up after `patience`.
    pub(crate) fn open(target: &Target, patience: Duration) -> Verdict<Self> {
        let connect = || {
            let mut last = std::io::Error::from(ErrorKind::NotFound);
            for addr in (&*target.host, target.port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&addr, patience) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        stream.set_read_timeout(Some(patience))?;
                        stream.set_write_timeout(Some(patience))?;
                        return Ok(stream);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let tcp = match connect() {
            Ok(stream) => stream,
            Err(error) => return fail("a server that takes connections", error.to_string()),
        };
        let stream = match &target.tls {
            None => Stream::Tcp(tcp),
            Some(trust) => match secure(trust.as_ref(), &target.host, tcp) {
                Ok(stream) => Stream::Tls(Box::new(stream)),
                Err(error) => return fail("a server that speaks TLS", error),
            },
        };
        Ok(Self { stream, received: vec![], patience })
    }

    /// Sends bytes. A server that has closed the connection already has its reasons: they show when its
    /// answer is read.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes.as_ref()),
            Stream::Tls(stream) => stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()),
        };
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, request: &Request) {
        self.write(request.to_bytes());
    }

    /// Tells the server that nothing more will come.
    pub(crate) fn finish(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            trust::end(stream);
        }
        let _ = self.stream.tcp().shutdown(Shutdown::Write);
    }

    /// The answer to a request.
    pub(crate) fn response(&mut self) -> Verdict<Response> {
        match self.answer(true)? {
            Some(response) => Ok(response),
            None => fail("an answer", "the connection was closed without one"),
        }
    }

    /// The answer to a HEAD, which has no body.
    pub(crate) fn response_to_head(&mut self) -> Verdict<Response> {
        match self.answer(false)? {
            Some(response) => Ok(response),
            None => fail("an answer", "the connection was closed without one"),
        }
    }

    /// The answer to a request that is so wrong that closing the connection is an answer too.
    pub(crate) fn answer_or_end(&mut self) -> Verdict<Option<Response>> {
        self.answer(true)
    }

    fn answer(&mut self, with_body: bool) -> Verdict<Option<Response>> {
        loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                let mut response = Response::of_head(&head)?;
                if with_body && response.has_body() {
                    response.body = self.body(&response)?;
                }
                return Ok(Some(response));
            }
            match self.fill() {
                Arrival::Bytes => {}
                Arrival::End if self.received.is_empty() => return Ok(None),
                Arrival::End => {
                    return fail("a whole answer", format!("only {}", quoted(&self.received)));
                }
                Arrival::Nothing => {
                    return fail(
                        format!("an answer within {:?}", self.patience),
                        format!("nothing after {}", quoted(&self.received)),
                    );
                }
            }
        }
    }

    fn body(&mut self, response: &Response) -> Verdict<Vec<u8>> {
        if response.is_chunked() {
            return self.chunks();
        }
        if let Some(length) = response.header("content-length") {
            let Ok(length) = length.parse() else {
                return fail("a Content-Length that is a number", length);
            };
            return self.take(length, "the body that Content-Length announces");
        }
        // It ends with the connection.
        loop {
            match self.fill() {
                Arrival::Bytes => {}
                Arrival::End => return Ok(std::mem::take(&mut self.received)),
                Arrival::Nothing => {
                    return fail("an answer that ends", "one without length that goes on and on");
                }
            }
        }
    }

    fn chunks(&mut self) -> Verdict<Vec<u8>> {
        let mut body = vec![];
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or("").trim();
            let Ok(size) = usize::from_str_radix(size, 16) else {
                return fail("a chunk size", line);
            };
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size, "a whole chunk")?);
            self.line()?;
        }
    }

    fn line(&mut self) -> Verdict<String> {
        while find(&self.received, b"\r\n").is_none() {
            if self.fill() != Arrival::Bytes {
                return fail("a whole chunked body", "one that breaks off");
            }
        }
        let end = find(&self.received, b"\r\n").unwrap_or_default();
        let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
        self.received.drain(..end + 2);
        Ok(line)
    }

    fn take(&mut self, length: usize, what: &str) -> Verdict<Vec<u8>> {
        while self.received.len() < length {
            if self.fill() != Arrival::Bytes {
                let got = self.received.len();
                return fail(format!("{what}: {length} bytes"), format!("{got} bytes"));
            }
        }
        Ok(self.received.drain(..length).collect())
    }

    /// The next WebSocket frame.
    pub(crate) fn frame(&mut self) -> Verdict<Received> {
        loop {
            if let Some((taken, frame)) = Frame::decode(&self.received)? {
                self.received.drain(..taken);
                return Ok(Received::Frame(frame));
            }
            match self.fill() {
                Arrival::Bytes => {}
                Arrival::End => return Ok(Received::End),
                Arrival::Nothing => return Ok(Received::Nothing),
            }
        }
    }

    /// The next payload behind a length of four bytes.
    pub(crate) fn prefixed(&mut self) -> Verdict<Next> {
        loop {
            if let Some((length, rest)) = self.received.split_first_chunk() {
                let length = u32::from_be_bytes(*length) as usize;
                if let Some(payload) = rest.get(..length) {
                    let payload = payload.to_vec();
                    self.received.drain(..length + 4);
                    return Ok(Next::Payload(payload));
                }
            }
            match self.fill() {
                Arrival::Bytes => {}
                Arrival::End if self.received.is_empty() => return Ok(Next::End),
                Arrival::End => {
                    return fail("a whole frame", format!("only {}", quoted(&self.received)));
                }
                Arrival::Nothing => return Ok(Next::Nothing),
            }
        }
    }

    /// Sends as much as the server takes without anything being read from it, up to `limit` bytes of
    /// `piece` after `piece`. Returns how much that was.
    pub(crate) fn stuff(&mut self, piece: &[u8], limit: usize) -> usize {
        let _ = self.stream.tcp().set_write_timeout(Some(FULL));
        let mut taken = 0;
        while taken < limit {
            let written = match &mut self.stream {
                Stream::Tcp(stream) => stream.write_all(piece),
                Stream::Tls(stream) => stream.write_all(piece).and_then(|()| {
                    // What TLS keeps for itself was not taken.
                    while stream.conn.wants_write() {
                        stream.conn.write_tls(&mut stream.sock)?;
                    }
                    Ok(())
                }),
            };
            if written.is_err() {
                break;
            }
            taken += piece.len();
        }
        taken
    }

    /// The connection has to stay open for a moment, whatever comes over it.
    pub(crate) fn stays(&mut self) -> Verdict {
        let patience = self.patience;
        self.set_patience(MOMENT);
        let mut arrival = self.fill();
        while arrival == Arrival::Bytes {
            arrival = self.fill();
        }
        self.set_patience(patience);
        if arrival == Arrival::Nothing {
            return Ok(());
        }
        fail("a connection that stays open", "its end")
    }

    /// The server has to close the connection, whatever it says before.
    pub(crate) fn ends(&mut self) -> Verdict {
        loop {
            match self.fill() {
                Arrival::Bytes => {}
                Arrival::End => return Ok(()),
                Arrival::Nothing => {
                    return fail(
                        "the connection to be closed",
                        format!("it is still open after {:?}", self.patience),
                    );
                }
            }
        }
    }

    /// How long whoever waits does so.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Gives up on answers earlier, or later.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
        let _ = self.stream.tcp().set_read_timeout(Some(patience.max(Duration::from_millis(1))));
    }

    fn fill(&mut self) -> Arrival {
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(&mut bytes),
                Stream::Tls(stream) => stream.read(&mut bytes),
            };
            return match read {
                Ok(0) => Arrival::End,
                Ok(count) => {
                    self.received.extend_from_slice(&bytes[..count]);
                    Arrival::Bytes
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => Arrival::Nothing,
                    _ => Arrival::End,
                },
            };
        }
    }
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

fn secure(
    trust: Option<&Trust>,
    host: &str,
    stream: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let system;
    let trust = match trust {
        Some(trust) => trust,
        None => {
            system = Trust::system().map_err(|error| error.to_string())?;
            &system
        }
    };
    trust.secure(host, stream).map_err(|error| error.to_string())
}

/// A server that takes no byte for so long is full.
const FULL: Duration = Duration::from_secs(2);

/// Time for the end of a connection to be noticed.
const MOMENT: Duration = Duration::from_millis(300);

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
