//! What a server of Python holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use heartwire::repod::{self, SlowPeerPolicy};
use heartwire::tls::ServerTls;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tokio::task::JoinHandle;

use super::channel::Channel;
use super::client::seconds;
use super::decode::decode;
use super::feed::{Feed, Feeder, News};
use super::item::describe;
use super::process::Owned;

/// A server, from its start to its end.
#[pyclass(frozen, module = "heartwire._native.repod")]
pub(super) struct Server {
    engine: Owned<Engine>,
}

struct Engine {
    server: repod::Server,
    feed: Arc<Feed>,
    tls: Option<ServerTls>,
    /// What accepts connections, one a listening socket.
    listeners: Mutex<Vec<JoinHandle<()>>>,
    /// Whoever waits for news by a socket reads from this one.
    #[cfg(unix)]
    signal: Mutex<Option<std::os::unix::net::UnixStream>>,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (*, linger, max_frame, frame_timeout, stall_timeout, keep_alive,
        dead_peer_timeout, max_rate, send_limits, receive_limit, max_connections,
        max_connections_per_address, disconnect_slow, tls))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn new(
        linger: f64,
        max_frame: usize,
        frame_timeout: f64,
        stall_timeout: f64,
        keep_alive: Option<f64>,
        dead_peer_timeout: f64,
        max_rate: Option<u32>,
        send_limits: (usize, usize),
        receive_limit: usize,
        max_connections: Option<usize>,
        max_connections_per_address: Option<usize>,
        disconnect_slow: bool,
        tls: Option<(Vec<u8>, Vec<u8>)>,
    ) -> PyResult<Self> {
        let mut builder = repod::Server::builder()
            .linger(seconds("linger", linger)?)
            .max_frame(max_frame)
            .frame_timeout(seconds("frame_timeout", frame_timeout)?)
            .stall_timeout(seconds("stall_timeout", stall_timeout)?)
            .keep_alive(keep_alive.map(|time| seconds("keep_alive", time)).transpose()?)
            .dead_peer_timeout(seconds("dead_peer_timeout", dead_peer_timeout)?)
            .send_limits(send_limits.0, send_limits.1);
        if let Some(max_rate) = max_rate {
            builder = builder.max_rate(max_rate);
        }
        if let Some(connections) = max_connections {
            builder = builder.max_connections(connections);
        }
        if let Some(connections) = max_connections_per_address {
            builder = builder.max_connections_per_address(connections);
        }
        if disconnect_slow {
            builder = builder.slow_peer(SlowPeerPolicy::Disconnect);
        }
        let tls = tls.map(|(certificate, key)| ServerTls::from_pem(certificate, key));
        let tls = tls.transpose().map_err(|error| PyValueError::new_err(error.to_string()))?;
        let server = builder.build();
        let feed = Feed::new(receive_limit);
        server.set_handler(Feeder(feed.clone()));
        let told = feed.clone();
        runtime()?.spawn(feed.courier.clone().run(move || told.tell()));
        let engine = Engine {
            server,
            feed,
            tls,
            listeners: Mutex::default(),
            #[cfg(unix)]
            signal: Mutex::default(),
        };
        Ok(Self { engine: Owned::new(engine) })
    }

    /// Serves the connections of a listening socket. The socket belongs to the server from then on.
    fn listen(&self, socket: RawSocket) -> PyResult<()> {
        let listener = adopt(socket);
        let engine = self.engine()?;
        let runtime = runtime()?;
        let listener = {
            let _inside = runtime.enter();
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)?
        };
        let (server, tls) = (engine.server.clone(), engine.tls.clone());
        let serving = runtime.spawn(async move {
            match tls {
                Some(tls) => server.serve_tls(listener, &tls).await,
                None => server.serve(listener).await,
            }
        });
        engine.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(serving);
        Ok(())
    }

    /// The file descriptor that becomes readable when there is something to take. None where the system
    /// has no such thing.
    fn signal(&self) -> PyResult<Option<RawSocket>> {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            let engine = self.engine()?;
            let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            writer.set_nonblocking(true)?;
            let descriptor = reader.as_raw_fd();
            *engine.signal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
            engine.feed.set_signal(writer);
            Ok(Some(descriptor))
        }
        #[cfg(not(unix))]
        Ok(None)
    }

    /// Takes up to `limit` of what the channels have brought: pairs of a channel's number and a message,
    /// the channel itself when it is new, how it has ended, or None when the server has stopped.
    fn take<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let Some(engine) = self.engine.get() else { return Ok(PyList::empty(py)) };
        #[cfg(unix)]
        if let Some(signal) = &*engine.signal.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = std::io::Read::read(&mut &*signal, &mut [0; 64]);
        }
        let news = engine.feed.take(limit);
        let list = PyList::empty(py);
        for item in news {
            match item {
                News::Message(id, message) => {
                    list.append((u64::from(id), decode(py, message.payload())?))?;
                }
                News::Connected(channel) => {
                    let id = u64::from(channel.id());
                    list.append((
                        id,
                        Bound::new(py, Channel::new(channel, engine.feed.courier.clone()))?,
                    ))?;
                }
                News::Disconnected(id, disconnected) => {
                    let dict = PyDict::new(py);
                    describe(&dict, &disconnected)?;
                    list.append((u64::from(id), Ended { how: dict.unbind() }))?;
                }
                News::Stopped => list.append((0, py.None()))?,
            }
        }
        Ok(list)
    }

    /// From now on, what is sent goes out together at the next `release`, or soon.
    fn gather(&self) {
        if let Some(engine) = self.engine.get() {
            engine.feed.courier.gather();
        }
    }

    /// What was sent goes out.
    fn release(&self) {
        if let Some(engine) = self.engine.get() {
            engine.feed.courier.release();
        }
    }

    /// How much waits to be taken.
    fn pending(&self) -> usize {
        self.engine.get().map_or(0, |engine| engine.feed.len())
    }

    /// Waits until there is something to take. False if nothing has come in time.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let Some(engine) = self.engine.get() else { return Ok(false) };
        let deadline = timeout.map(|timeout| seconds("timeout", timeout.max(0.0))).transpose()?;
        let deadline = deadline.and_then(|timeout| Instant::now().checked_add(timeout));
        let feed = engine.feed.clone();
        loop {
            let count = feed.bell.count();
            if feed.len() > 0 {
                return Ok(true);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(false);
            }
            feed.bell.wait(py, count, deadline)?;
        }
    }

    /// Begins to stop: no new connections, and those that there are get what waits for them. Those that
    /// have not gone after `patience` seconds are cut off. The last thing to take says that it is done.
    fn stop(&self, patience: f64) -> PyResult<()> {
        let patience = seconds("timeout", patience)?;
        let Some(engine) = self.engine.get() else { return Ok(()) };
        let (server, feed) = (engine.server.clone(), engine.feed.clone());
        let listeners =
            std::mem::take(&mut *engine.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        runtime()?.spawn(async move {
            server.close(patience).await;
            for serving in listeners {
                // The port is free when it says that it has stopped.
                let _ = serving.await;
            }
            feed.push(News::Stopped);
        });
        Ok(())
    }
}

impl Server {
    fn engine(&self) -> PyResult<&Engine> {
        self.engine
            .get()
            .ok_or_else(|| PyRuntimeError::new_err("the server belongs to the parent process"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.feed.courier.end();
        let server = self.server.clone();
        if let Ok(runtime) = runtime() {
            runtime.spawn(async move { server.close(std::time::Duration::ZERO).await });
        }
    }
}

/// How a channel has ended.
#[pyclass(frozen, module = "heartwire._native.repod")]
pub(super) struct Ended {
    /// Reason, code, and how many messages were not sent.
    #[pyo3(get)]
    how: Py<PyDict>,
}

fn runtime() -> PyResult<tokio::runtime::Handle> {
    heartwire::blocking::runtime().map_err(|error| {
        PyRuntimeError::new_err(format!("cannot start the background thread: {error}"))
    })
}

#[cfg(unix)]
type RawSocket = std::os::fd::RawFd;
#[cfg(windows)]
type RawSocket = std::os::windows::io::RawSocket;

#[expect(unsafe_code, reason = "a number that stands for a socket has no owner")]
fn adopt(socket: RawSocket) -> std::net::TcpListener {
    #[cfg(unix)]
    use std::os::fd::FromRawFd;
    #[cfg(windows)]
    use std::os::windows::io::FromRawSocket as FromRawFd;

    #[cfg(unix)]
    // SAFETY: Python's caller has detached the socket that it gives, so that nobody else owns it.
    unsafe {
        std::net::TcpListener::from_raw_fd(socket)
    }
    #[cfg(windows)]
    // SAFETY: as above.
    unsafe {
        FromRawFd::from_raw_socket(socket)
    }
}
